/* SPDX-License-Identifier: Apache-2.0 */
/* The remainder of a huge double by pi/2, in integers: as many bits of 2/pi as matter to it. */
#ifndef EDGEPDE_HUGE_ANGLE_F64_H
#define EDGEPDE_HUGE_ANGLE_F64_H

#include "lanes.h"
#include "wide.h"

/* Bits of 2/pi from the given one on; 32 zeros lead. */
static inline uint64_t ep_two_over_pi_u64(uint32_t start) {
    static const uint32_t two_over_pi[40] = {
        0,           0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu,
        0xdebbc561u, 0xb7246e3au, 0x424dd2e0u, 0x06492eeau, 0x09d1921cu, 0xfe1deb1cu, 0xb129a73eu, 0xe88235f5u,
        0x2ebb4484u, 0xe99c7026u, 0xb45f7e41u, 0x3991d639u, 0x835339f4u, 0x9c845f8bu, 0xbdf9283bu, 0x1ff897ffu,
        0xde05980fu, 0xef2f118bu, 0x5a0a6d1fu, 0x6d367ecfu, 0x27cb09b7u, 0x4f463f66u, 0x9e5fea2du, 0x7527bac7u,
        0xebe5f17bu, 0x3d0739f7u, 0x8a5292eau, 0x6bfb5fb1u, 0x1f8d5d08u, 0x56033046u, 0xfc7b6babu, 0xf0cfbc20u};
    const uint32_t *word = two_over_pi + start / 32;
    uint64_t high = (uint64_t)word[0] << 32 | word[1];
    return high << start % 32 | ((uint64_t)word[2] << start % 32 >> 32);
}

/* x = n pi/2 + r for 2^27 <= x: x 2/pi modulo 4 to 126 bits behind the point. NaN for NaN and infinity. */
static inline uint64_t ep_huge_angle_f64(double x, double *r) {
    uint64_t bits = ep_bits_f64(x), mantissa = (bits & 0xfffffffffffffu) | (uint64_t)1 << 52, quadrant, negative, k;
    uint32_t start = (uint32_t)(bits >> 52) - (1075u - 30u);
    ep_u128 turns, low;
    if (bits >= 0x7ff0000000000000u) {
        *r = ep_from_bits_f64(0x7ff8000000000000u);
        return 0;
    }
    turns = ep_mul_u64(mantissa, ep_two_over_pi_u64(start + 64));
    turns.high += mantissa * ep_two_over_pi_u64(start);
    low.high = 0;
    low.low = ep_mul_u64(mantissa, ep_two_over_pi_u64(start + 128)).high;
    turns = ep_add_u128(turns, low);
    quadrant = (turns.high + ((uint64_t)1 << 61)) >> 62;
    turns = ep_add_u128(turns, turns);
    turns = ep_add_u128(turns, turns);
    negative = turns.high >> 63;
    low.high = low.low = 0;
    if (negative) turns = ep_sub_u128(low, turns);
    for (k = 0; !(turns.high >> 63); k++) turns = ep_add_u128(turns, turns);
    bits = ep_mul_u64(turns.high, 0xc90fdaa22168c235u).high >> 1; /* pi/2 as 63 bits behind the point */
    *r = (double)(int64_t)(bits | (turns.low != 0)) * ep_from_bits_f64((1023u - 62u - k) << 52);
    if (negative) *r = -*r;
    return quadrant;
}

/* Lanes that are not below the limit, one after the other. */
static inline void ep_quadrant_of_huge_f64(ep_f64 x, double limit, ep_u64 *quadrant, ep_f64 *r) {
    double of[EP_WIDTH_F64], rest[EP_WIDTH_F64];
    uint64_t in[EP_WIDTH_F64];
    size_t i;
    ep_store_f64(of, x);
    ep_store_f64(rest, *r);
    __builtin_memcpy(in, quadrant, sizeof in);
    for (i = 0; i < EP_WIDTH_F64; i++) {
        if (!(of[i] <= limit)) in[i] = ep_huge_angle_f64(of[i], &rest[i]);
    }
    __builtin_memcpy(quadrant, in, sizeof in);
    *r = ep_load_f64(rest);
}

#endif
