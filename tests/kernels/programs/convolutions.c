/* Convolutions: strides, dilations, pads, groups, a phase of a transposed one, factorised ones; in both precisions, with
 * whole and half weights.
 *
 * Lines "rows" take one row at a time, lines "tile" EP_TILE rows side by side where there is a vector unit: one hash.
 */
#include "edgepde_hash.h"
#include "edgepde_patterns.h"
#include "edgepde_print.h"
#include "generic.h"

enum { LANES = 16, INPUTS = 6 * 4 * 5 * 9, OUTPUTS = 3 * 8 * 10 * 18, WEIGHTS = 2000, SCRATCH = 30000 };

static uint16_t halves[3][WEIGHTS];

#define EP_TYPE f32
#define PRINT(name, hash) ep_print_line(name "_f32", hash)
#include "convolutions_both.h"
#undef EP_TYPE
#undef PRINT
#define EP_TYPE f64
#define PRINT(name, hash) ep_print_line(name "_f64", hash)
#include "convolutions_both.h"

int main(void) {
    if (ep_factorized_scratch(&factored, 1, 1) > SCRATCH || ep_factorized_scratch(&picture, 1, 1) > SCRATCH) return 1;
    for (uint32_t i = 0; i < 3 * WEIGHTS; i++) halves[i / WEIGHTS][i % WEIGHTS] = (uint16_t)(ep_random64(5000 + i) & 0xbbffu);
    ep_convolutions_all_f32();
    ep_convolutions_all_f64();
    return 0;
}
