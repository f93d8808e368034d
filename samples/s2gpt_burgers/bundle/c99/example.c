/* SPDX-License-Identifier: Apache-2.0 */
/* One call of s2gpt_burgers_run at the middle of the box. */
#include <stdio.h>

#include "s2gpt_burgers.h"

/* Aligned to 8 bytes for its type, to 64 below for the sake of a vector unit. */
static double memory[(S2GPT_BURGERS_SCRATCH_BYTES + 64) / 8];

int main(void) {
    const double parameters[1] = {0x1.0147ae147ae14p-1};
    const float points[2] = {0x0.0p+0f, 0x1.0000000000000p-1f};
    float u[1];
    double residual[1];
    unsigned char *const scratch = (unsigned char *)memory + (64 - (size_t)memory % 64) % 64;
    const int flags = s2gpt_burgers_run(1, 1, parameters, points, u, residual, scratch);
    if (flags < 0) {
        printf("refused: %d\n", flags);
        return 1;
    }
    for (size_t i = 0; i < 1; i++) printf("u %.9g\n", (double)u[i]);
    for (size_t i = 0; i < 1; i++) printf("residual %.9g\n", (double)residual[i]);
    printf("flags %d\n", flags);
    return 0;
}
