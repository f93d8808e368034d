/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels ask of a processor and its start-up code: one rounding in fma, to nearest, denormals that live. */
#ifndef EDGEPDE_SELFTEST_H
#define EDGEPDE_SELFTEST_H

#include "arithmetic.h"

/* 0, or the sum of: 1 fma, 2 rounding, 4 denormals. The product is just less than half a unit of the last place of an
 * odd number; rounded by itself it would be the half.
 */
static inline int ep_selftest_f32(void) {
    volatile uint32_t a = 0x39800100u, b = 0x397ffe00u, c = 0x3f800001u, small = 0x00800002u, smallest = 1u;
    volatile float one = 1.0f, step = 0x1.8p-24f, half = 0.5f;
    int failed = ep_bits_f32(ep_fma1_f32(ep_from_bits_f32(a), ep_from_bits_f32(b), ep_from_bits_f32(c))) != c;
    if (ep_bits_f32(one + step) != 0x3f800001u || ep_bits_f32(-one - step) != 0xbf800001u) failed |= 2;
    if (ep_bits_f32(ep_from_bits_f32(small) * half) != 0x00400001u) failed |= 4;
    if (ep_bits_f32(ep_from_bits_f32(smallest) * one) != smallest) failed |= 4;
    return failed;
}

static inline int ep_selftest_f64(void) {
    volatile uint64_t a = 0x3e50000000400000u, b = 0x3e3fffffff800000u, c = 0x3ff0000000000001u;
    volatile uint64_t small = 0x0010000000000002u, smallest = 1u;
    volatile double one = 1.0, step = 0x1.8p-53, half = 0.5;
    int failed = ep_bits_f64(ep_fma1_f64(ep_from_bits_f64(a), ep_from_bits_f64(b), ep_from_bits_f64(c))) != c;
    if (ep_bits_f64(one + step) != 0x3ff0000000000001u || ep_bits_f64(-one - step) != 0xbff0000000000001u) failed |= 2;
    if (ep_bits_f64(ep_from_bits_f64(small) * half) != 0x0008000000000001u) failed |= 4;
    if (ep_bits_f64(ep_from_bits_f64(smallest) * one) != smallest) failed |= 4;
    return failed;
}

/* Of float as above, of double eight times that. */
static inline int ep_selftest(void) { return ep_selftest_f32() | ep_selftest_f64() << 3; }

#endif
