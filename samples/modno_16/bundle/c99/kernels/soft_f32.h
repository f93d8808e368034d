/* SPDX-License-Identifier: Apache-2.0 */
/* fma and square root in float for processors without the instructions, correctly rounded. */
#ifndef EDGEPDE_SOFT_F32_H
#define EDGEPDE_SOFT_F32_H

/* a b is exact in double; rounding the sum there to odd leaves one rounding that counts, the last. */
static inline float ep_fma1_f32(float a, float b, float c) {
    double product = (double)a * (double)b, addend = (double)c;
    double sum = product + addend, rest = sum - product;
    double error = (product - (sum - rest)) + (addend - rest);
    uint64_t bits = ep_bits_f64(sum);
    if ((error < 0.0 || error > 0.0) && !(bits & 1)) {
        sum = ep_from_bits_f64((error > 0.0) == (sum > 0.0) ? bits + 1 : bits - 1);
    }
    return (float)sum;
}

/* The root bit by bit and one bit more, which decides the rounding: no root lies half way. */
static inline float ep_sqrt1_f32(float x) {
    uint32_t bits = ep_bits_f32(x), rest = bits & 0x7fffffu, exponent = (bits >> 23) + 127u;
    uint32_t root = 0, twice = 0, bit;
    if (!(x > 0.0f)) return x == 0.0f ? x : ep_from_bits_f32(0x7fc00000u);
    if (bits == 0x7f800000u) return x;
    if (exponent > 127u) {
        rest |= 0x800000u;
    } else {
        for (exponent = 128u; !(rest & 0x800000u); exponent--) rest <<= 1;
    }
    rest <<= 1 + (exponent & 1);
    for (bit = 1u << 24; bit; bit >>= 1) {
        if (twice + bit <= rest) {
            rest -= twice + bit;
            twice += 2 * bit;
            root += bit;
        }
        rest <<= 1;
    }
    return ep_from_bits_f32(((exponent >> 1) << 23) + (((root + (root & 1)) >> 1) - 0x800000u));
}

#endif
