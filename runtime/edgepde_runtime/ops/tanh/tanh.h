/* tanh(x) = (1 - s) / (1 + s) with the sign of x, s = exp(-2 |x|) = 2^k (1 + p); one division, no branch. */
#ifndef EDGEPDE_TANH_H
#define EDGEPDE_TANH_H

#include "exponential.h"

static inline ep_f32 ep_tanh_f32(ep_f32 x) {
    ep_f32 t = ep_lesser_f32(ep_set_f32(9.02f), ep_magnitude_f32(x)) * ep_set_f32(-2.0f); /* tanh(9.02) rounds to 1 */
    ep_f32 rounded = ep_exp_rounded_f32(t), one = ep_set_f32(1.0f);
    ep_f32 r = ep_fma_f32(rounded - ep_set_f32(EP_ROUNDER_F32), ep_set_f32(-0x1.62e43p-1f), t);
    ep_f32 p = ep_expm1_near_0_f32(r);
    ep_f32 s = EP_AS_F32((EP_AS_U32(rounded) << 23) + ep_set_u32(0x3f800000u));
    ep_f32 y = ep_fma_f32(s, p, s - one) / ep_fma_f32(s, p, s + one);
    return EP_AS_F32(EP_AS_U32(ep_magnitude_f32(y)) | ep_signbit_f32(x));
}

static inline ep_f64 ep_tanh_f64(ep_f64 x) {
    ep_f64 t = ep_lesser_f64(ep_set_f64(19.1), ep_magnitude_f64(x)) * ep_set_f64(-2.0); /* tanh(19.1) rounds to 1 */
    ep_f64 rounded = ep_exp_rounded_f64(t), one = ep_set_f64(1.0);
    ep_f64 r = ep_fma_f64(rounded - ep_set_f64(EP_ROUNDER_F64), ep_set_f64(-0x1.62e42fefa39efp-1), t);
    ep_f64 p = ep_expm1_near_0_f64(r);
    ep_f64 s = EP_AS_F64((EP_AS_U64(rounded) << 52) + ep_set_u64(0x3ff0000000000000u));
    ep_f64 y = ep_fma_f64(s, p, s - one) / ep_fma_f64(s, p, s + one);
    return EP_AS_F64(EP_AS_U64(ep_magnitude_f64(y)) | ep_signbit_f64(x));
}

#endif
