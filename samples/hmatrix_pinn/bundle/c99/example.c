/* SPDX-License-Identifier: Apache-2.0 */
/* One call of burgers_pinn_run at the middle of the box. */
#include <stdio.h>

#include "burgers_pinn.h"

/* Aligned to 8 bytes for its type, to 64 below for the sake of a vector unit. */
static double memory[(BURGERS_PINN_SCRATCH_BYTES + 64) / 8];

int main(void) {
    const float x[2] = {0x0.0p+0f, 0x1.0000000000000p-1f};
    float u[1];
    unsigned char *const scratch = (unsigned char *)memory + (64 - (size_t)memory % 64) % 64;
    const int flags = burgers_pinn_run(1, x, u, scratch);
    if (flags < 0) {
        printf("refused: %d\n", flags);
        return 1;
    }
    for (size_t i = 0; i < 1; i++) printf("u %.9g\n", (double)u[i]);
    printf("flags %d\n", flags);
    return 0;
}
