/* The main of a model with one input x [M, COLUMNS] in -1 .. 1 and one output u [M, OUTPUTS].
 *
 *     #define NUMBER float
 *     #define TYPED(name) name##_f32
 *     ... COLUMNS, OUTPUTS, RUN, CHECK, SCRATCH_BYTES and the model's header
 *
 * Prints hashes of u, of the flags and of what is returned, for batches and for the same rows one by one.
 */
#include "edgepde_hash.h"
#include "edgepde_inputs.h"
#include "edgepde_print.h"

#define MOST 37

static NUMBER x[MOST * COLUMNS], u[MOST * OUTPUTS], alone[MOST * OUTPUTS];
static int flags[MOST];
/* No byte more than is asked for: an address sanitiser sees what is written behind it. */
static unsigned char scratch[SCRATCH_BYTES] __attribute__((aligned(64)));

static uint64_t hashed(uint64_t hash, size_t rows, const NUMBER *out) {
    return TYPED(ep_hash_array)(hash, out, rows * OUTPUTS);
}

static void batch(size_t rows) {
    uint64_t flagged = EP_HASH_START;
    int all = 0;
    for (size_t r = 0; r < rows; r++) TYPED(ep_row)(rows + r, COLUMNS, x + r * COLUMNS);
    memset(scratch, 255, SCRATCH_BYTES);
    const int found = RUN(rows, x, u, scratch);
    for (size_t r = 0; r < rows; r++) all |= RUN(1, x + r * COLUMNS, alone + r * OUTPUTS, scratch);
    ep_print_rows("together", rows, ep_hash_u32(hashed(EP_HASH_START, rows, u), (uint32_t)found));
    ep_print_rows("alone", rows, ep_hash_u32(hashed(EP_HASH_START, rows, alone), (uint32_t)all));
    flagged = ep_hash_u32(flagged, (uint32_t)CHECK(rows, x, flags));
    for (size_t r = 0; r < rows; r++) flagged = ep_hash_u32(flagged, (uint32_t)flags[r]);
    ep_print_rows("flags", rows, flagged);
}

/* Nothing, too much, NaN and infinity: all are refused, and u stays as it was. */
static void refused(void) {
    const NUMBER zero = 0, large = sizeof(NUMBER) == 4 ? (NUMBER)0x1p+127 : (NUMBER)0x1p+1023;
    uint64_t hash = EP_HASH_START;
    memset(u, 7, sizeof u);
    hash = ep_hash_u32(hash, (uint32_t)RUN(0, x, u, scratch));
    hash = ep_hash_u32(hash, (uint32_t)RUN((size_t)-1, x, u, scratch));
    x[COLUMNS] = zero / zero;
    hash = ep_hash_u32(hash, (uint32_t)RUN(2, x, u, scratch));
    x[COLUMNS] = -2 * large;
    hash = ep_hash_u32(hash, (uint32_t)RUN(2, x, u, scratch));
    ep_print_line("refused", hashed(hash, MOST, u));
}

int main(void) {
    const size_t sizes[] = {1, 5, 16, MOST};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) batch(sizes[i]);
    refused();
    return 0;
}
