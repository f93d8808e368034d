/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the golden inputs, prints every output as a hex float, and fails where one is further from the reference than the
 * certificate allows on the device. */
#include <stdio.h>

#include "@name@.h"

@arrays@
static unsigned char memory[@upper@_SCRATCH_BYTES + 64];

/* The number of values further than `allowed` from the reference; a negative bound compares nothing. */
@comparison@
int main(void) {
    unsigned char *const scratch = memory + (64 - (size_t)memory % 64) % 64;
    const int flags = @name@_run(@arguments@, scratch);
    size_t wrong = 0;
    printf("flags %d\n", flags);
    if (flags < 0 || (flags & 2)) return 1;
@checks@
    printf("%zu beyond the bound\n", wrong);
    return wrong != 0;
}
