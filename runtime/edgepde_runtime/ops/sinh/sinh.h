/* SPDX-License-Identifier: Apache-2.0 */
/* sinh(x) = 2 (m + m / (4 e)) with the sign of x, e = exp(|x|) / 4, m = e - 1/4; overflows no sooner than it. */
#ifndef EDGEPDE_SINH_H
#define EDGEPDE_SINH_H

#include "exponential.h"

static inline ep_f32 ep_sinh_f32(ep_f32 x) {
    ep_f32 a = ep_magnitude_f32(x), t = ep_lesser_f32(ep_set_f32(89.6f), a), rounded = ep_exp_rounded_f32(t);
    ep_f32 s = EP_AS_F32((EP_AS_U32(rounded) << 23) + ep_set_u32(0x3e800000u)), quarter = ep_set_f32(0.25f);
    ep_f32 p = ep_expm1_near_0_f32(ep_exp_rest_f32(t, rounded)), m = ep_fma_f32(s, p, s - quarter);
    ep_f32 y = ep_fma_f32(m / ep_fma_f32(s, p, s), quarter, m) * ep_set_f32(2.0f);
    y = ep_pick_f32(ep_less_f32(a, ep_set_f32(0x1p-13f)), a, y); /* sinh(x) rounds to x or next to it */
    return EP_AS_F32(EP_AS_U32(y) | ep_signbit_f32(x));
}

static inline ep_f64 ep_sinh_f64(ep_f64 x) {
    ep_f64 a = ep_magnitude_f64(x), t = ep_lesser_f64(ep_set_f64(710.6), a), rounded = ep_exp_rounded_f64(t);
    ep_f64 s = EP_AS_F64((EP_AS_U64(rounded) << 52) + ep_set_u64(0x3fd0000000000000u)), quarter = ep_set_f64(0.25);
    ep_f64 p = ep_expm1_near_0_f64(ep_exp_rest_f64(t, rounded)), m = ep_fma_f64(s, p, s - quarter);
    ep_f64 y = ep_fma_f64(m / ep_fma_f64(s, p, s), quarter, m) * ep_set_f64(2.0);
    y = ep_pick_f64(ep_less_f64(a, ep_set_f64(0x1p-28)), a, y); /* sinh(x) rounds to x or next to it */
    return EP_AS_F64(EP_AS_U64(y) | ep_signbit_f64(x));
}

#endif
