/* Rows read out by a basis: widths of every number of vectors and lanes left over, whole and half, every kind of scale.
 *
 * Lines "row" take one row at a time, "rows" all at once, "tile" EP_TILE rows side by side where there is a vector unit,
 * lines "widened" a basis of the numbers that the halves stand for: of all of one precision and basis one hash.
 */
#include "edgepde_hash.h"
#include "edgepde_patterns.h"
#include "edgepde_print.h"
#include "stored.h"
#include "generic.h"

enum { TERMS = 33, COLUMNS = 111, LANES = 16 };

static uint16_t halves[TERMS * COLUMNS];

#define EP_TYPE f32
#define PRINT(name, hash) ep_print_line(name "_f32", hash)
#include "readout_both.h"
#undef EP_TYPE
#undef PRINT
#define EP_TYPE f64
#define PRINT(name, hash) ep_print_line(name "_f64", hash)
#include "readout_both.h"

int main(void) {
    for (uint32_t i = 0; i < TERMS * COLUMNS; i++) halves[i] = (uint16_t)(ep_random64(7000 + i) & 0xbbffu);
    ep_readout_all_f32();
    ep_readout_all_f64();
    return 0;
}
