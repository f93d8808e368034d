/* Products with blocks: groups of every width up to several vectors, in both precisions, whole and half factors.
 *
 * Lines "rows" take one row at a time, lines "tile" EP_TILE rows side by side where there is a vector unit: one hash.
 */
#include "edgepde_hash.h"
#include "edgepde_patterns.h"
#include "edgepde_print.h"
#include "generic.h"

enum { COLUMNS = 83, ROWS = 150, GROUPS = 22, MOST = 1400, ENTRIES = 600, RANKS = 500, LANES = 16 };

static int32_t column_groups[3 * GROUPS], row_groups[3 * GROUPS], places[ENTRIES];
static size_t ranks, entries, most_entries, most_rows, right_count, left_count;
static uint16_t halves[2][GROUPS * MOST];

static uint32_t below(uint32_t seed, uint32_t limit) { return (uint32_t)(ep_random64(seed) >> 20) % limit; }

/* Widths 1, 4, 7, ..: every number of vectors and of lanes left over; sums of 1 to 40 terms. */
static void prepare(void) {
    for (uint32_t g = 0; g < GROUPS; g++) {
        const uint32_t terms = 1 + below(g, 20) + (g % 5 == 4 ? 19 : 0), width = 1 + (g * 11) % 34;
        const uint32_t span = g % 7 == 6 ? ROWS - 1 : 1 + (g * 13) % 41;
        column_groups[3 * g] = (int32_t)below(100 + g, COLUMNS - terms), row_groups[3 * g] = (int32_t)below(200 + g, ROWS - span);
        column_groups[3 * g + 1] = (int32_t)terms, column_groups[3 * g + 2] = (int32_t)width;
        row_groups[3 * g + 1] = (int32_t)span;
        row_groups[3 * g + 2] = (int32_t)(span > 41 ? 9 : 1 + below(300 + g, 34));
        ranks += width, right_count += terms * width;
        left_count += span * (size_t)row_groups[3 * g + 2], entries += (size_t)row_groups[3 * g + 2];
        if (most_rows < span) most_rows = span;
        if (most_entries < (size_t)row_groups[3 * g + 2]) most_entries = (size_t)row_groups[3 * g + 2];
    }
    for (uint32_t i = 0; i < entries; i++) places[i] = (int32_t)below(1000 + i, (uint32_t)ranks + COLUMNS);
    for (uint32_t i = 0; i < GROUPS * MOST; i++) {
        halves[0][i] = (uint16_t)(ep_random64(5000 + i) & 0xbbffu);
        halves[1][i] = (uint16_t)(ep_random64(90000 + i) & 0xbbffu);
    }
}

#define EP_INDEX int32_t
#define EP_TYPE f32
#define PRINT(name, hash) ep_print_line(name "_f32", hash)
#include "blocks_both.h"
#undef EP_TYPE
#undef PRINT
#define EP_TYPE f64
#define PRINT(name, hash) ep_print_line(name "_f64", hash)
#include "blocks_both.h"

int main(void) {
    prepare();
    if (ranks > RANKS || entries > ENTRIES || right_count + 16 > GROUPS * MOST || left_count + 16 > GROUPS * MOST) return 1;
    ep_blocks_all_f32();
    ep_blocks_all_f64();
    return 0;
}
