/* SPDX-License-Identifier: Apache-2.0 */
/* cosh(x) = 2 (e + 1 / (16 e)), e = exp(|x|) / 4, which overflows as late as it. */
#ifndef EDGEPDE_COSH_H
#define EDGEPDE_COSH_H

#include "exponential.h"

static inline ep_f32 ep_cosh_f32(ep_f32 x) {
    ep_f32 t = ep_lesser_f32(ep_set_f32(89.6f), ep_magnitude_f32(x)), rounded = ep_exp_rounded_f32(t);
    ep_f32 s = EP_AS_F32((EP_AS_U32(rounded) << 23) + ep_set_u32(0x3e800000u));
    ep_f32 quarter = ep_fma_f32(s, ep_expm1_near_0_f32(ep_exp_rest_f32(t, rounded)), s);
    return (quarter + ep_set_f32(0.0625f) / quarter) * ep_set_f32(2.0f);
}

static inline ep_f64 ep_cosh_f64(ep_f64 x) {
    ep_f64 t = ep_lesser_f64(ep_set_f64(710.6), ep_magnitude_f64(x)), rounded = ep_exp_rounded_f64(t);
    ep_f64 s = EP_AS_F64((EP_AS_U64(rounded) << 52) + ep_set_u64(0x3fd0000000000000u));
    ep_f64 quarter = ep_fma_f64(s, ep_expm1_near_0_f64(ep_exp_rest_f64(t, rounded)), s);
    return (quarter + ep_set_f64(0.0625) / quarter) * ep_set_f64(2.0);
}

#endif
