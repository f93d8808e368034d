/* SPDX-License-Identifier: Apache-2.0 */
/* fma and square root in double for processors without the instructions, correctly rounded, in integers. */
#ifndef EDGEPDE_SOFT_F64_H
#define EDGEPDE_SOFT_F64_H

#include "wide.h"

#define EP_EXPONENT_F64 0x7ff0000000000000u
#define EP_SIGN_F64 0x8000000000000000u

/* A finite number as mantissa 2^(exponent - 1075); bit 52 of the mantissa is set unless it is 0. */
static inline uint64_t ep_unpack_f64(double x, int *exponent) {
    uint64_t bits = ep_bits_f64(x), mantissa = bits & 0xfffffffffffffu;
    *exponent = (int)(bits >> 52 & 0x7ffu);
    if (*exponent) return mantissa | (uint64_t)1 << 52;
    for (*exponent = 1; mantissa && !(mantissa >> 52); *exponent -= 1) mantissa <<= 1;
    return mantissa;
}

/* mantissa 2^(exponent - 1085) rounded to nearest even; bit 62 of the mantissa is set, bit 0 also stands for a rest. */
static inline double ep_rounded_f64(uint64_t sign, uint64_t mantissa, int exponent) {
    int shift = exponent < 1 ? 11 - exponent : 10;
    uint64_t half, rest;
    if (exponent > 2046) return ep_from_bits_f64(sign | EP_EXPONENT_F64);
    if (shift > 63) return ep_from_bits_f64(sign);
    half = (uint64_t)1 << (shift - 1);
    rest = mantissa & (2 * half - 1);
    mantissa >>= shift;
    mantissa += rest > half || (rest == half && (mantissa & 1));
    if (exponent > 1) mantissa += (uint64_t)(exponent - 1) << 52;
    return ep_from_bits_f64(sign | mantissa);
}

/* a b + c where a, b, c are finite and a b is not 0, in 128 bits: c leads at bit 124, a b there or above. */
static inline double ep_fma_finite_f64(double a, double b, double c) {
    int ea, eb, ec, distance;
    uint64_t sign = (ep_bits_f64(a) ^ ep_bits_f64(b)) & EP_SIGN_F64, sign_c = ep_bits_f64(c) & EP_SIGN_F64;
    uint64_t ma = ep_unpack_f64(a, &ea), mb = ep_unpack_f64(b, &eb);
    ep_u128 sum = ep_mul_u64(ma << 10, mb << 10), addend = {ep_unpack_f64(c, &ec) << 8, 0};
    ea += eb + 64 - 2170;
    distance = ec + 64 - 1147 - ea;
    if (distance > 0) {
        sum = ep_shift_right_u128(sum, (unsigned)distance);
        ea += distance;
    } else {
        addend = ep_shift_right_u128(addend, (unsigned)-distance);
    }
    if (sign == sign_c) {
        sum = ep_add_u128(sum, addend);
    } else if (ep_below_u128(sum, addend)) {
        sum = ep_sub_u128(addend, sum);
        sign = sign_c;
    } else {
        sum = ep_sub_u128(sum, addend);
    }
    if (!(sum.high | sum.low)) return 0.0;
    for (; !(sum.high >> 62); ea--) sum = ep_add_u128(sum, sum);
    return ep_rounded_f64(sign, sum.high | (sum.low != 0), ea + 1085);
}

static inline double ep_fma1_f64(double a, double b, double c) {
    if ((ep_bits_f64(c) & EP_EXPONENT_F64) == EP_EXPONENT_F64 && a - a == 0.0 && b - b == 0.0) return c;
    if (c - c != 0.0 || a - a != 0.0 || b - b != 0.0 || a == 0.0 || b == 0.0) return a * b + c;
    return ep_fma_finite_f64(a, b, c);
}

/* The root bit by bit and one bit more, which decides the rounding: no root lies half way. */
static inline double ep_sqrt1_f64(double x) {
    uint64_t rest, root = 0, twice = 0, bit;
    int exponent;
    if (!(x > 0.0)) return x == 0.0 ? x : ep_from_bits_f64(EP_EXPONENT_F64 | (uint64_t)1 << 51);
    if (ep_bits_f64(x) == EP_EXPONENT_F64) return x;
    rest = ep_unpack_f64(x, &exponent);
    exponent += 1023;
    rest <<= 1 + (exponent & 1);
    for (bit = (uint64_t)1 << 53; bit; bit >>= 1) {
        if (twice + bit <= rest) {
            rest -= twice + bit;
            twice += 2 * bit;
            root += bit;
        }
        rest <<= 1;
    }
    root = (root + (root & 1)) >> 1;
    return ep_from_bits_f64(((uint64_t)(exponent >> 1) << 52) + (root - ((uint64_t)1 << 52)));
}

#endif
