/* Derivatives by windows: uniform axes, rows of their own, lines and planes that are kept, sums; in both precisions.
 *
 * Lines "rows" take one row at a time, lines "tile" EP_TILE rows side by side where there is a vector unit: one hash.
 */
#include "edgepde_hash.h"
#include "edgepde_patterns.h"
#include "edgepde_print.h"
#include "generic.h"

enum { LANES = 16, INPUTS = 4 * 6 * 23, OUTPUTS = 5 * INPUTS, WEIGHTS = 800, SCRATCH = 2000 };

#define EP_TYPE f32
#define PRINT(name, hash) ep_print_line(name "_f32", hash)
#include "mollified_both.h"
#undef EP_TYPE
#undef PRINT
#define EP_TYPE f64
#define PRINT(name, hash) ep_print_line(name "_f64", hash)
#include "mollified_both.h"

int main(void) {
    for (size_t i = 0; i < 2; i++) {
        ep_mollified_plan plan;
        ep_derivative_f32_plan(&banks[i], orders, ep_combine_f32, &plan);
        if (ep_mollified_numbers(&banks[i], &plan, 1) > SCRATCH) return 1;
    }
    ep_mollified_all_f32();
    ep_mollified_all_f64();
    return 0;
}
