/* Prints how far below main's frame measured() has written: memory there is painted first. Bare Cortex-M only. */
#include "edgepde_print.h"

#define PAINTED 16384u
#define PAINT 0xa5a5a5a5u

void measured(void);

__attribute__((noinline)) static uint32_t here(void) {
    uint32_t top;
    __asm__ volatile("mov %0, sp" : "=r"(top));
    return top;
}

int main(void) {
    uint32_t top = here(), used = 0;
    volatile uint32_t *bottom = (volatile uint32_t *)(uintptr_t)(top - PAINTED);
    for (uint32_t i = 0; i < PAINTED / 4; i++) {
        bottom[i] = PAINT;
    }
    measured();
    for (uint32_t i = 0; i < PAINTED / 4 && bottom[i] == PAINT; i++) {
        used = PAINTED - 4 * (i + 1);
    }
    ep_print_line("stack", used);
    return 0;
}
