/* SPDX-License-Identifier: Apache-2.0 */
/* What a model checks of its inputs and outputs. */
#ifndef EDGEPDE_BOX_H
#define EDGEPDE_BOX_H

#include "arithmetic.h"

#define EP_OUT_OF_BOX 1
#define EP_NOT_CONVERGED 2
#define EP_ABOVE_THRESHOLD 4
#define EP_BAD_SIZE (-1)
#define EP_NOT_FINITE (-2)
#define EP_OUTSIDE (-3)

/* x [rows, columns] against low and high [columns]; flags [rows] or NULL. The OR of all rows' flags, or EP_NOT_FINITE. */
#define EP_BOX(NAME, NUMBER, LARGEST)                                                                                  \
    static inline int NAME(size_t rows, size_t columns, const NUMBER *x, const NUMBER *low, const NUMBER *high,        \
                           int *flags) {                                                                               \
        int all = 0;                                                                                                   \
        for (size_t r = 0; r < rows; r++) {                                                                            \
            int outside = 0;                                                                                           \
            for (size_t c = 0; c < columns; c++, x++) {                                                                \
                if (*x >= low[c] && *x <= high[c]) continue;                                                           \
                if (!(*x >= -LARGEST && *x <= LARGEST)) return EP_NOT_FINITE;                                          \
                outside = EP_OUT_OF_BOX;                                                                               \
            }                                                                                                          \
            if (flags) flags[r] = outside;                                                                             \
            all |= outside;                                                                                            \
        }                                                                                                              \
        return all;                                                                                                    \
    }

EP_BOX(ep_box_f32, float, FLT_MAX)
EP_BOX(ep_box_f64, double, DBL_MAX)

/* Whether all n numbers are finite. */
static inline int ep_finite_f32(size_t n, const float *x) {
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) bad |= (ep_bits_f32(x[i]) & 0x7f800000u) == 0x7f800000u;
    return !bad;
}

static inline int ep_finite_f64(size_t n, const double *x) {
    uint64_t bad = 0;
    for (size_t i = 0; i < n; i++) bad |= (ep_bits_f64(x[i]) & UINT64_C(0x7ff0000000000000)) == UINT64_C(0x7ff0000000000000);
    return !bad;
}

/* n numbers, a stride apart, to NaN. */
static inline void ep_blank_f32(size_t n, size_t stride, float *y) {
    for (size_t i = 0; i < n; i++) y[i * stride] = ep_from_bits_f32(0x7fc00000u);
}

static inline void ep_blank_f64(size_t n, size_t stride, double *y) {
    for (size_t i = 0; i < n; i++) y[i * stride] = ep_from_bits_f64(UINT64_C(0x7ff8000000000000));
}

#endif
