/* Status 0 where the fused multiply-add rounds once; a library's that rounds twice gives 0x3f800002. */
#include "arithmetic.h"
#include "edgepde_print.h"

int main(void) {
    volatile uint32_t a = 0x39800100u, b = 0x397ffe00u, c = 0x3f800001u;
    float sum = ep_fma1_f32(ep_from_bits_f32(a), ep_from_bits_f32(b), ep_from_bits_f32(c));
    if (ep_bits_f32(sum) == 0x3f800001u) {
        return 0;
    }
    ep_print_line("fma of 39800100 397ffe00 3f800001:", ep_bits_f32(sum));
    return 1;
}
