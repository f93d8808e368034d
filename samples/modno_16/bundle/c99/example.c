/* SPDX-License-Identifier: Apache-2.0 */
/* One call of modno_16_run at the middle of the box. */
#include <stdio.h>

#include "modno_16.h"

/* Aligned to 8 bytes for its type, to 64 below for the sake of a vector unit. */
static double memory[(MODNO_16_SCRATCH_BYTES + 64) / 8];

/* Whether an array of a cassette is still zeros, which it also says. */
static int ep_zeros(const char *name, const void *array, size_t bytes) {
    const unsigned char *const held = (const unsigned char *)array;
    for (size_t i = 0; i < bytes; i++)
        if (held[i]) return 0;
    printf("%s is all zeros\n", name);
    return 1;
}

int main(void) {
    const float sensors[32] = {0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f, 0x1.c8eb980000000p-4f};
    /* fill in: an array of a cassette stands here */
    static const float frame[1] = {0};
    /* fill in: an array of a cassette stands here */
    static const float reads[31] = {0};
    /* fill in: an array of a cassette stands here */
    static const float multiplier[1280] = {0};
    /* fill in: an array of a cassette stands here */
    static const float mixing[9216] = {0};
    /* fill in: an array of a cassette stands here */
    static const uint16_t basis[30960] = {0};
    /* fill in: an array of a cassette stands here */
    static const float scale[1] = {0};
    float u[1280];
    if (ep_zeros("frame", frame, sizeof frame) + ep_zeros("reads", reads, sizeof reads) + ep_zeros("multiplier", multiplier, sizeof multiplier) + ep_zeros("mixing", mixing, sizeof mixing) + ep_zeros("basis", basis, sizeof basis) + ep_zeros("scale", scale, sizeof scale) == 6) {
        printf("nothing was computed: fill in the arrays of a cassette first\n");
        return 2;
    }
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
