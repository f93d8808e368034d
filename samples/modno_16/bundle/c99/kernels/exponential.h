/* SPDX-License-Identifier: Apache-2.0 */
/* exp(t) = 2^k (1 + p), p = exp(r) - 1, |r| <= ln(2)/2 (1 + 2^-11); k by the carry into 1.5 2^23 or 1.5 2^52. */
#ifndef EDGEPDE_EXPONENTIAL_H
#define EDGEPDE_EXPONENTIAL_H

#include "lanes.h"

#define EP_ROUNDER_F32 12582912.0f
#define EP_ROUNDER_F64 6755399441055744.0

/* q(r) in exp(r) = 1 + r + r^2 q(r); r^2 q is off by less than 1.4e-8 |r| in float, 2.0e-17 |r| in double. */
static inline ep_f32 ep_exp_second_f32(ep_f32 r) {
    ep_f32 q = ep_set_f32(0x1.6cd71ep-10f);
    q = ep_fma_f32(q, r, ep_set_f32(0x1.122c56p-7f));
    q = ep_fma_f32(q, r, ep_set_f32(0x1.555538p-5f));
    q = ep_fma_f32(q, r, ep_set_f32(0x1.5554aap-3f));
    return ep_fma_f32(q, r, ep_set_f32(0.5f));
}

static inline ep_f64 ep_exp_second_f64(ep_f64 r) {
    ep_f64 q = ep_set_f64(0x1.af76f843d2e95p-26);
    q = ep_fma_f64(q, r, ep_set_f64(0x1.28a2d201b2759p-22));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.71dde9da9d999p-19));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.a019a660d00e2p-16));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.a01a01b5e8819p-13));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.6c16c17f43248p-10));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.111111110e6aep-7));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.55555555520c9p-5));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.555555555555cp-3));
    return ep_fma_f64(q, r, ep_set_f64(0x1.0000000000005p-1));
}

static inline ep_f32 ep_expm1_near_0_f32(ep_f32 r) { return ep_fma_f32(r * r, ep_exp_second_f32(r), r); }
static inline ep_f64 ep_expm1_near_0_f64(ep_f64 r) { return ep_fma_f64(r * r, ep_exp_second_f64(r), r); }

/* 1.5 2^23 + k (1.5 2^52 + k), k the integer nearest t / ln(2): its last bits are those of k. */
static inline ep_f32 ep_exp_rounded_f32(ep_f32 t) {
    return ep_fma_f32(t, ep_set_f32(0x1.715476p+0f), ep_set_f32(EP_ROUNDER_F32));
}

static inline ep_f64 ep_exp_rounded_f64(ep_f64 t) {
    return ep_fma_f64(t, ep_set_f64(0x1.71547652b82fep+0), ep_set_f64(EP_ROUNDER_F64));
}

/* t - k ln(2) */
static inline ep_f32 ep_exp_rest_f32(ep_f32 t, ep_f32 rounded) {
    ep_f32 k = rounded - ep_set_f32(EP_ROUNDER_F32);
    return ep_fma_f32(k, ep_set_f32(0x1.05c61p-29f), ep_fma_f32(k, ep_set_f32(-0x1.62e43p-1f), t));
}

static inline ep_f64 ep_exp_rest_f64(ep_f64 t, ep_f64 rounded) {
    ep_f64 k = rounded - ep_set_f64(EP_ROUNDER_F64);
    return ep_fma_f64(k, ep_set_f64(-0x1.abc9e3b39803fp-56), ep_fma_f64(k, ep_set_f64(-0x1.62e42fefa39efp-1), t));
}

/* 2^k exp(r) for |k| <= 255 (2047) as a product: a first factor in range, and a power of two that is left to do. */
static inline ep_f32 ep_exp_halved_f32(ep_f32 r, ep_f32 rounded, ep_f32 *left) {
    ep_f32 y = ep_expm1_near_0_f32(r) + ep_set_f32(1.0f);
    ep_u32 whole = EP_AS_U32(rounded) - ep_set_u32(0x4b3fff00u), half = whole >> 1;
    *left = EP_AS_F32((whole - half - ep_set_u32(1u)) << 23);
    return y * EP_AS_F32((half - ep_set_u32(1u)) << 23);
}

static inline ep_f64 ep_exp_halved_f64(ep_f64 r, ep_f64 rounded, ep_f64 *left) {
    ep_f64 y = ep_expm1_near_0_f64(r) + ep_set_f64(1.0);
    ep_u64 whole = EP_AS_U64(rounded) - ep_set_u64(0x4337fffffffff800u), half = whole >> 1;
    *left = EP_AS_F64((whole - half - ep_set_u64(1u)) << 52);
    return y * EP_AS_F64((half - ep_set_u64(1u)) << 52);
}

/* The product rounds once, where it is denormal. */
static inline ep_f32 ep_exp_scaled_f32(ep_f32 r, ep_f32 rounded) {
    ep_f32 left, y = ep_exp_halved_f32(r, rounded, &left);
    return y * left;
}

static inline ep_f64 ep_exp_scaled_f64(ep_f64 r, ep_f64 rounded) {
    ep_f64 left, y = ep_exp_halved_f64(r, rounded, &left);
    return y * left;
}

/* exp(x) - 1 for x <= 0; it rounds to -1 below -17.5 (-38). */
static inline ep_f32 ep_expm1_below_0_f32(ep_f32 x) {
    ep_f32 t = ep_larger_f32(ep_set_f32(-17.5f), x), rounded = ep_exp_rounded_f32(t);
    ep_f32 s = EP_AS_F32((EP_AS_U32(rounded) << 23) + ep_set_u32(0x3f800000u));
    return ep_fma_f32(s, ep_expm1_near_0_f32(ep_exp_rest_f32(t, rounded)), s - ep_set_f32(1.0f));
}

static inline ep_f64 ep_expm1_below_0_f64(ep_f64 x) {
    ep_f64 t = ep_larger_f64(ep_set_f64(-38.0), x), rounded = ep_exp_rounded_f64(t);
    ep_f64 s = EP_AS_F64((EP_AS_U64(rounded) << 52) + ep_set_u64(0x3ff0000000000000u));
    return ep_fma_f64(s, ep_expm1_near_0_f64(ep_exp_rest_f64(t, rounded)), s - ep_set_f64(1.0));
}

#endif
