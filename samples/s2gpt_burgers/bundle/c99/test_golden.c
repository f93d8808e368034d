/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the golden inputs, prints every output as a hex float, and fails where one is further from the reference than the
 * certificate allows on the device. */
#include <stdio.h>

#include "s2gpt_burgers.h"

static const double parameters[6] = {0x1.47ae147ae147dp-8, 0x1.d38deb93ab59cp-7, 0x1.4d916570732d0p-5, 0x1.f6f664055b785p-4, 0x1.66d4461474b3ep-2, 0x1.0000000000000p+0};
static const float points[16] = {0x1.3b22fa0000000p-1f, 0x1.8f40a60000000p-3f, -0x1.48d17c0000000p-13f, 0x1.a51a000000000p-2f, 0x1.09e5fc0000000p-2f, 0x1.e12eca0000000p-1f, 0x1.01daaa0000000p-4f, 0x1.dab8d00000000p-4f, -0x1.b740460000000p-1f, 0x1.da85200000000p-4f, -0x1.31cf260000000p-6f, 0x1.e161640000000p-2f, 0x1.b25e380000000p-3f, 0x1.f591e40000000p-2f, -0x1.4618340000000p-3f, 0x1.6be2300000000p-4f};
static float u[48];
static const double u_reference[48] = {-0x1.65b873e916aa4p-1, 0x1.7edb1a79485b4p-7, -0x1.2717ef0b4ba7cp-1, -0x1.32824316b5846p-2, 0x1.49a89a080b3d2p-2, 0x1.d45ab0d17f2dep-1, -0x1.c4d24dfc0e92ap-1, 0x1.3d66debd126d1p-1, -0x1.628ab46e1c270p-1, 0x1.ec14396f4a3f7p-9, -0x1.249e2a537c81ep-1, -0x1.2b482ce92eed4p-2, 0x1.47b7fb684df94p-2, 0x1.e4fbe82fb5a97p-2, -0x1.bca05ac242cb4p-1, 0x1.3955f8e69da98p-1, -0x1.59548c7db7a3dp-1, 0x1.66fc9ecd006fdp-10, -0x1.1347115060f63p-1, -0x1.1883e54a381c7p-2, 0x1.42210aa0a93c0p-2, 0x1.50f13a233477bp-3, -0x1.95d5209457a8ap-1, 0x1.2dfde4dfe09d7p-1, -0x1.3abaa723eeb6ap-1, 0x1.f582c5d37d46dp-12, -0x1.fd3ddda1fc068p-3, -0x1.d677a3cdfbd2fp-3, 0x1.3087e85bc5d51p-2, 0x1.a79946e51be5ap-5, -0x1.c9c43ef2d9ca4p-2, 0x1.0edf5a9d982d0p-1, -0x1.c2bb196b91639p-2, 0x1.0e3ba1cd710ccp-13, -0x1.c85e7621594c0p-6, -0x1.3e5d89ae70958p-3, 0x1.fdbb66617f71ep-3, 0x1.9220e3155d631p-7, -0x1.e3a2935ced255p-4, 0x1.9d4d15de7d137p-2, -0x1.14751b88920d1p-3, 0x1.1d5ac3cb6efffp-17, -0x1.1a3aaea935de8p-14, -0x1.0b89f7fad10fcp-4, 0x1.0de5ddbbf928ep-3, 0x1.2856647bbcb24p-11, -0x1.416a80563ca78p-8, 0x1.ac1b28332e1a5p-3};
static double residual[6];

static unsigned char memory[S2GPT_BURGERS_SCRATCH_BYTES + 64];

/* The number of values further than `allowed` from the reference; a negative bound compares nothing. */
static size_t beyond_f32(size_t n, const float *y, const double *reference, double allowed) {
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) {
        const double error = (double)y[i] - reference[i];
        wrong += !(error <= allowed && error >= -allowed);
    }
    return wrong;
}


int main(void) {
    unsigned char *const scratch = memory + (64 - (size_t)memory % 64) % 64;
    const int flags = s2gpt_burgers_run(6, 8, parameters, points, u, residual, scratch);
    size_t wrong = 0;
    printf("flags %d\n", flags);
    if (flags < 0 || (flags & 2)) return 1;
    for (size_t i = 0; i < 48; i++) printf("u[%zu] %a\n", i, (double)u[i]);
    wrong += beyond_f32(48, u, u_reference, 0x1.48d82a35b4000p-17);
    for (size_t i = 0; i < 6; i++) printf("residual[%zu] %a\n", i, (double)residual[i]);
    printf("%zu beyond the bound\n", wrong);
    return wrong != 0;
}
