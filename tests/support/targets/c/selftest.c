/* Status 0 where the arithmetic is what the kernels ask for; else prints what ep_selftest found.
 *
 * Mistakes on purpose: EDGEPDE_ROUNDED_TWICE, and EDGEPDE_CONTROL, bits to set in the register of floating-point modes.
 */
#include "arithmetic.h"

#ifdef EDGEPDE_ROUNDED_TWICE
#define ep_fma1_f32(a, b, c) ((float)((double)(a) * (double)(b) + (double)(c)))
#endif
#include "edgepde_print.h"
#include "selftest.h"

#ifdef EDGEPDE_CONTROL
static void change_modes(void) {
#if defined(__x86_64__)
    uint32_t modes;
    __asm__ volatile("stmxcsr %0" : "=m"(modes));
    modes |= EDGEPDE_CONTROL;
    __asm__ volatile("ldmxcsr %0" : : "m"(modes));
#elif defined(__aarch64__)
    uint64_t modes;
    __asm__ volatile("mrs %0, fpcr" : "=r"(modes));
    __asm__ volatile("msr fpcr, %0" : : "r"(modes | EDGEPDE_CONTROL));
#else
    uint32_t modes;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(modes));
    __asm__ volatile("vmsr fpscr, %0" : : "r"(modes | EDGEPDE_CONTROL));
#endif
}
#endif

int main(void) {
#ifdef EDGEPDE_CONTROL
    change_modes();
#endif
    int failed = ep_selftest();
    if (failed) {
        ep_print_line("selftest", (uint64_t)failed);
    }
    return failed ? 1 : 0;
}
