/* Printing for test programs on every target: POSIX write on a system, semihosting on a bare Cortex-M. No stdio. */
#ifndef EDGEPDE_PRINT_H
#define EDGEPDE_PRINT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__arm__) && !defined(__linux__)
#define EP_SYS_WRITE0 0x04
#define EP_SYS_EXIT_EXTENDED 0x20

static inline void ep_semihost(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static inline void ep_print_str(const char *text) { ep_semihost(EP_SYS_WRITE0, text); }
#else
#include <unistd.h>

static inline void ep_print_str(const char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t done = write(1, text, left);
        if (done <= 0) {
            _exit(74);
        }
        text += done;
        left -= (size_t)done;
    }
}
#endif

/* 16 lower-case digits, no prefix. */
static inline void ep_print_hex64(uint64_t value) {
    char digits[17];
    for (int i = 0; i < 16; i++) {
        digits[i] = "0123456789abcdef"[(value >> (60 - 4 * i)) & 15u];
    }
    digits[16] = '\0';
    ep_print_str(digits);
}

/* One line "<name> <16 digits>": what the identity tests compare. */
static inline void ep_print_line(const char *name, uint64_t value) {
    ep_print_str(name);
    ep_print_str(" ");
    ep_print_hex64(value);
    ep_print_str("\n");
}

#endif
