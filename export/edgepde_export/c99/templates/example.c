/* SPDX-License-Identifier: Apache-2.0 */
/* One call of @name@_run at the middle of the box. */
#include <stdio.h>

#include "@name@.h"

/* Aligned to 8 bytes for its type, to 64 below for the sake of a vector unit. */
static double memory[(@upper@_SCRATCH_BYTES + 64) / 8];

@zeros@int main(void) {
@declarations@
@filled@    unsigned char *const scratch = (unsigned char *)memory + (64 - (size_t)memory % 64) % 64;
    const int flags = @name@_run(@arguments@, scratch);
    if (flags < 0) {
        printf("refused: %d\n", flags);
        return 1;
    }
@prints@
    printf("flags %d\n", flags);
    return 0;
}
