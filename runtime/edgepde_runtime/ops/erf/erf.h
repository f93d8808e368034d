/* SPDX-License-Identifier: Apache-2.0 */
/* erf(x) with the sign of x: x + x P(x^2) for |x| <= 1, P off by less than 1.5e-9 in float and 1.4e-17 in double;
 * else 1 - exp(-x^2) Q(u) / (|x| + c), u = (|x| - c) / (|x| + c), c = 2 in float and 2.5 in double, this
 * off by less than 1.5428e-9 in float and 4.2624e-19 in double.
 */
#ifndef EDGEPDE_ERF_H
#define EDGEPDE_ERF_H

#include "exponential.h"

static inline ep_f32 ep_erf_f32(ep_f32 x) {
    ep_f32 a = ep_lesser_f32(ep_set_f32(4.0f), ep_magnitude_f32(x)); /* erf(4) rounds to 1 */
    ep_f32 one = ep_set_f32(1.0f), minus = ep_set_f32(-1.0f), square = a * a, t = a * (minus * a);
    ep_f32 rounded = ep_exp_rounded_f32(t), d = minus / (a + ep_set_f32(2.0f));
    ep_f32 u = ep_fma_f32(d, ep_set_f32(4.0f), one);
    ep_f32 s = EP_AS_F32((EP_AS_U32(rounded) << 23) + ep_set_u32(0x3f800000u));
    ep_f32 e = ep_fma_f32(s, ep_expm1_near_0_f32(ep_exp_rest_f32(t, rounded)), s);
    ep_f32 p = ep_set_f32(0x1.4771fcp-14f), q = ep_set_f32(-0x1.a258fp-6f);
    p = ep_fma_f32(p, square, ep_set_f32(-0x1.a3515ep-11f));
    p = ep_fma_f32(p, square, ep_set_f32(0x1.53f224p-8f));
    p = ep_fma_f32(p, square, ep_set_f32(-0x1.b7f71ap-6f));
    p = ep_fma_f32(p, square, ep_set_f32(0x1.ce2ce6p-4f));
    p = ep_fma_f32(p, square, ep_set_f32(-0x1.81273ep-2f));
    p = ep_fma_f32(p, square, ep_set_f32(0x1.06eba8p-3f));
    q = ep_fma_f32(q, u, ep_set_f32(-0x1.33138p-5f));
    q = ep_fma_f32(q, u, ep_set_f32(0x1.1e1298p-2f));
    q = ep_fma_f32(q, u, ep_set_f32(-0x1.5fd39ep-1f));
    q = ep_fma_f32(q, u, ep_set_f32(0x1.058676p+0f));
    p = ep_pick_f32(ep_less_f32(one, a), ep_fma_f32(e, q * d, one), ep_fma_f32(a, p, a));
    return EP_AS_F32(EP_AS_U32(p) | ep_signbit_f32(x));
}

static inline ep_f64 ep_erf_f64(ep_f64 x) {
    ep_f64 a = ep_lesser_f64(ep_set_f64(6.0), ep_magnitude_f64(x)); /* erf(6) rounds to 1 */
    ep_f64 one = ep_set_f64(1.0), minus = ep_set_f64(-1.0), square = a * a, t = a * (minus * a);
    ep_f64 rounded = ep_exp_rounded_f64(t), d = minus / (a + ep_set_f64(2.5));
    ep_f64 u = ep_fma_f64(d, ep_set_f64(5.0), one);
    ep_f64 s = EP_AS_F64((EP_AS_U64(rounded) << 52) + ep_set_u64(0x3ff0000000000000u));
    ep_f64 e = ep_fma_f64(s, ep_expm1_near_0_f64(ep_exp_rest_f64(t, rounded)), s);
    ep_f64 p = ep_set_f64(-0x1.b17a0f1e966dcp-31), q = ep_set_f64(-0x1.3e1b62653911cp-15);
    p = ep_fma_f64(p, square, ep_set_f64(0x1.d904be45747adp-27));
    p = ep_fma_f64(p, square, ep_set_f64(-0x1.5c4bf3571dd2dp-23));
    p = ep_fma_f64(p, square, ep_set_f64(0x1.b98a8554a380bp-20));
    p = ep_fma_f64(p, square, ep_set_f64(-0x1.f4cb4cce7a779p-17));
    p = ep_fma_f64(p, square, ep_set_f64(0x1.f9a2c917643bdp-14));
    p = ep_fma_f64(p, square, ep_set_f64(-0x1.c02db0b5274afp-11));
    p = ep_fma_f64(p, square, ep_set_f64(0x1.565bccfaecdbep-8));
    p = ep_fma_f64(p, square, ep_set_f64(-0x1.b82ce311f8eb5p-6));
    p = ep_fma_f64(p, square, ep_set_f64(0x1.ce2f21a04074ap-4));
    p = ep_fma_f64(p, square, ep_set_f64(-0x1.812746b0379a9p-2));
    p = ep_fma_f64(p, square, ep_set_f64(0x1.06eba8214db68p-3));
    q = ep_fma_f64(q, u, ep_set_f64(-0x1.00c70c9e5571ap-13));
    q = ep_fma_f64(q, u, ep_set_f64(0x1.d1387150c0aedp-15));
    q = ep_fma_f64(q, u, ep_set_f64(0x1.703f4846a9338p-11));
    q = ep_fma_f64(q, u, ep_set_f64(-0x1.cc7c30271cbe6p-12));
    q = ep_fma_f64(q, u, ep_set_f64(-0x1.3bcd6b2ab92d9p-8));
    q = ep_fma_f64(q, u, ep_set_f64(0x1.1305faf9de03p-7));
    q = ep_fma_f64(q, u, ep_set_f64(0x1.d0acf69014494p-6));
    q = ep_fma_f64(q, u, ep_set_f64(-0x1.5eb8eba2ac339p-3));
    q = ep_fma_f64(q, u, ep_set_f64(0x1.d0cedcb8c2c5cp-2));
    q = ep_fma_f64(q, u, ep_set_f64(-0x1.9bfb53c4039fp-1));
    q = ep_fma_f64(q, u, ep_set_f64(0x1.0dd50785280a9p+0));
    p = ep_pick_f64(ep_less_f64(one, a), ep_fma_f64(e, q * d, one), ep_fma_f64(a, p, a));
    return EP_AS_F64(EP_AS_U64(p) | ep_signbit_f64(x));
}

#endif
