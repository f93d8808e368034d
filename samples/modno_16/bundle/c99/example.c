/* SPDX-License-Identifier: Apache-2.0 */
/* One call of modno_16_run at the middle of the box. */
#include <stdio.h>

#include "modno_16.h"

/* Aligned to 8 bytes for its type, to 64 below for the sake of a vector unit. */
static double memory[(MODNO_16_SCRATCH_BYTES + 64) / 8];

int main(void) {
    const float sensors[32] = {0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f};
    /* an array of a cassette stands here */
    static const float frame[1] = {0};
    /* an array of a cassette stands here */
    static const float reads[31] = {0};
    /* an array of a cassette stands here */
    static const float multiplier[1280] = {0};
    /* an array of a cassette stands here */
    static const float mixing[9216] = {0};
    /* an array of a cassette stands here */
    static const uint16_t basis[32400] = {0};
    /* an array of a cassette stands here */
    static const float scale[1] = {0};
    float u[1280];
    unsigned char *const scratch = (unsigned char *)memory + (64 - (size_t)memory % 64) % 64;
    const int flags = modno_16_run(1, sensors, frame, reads, multiplier, mixing, basis, scale, u, scratch);
    if (flags < 0) {
        printf("refused: %d\n", flags);
        return 1;
    }
    for (size_t i = 0; i < 1280; i++) printf("u %.9g\n", (double)u[i]);
    printf("flags %d\n", flags);
    return 0;
}
