/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions between element types that are defined for every value: towards zero, NaN to 0, what is outside to the end. */
#ifndef EDGEPDE_CONVERT_H
#define EDGEPDE_CONVERT_H

#include "arithmetic.h"

static inline int64_t ep_i64_of_f64(double x) {
    if (!(x < 9223372036854775808.0)) return x != x ? 0 : INT64_MAX;
    return x < -9223372036854775808.0 ? INT64_MIN : (int64_t)x;
}

static inline int32_t ep_i32_of_f64(double x) {
    if (!(x < 2147483648.0)) return x != x ? 0 : INT32_MAX;
    return x <= -2147483649.0 ? INT32_MIN : (int32_t)x;
}

static inline int64_t ep_i64_of_f32(float x) { return ep_i64_of_f64((double)x); }
static inline int32_t ep_i32_of_f32(float x) { return ep_i32_of_f64((double)x); }
static inline int32_t ep_i32_of_i64(int64_t x) {
    const uint32_t low = (uint32_t)((uint64_t)x & 0xffffffffu);
    int32_t y;
    __builtin_memcpy(&y, &low, sizeof y);
    return y;
}

static inline int64_t ep_wrap_i64(uint64_t bits) {
    int64_t x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

static inline int32_t ep_wrap_i32(uint32_t bits) {
    int32_t x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
