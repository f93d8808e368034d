/* One call of @name@_run at the middle of the box. */
#include <stdio.h>

#include "@name@.h"

/* Doubles are aligned to 8 bytes; a vector unit wants 64. */
static unsigned char memory[@upper@_SCRATCH_BYTES + 64];

int main(void) {
@declarations@
    unsigned char *const scratch = memory + (64 - (size_t)memory % 64) % 64;
    const int flags = @name@_run(@arguments@, scratch);
    if (flags < 0) {
        printf("refused: %d\n", flags);
        return 1;
    }
@prints@
    printf("flags %d\n", flags);
    return 0;
}
