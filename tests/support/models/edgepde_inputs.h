/* Rows of inputs for models: inside -1 .. 1, on its ends, outside, and too small to be normal numbers. */
#ifndef EDGEPDE_INPUTS_H
#define EDGEPDE_INPUTS_H

#include "edgepde_patterns.h"
#include "edgepde_print.h"

/* 24 bits, even in -1 .. 1. */
static inline double ep_even(uint64_t counter) {
    return (double)(int32_t)(ep_random64(counter) >> 40) * 0x1p-23 - 1.0;
}

/* Row number `row`: of eight one is outside, one subnormal, one on the ends or zero. */
#define EP_ROW(NAME, REAL, BITS, SMALL, SIGN)                                                                          \
    static inline void NAME(size_t row, size_t columns, REAL *x) {                                                     \
        for (size_t c = 0; c < columns; c++) {                                                                         \
            const uint64_t counter = (uint64_t)row * columns + c, random = ep_random64(~counter);                      \
            const BITS small = (BITS)random & (SMALL | SIGN);                                                          \
            x[c] = (REAL)ep_even(counter);                                                                             \
            if (row % 8 == 4) x[c] = 3 * x[c] - 1;                                                                     \
            if (row % 8 == 5) memcpy(x + c, &small, sizeof small);                                                     \
            if (row % 8 == 6) x[c] = random & 1 ? (random & 2 ? (REAL)1 : (REAL)-1) : (random & 2 ? (REAL)0 : -(REAL)0); \
        }                                                                                                              \
    }

EP_ROW(ep_row_f32, float, uint32_t, 0x7fffffu, 0x80000000u)
EP_ROW(ep_row_f64, double, uint64_t, UINT64_C(0xfffffffffffff), UINT64_C(0x8000000000000000))

/* "<name>_<rows> <hash>", rows below 100 in two digits. */
static inline void ep_print_rows(const char *name, size_t rows, uint64_t hash) {
    const char digits[3] = {(char)('0' + rows / 10), (char)('0' + rows % 10), '\0'};
    ep_print_str(name);
    ep_print_str("_");
    ep_print_line(digits, hash);
}

#endif
