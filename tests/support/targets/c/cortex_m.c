/* Start-up of a bare Cortex-M: vectors, FPU on, memory as C expects it, main's value as the emulator's exit status. */
#include "edgepde_print.h"

#define FAULT_STATUS 99u

extern uint32_t ep_stack_top, ep_data_from, ep_data, ep_data_end, ep_bss, ep_bss_end;
int main(void);
void ep_start(void);
void ep_reset(void);

static void leave(uint32_t status) {
    const uint32_t block[2] = {0x20026u, status}; /* ADP_Stopped_ApplicationExit */
    for (;;) {
        ep_semihost(EP_SYS_EXIT_EXTENDED, block);
    }
}

static void fault(void) {
    ep_print_str("fault\n");
    leave(FAULT_STATUS);
}

void ep_start(void) {
    for (uint32_t *to = &ep_data, *from = &ep_data_from; to < &ep_data_end; to++, from++) {
        *to = *from;
    }
    for (uint32_t *to = &ep_bss; to < &ep_bss_end; to++) {
        *to = 0;
    }
    leave((uint32_t)main());
}

/* Before any C runs, CPACR has to grant access to the FPU. */
__attribute__((naked, used)) void ep_reset(void) {
    __asm__ volatile("ldr r0, =0xE000ED88\n"
                     "ldr r1, [r0]\n"
                     "orr r1, r1, #0x00F00000\n"
                     "str r1, [r0]\n"
                     "dsb\n"
                     "isb\n"
                     "b ep_start\n"
                     ".ltorg\n");
}

struct vectors {
    uint32_t *stack;
    void (*reset)(void);
    void (*faults[14])(void);
};

__attribute__((section(".vectors"), used)) static const struct vectors table = {
    &ep_stack_top,
    ep_reset,
    {fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault},
};
