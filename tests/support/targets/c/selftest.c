/* Status 0 where the fused multiply-add rounds once; one that rounds twice gives 0x3f800002.
 *
 * EDGEPDE_ROUNDED_TWICE makes that mistake on purpose.
 */
#include "arithmetic.h"
#include "edgepde_print.h"

#ifdef EDGEPDE_ROUNDED_TWICE
#define ep_fma1_f32(a, b, c) ((float)((double)(a) * (double)(b) + (double)(c)))
#endif

int main(void) {
    volatile uint32_t a = 0x39800100u, b = 0x397ffe00u, c = 0x3f800001u;
    float sum = ep_fma1_f32(ep_from_bits_f32(a), ep_from_bits_f32(b), ep_from_bits_f32(c));
    if (ep_bits_f32(sum) == 0x3f800001u) {
        return 0;
    }
    ep_print_line("fma", ep_bits_f32(sum));
    return 1;
}
