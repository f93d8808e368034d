/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the golden inputs, prints every output as a hex float, and fails where one is further from the reference than the
 * certificate allows on the device. */
#include <stdio.h>

#include "burgers_pinn.h"

static const float x[16] = {-0x1.0000000000000p+0f, 0x0.0p+0f, -0x1.0000000000000p+0f, 0x1.0000000000000p+0f, 0x1.0000000000000p+0f, 0x0.0p+0f, 0x1.0000000000000p+0f, 0x1.0000000000000p+0f, 0x1.187f5e0000000p-2f, 0x1.1442f80000000p-2f, -0x1.d60b0a0000000p-1f, 0x1.0ec9ee0000000p-6f, 0x1.40c9ea0000000p-1f, 0x1.d354b20000000p-1f, 0x1.b4c7b80000000p-3f, 0x1.7580920000000p-1f};
static float u[8];
static const double u_reference[8] = {-0x1.4109240f00000p-18, 0x1.7859df4be6000p-15, -0x1.9ebf66c2dc000p-11, 0x1.9b0baa5d8e000p-13, -0x1.e48f913e9f063p-1, 0x1.f18f5048ec796p-3, -0x1.313fc012709d5p-2, -0x1.698bbc8e996aep-1};

static unsigned char memory[BURGERS_PINN_SCRATCH_BYTES + 64];

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
    const int flags = burgers_pinn_run(8, x, u, scratch);
    size_t wrong = 0;
    printf("flags %d\n", flags);
    if (flags < 0 || (flags & 2)) return 1;
    for (size_t i = 0; i < 8; i++) printf("u[%zu] %a\n", i, (double)u[i]);
    wrong += beyond_f32(8, u, u_reference, 0x1.d62bf8e866c09p-11);
    printf("%zu beyond the bound\n", wrong);
    return wrong != 0;
}
