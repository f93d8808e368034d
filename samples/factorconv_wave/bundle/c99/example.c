/* SPDX-License-Identifier: Apache-2.0 */
/* One call of factorconv_wave_run at the middle of the box. */
#include <stdio.h>

#include "factorconv_wave.h"

/* Aligned to 8 bytes for its type, to 64 below for the sake of a vector unit. */
static double memory[(FACTORCONV_WAVE_SCRATCH_BYTES + 64) / 8];

int main(void) {
    const float parameters[6] = {0x1.47ae140000000p-3f, 0x1.0000000000000p-1f, 0x1.47ae140000000p-5f, 0x1.8000000000000p+1f, 0x1.0000000000000p+0f, 0x1.4ccccc0000000p-1f};
    float u[32768];
    unsigned char *const scratch = (unsigned char *)memory + (64 - (size_t)memory % 64) % 64;
    const int flags = factorconv_wave_run(1, parameters, u, scratch);
    if (flags < 0) {
        printf("refused: %d\n", flags);
        return 1;
    }
    for (size_t i = 0; i < 32768; i++) printf("u %.9g\n", (double)u[i]);
    printf("flags %d\n", flags);
    return 0;
}
