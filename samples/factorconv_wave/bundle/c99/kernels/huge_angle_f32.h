/* SPDX-License-Identifier: Apache-2.0 */
/* The remainder of a huge float by pi/2, in integers: as many bits of 2/pi as matter to it. */
#ifndef EDGEPDE_HUGE_ANGLE_F32_H
#define EDGEPDE_HUGE_ANGLE_F32_H

#include "lanes.h"

/* x = n pi/2 + r for 2^17 <= x: x 2/pi modulo 4 to 62 bits behind the point. NaN for NaN and infinity. */
static inline uint32_t ep_huge_angle_f32(float x, float *r) {
    static const uint32_t two_over_pi[8] = {0,           0xa2f9836eu, 0x4e441529u, 0xfc2757d1u,
                                            0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};
    uint32_t bits = ep_bits_f32(x), mantissa = (bits & 0x7fffffu) | 0x800000u, start, words[3], quadrant, negative, k;
    uint64_t turns, part;
    if (bits >= 0x7f800000u) {
        *r = ep_from_bits_f32(0x7fc00000u);
        return 0;
    }
    start = (bits >> 23) - (150u - 30u); /* bits of 2/pi before this one make multiples of 4 */
    for (k = 0; k < 3; k++) {
        part = (uint64_t)two_over_pi[start / 32 + k] << 32 | two_over_pi[start / 32 + k + 1];
        words[k] = (uint32_t)(part << start % 32 >> 32);
    }
    turns = ((uint64_t)(mantissa * words[0]) << 32) + (uint64_t)mantissa * words[1];
    turns += (uint64_t)mantissa * words[2] >> 32;
    quadrant = (uint32_t)((turns + ((uint64_t)1 << 61)) >> 62);
    turns <<= 2;
    negative = (uint32_t)(turns >> 63);
    if (negative) turns = 0 - turns;
    for (k = 0; !(turns >> 63); k++) turns <<= 1;
    part = (turns >> 32) * 0xc90fdaa2u >> 32; /* pi/2 as 31 bits behind the point */
    *r = (float)(uint32_t)part * ep_from_bits_f32((127u - 31u - k) << 23);
    if (negative) *r = -*r;
    return quadrant;
}

/* Lanes that are not below the limit, one after the other. */
static inline void ep_quadrant_of_huge_f32(ep_f32 x, float limit, ep_u32 *quadrant, ep_f32 *r) {
    float of[EP_WIDTH_F32], rest[EP_WIDTH_F32];
    uint32_t in[EP_WIDTH_F32];
    size_t i;
    ep_store_f32(of, x);
    ep_store_f32(rest, *r);
    __builtin_memcpy(in, quadrant, sizeof in);
    for (i = 0; i < EP_WIDTH_F32; i++) {
        if (!(of[i] <= limit)) in[i] = ep_huge_angle_f32(of[i], &rest[i]);
    }
    __builtin_memcpy(quadrant, in, sizeof in);
    *r = ep_load_f32(rest);
}

#endif
