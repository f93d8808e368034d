/* SPDX-License-Identifier: Apache-2.0 */
/* tanh(x) = (1 - e) / (1 + e) with the sign of x, e = exp(2 t), t = -|x|, without a branch and with one division.
 * e = 2^k (1 + 2 p), s = 2^(k + 1), p = (exp(2 r) - 1) / 2 = r + r^2 q(r), |r| <= ln(2)/4 (1 + 2^-11); the polynomial
 * is off by less than 1.4e-8 |r| in float, 2.0e-17 |r| in double.
 */
#ifndef EDGEPDE_TANH_H
#define EDGEPDE_TANH_H

#include "exponential.h"

static inline ep_f32 ep_tanh_f32(ep_f32 x) {
    /* tanh(9.02) rounds to 1 */
    ep_f32 t = ep_larger_f32(ep_set_f32(-9.02f), EP_AS_F32(EP_AS_U32(x) | ep_set_u32(0x80000000u)));
    ep_f32 rounder = ep_set_f32(EP_ROUNDER_F32), half = ep_set_f32(0.5f), one = ep_set_f32(1.0f);
    ep_f32 rounded = ep_fma_f32(t, ep_set_f32(0x1.715476p+1f), rounder);
    ep_f32 r = ep_fma_f32(rounded - rounder, ep_set_f32(-0x1.62e43p-2f), t);
    ep_f32 s = EP_AS_F32((EP_AS_U32(rounded) << 23) + ep_set_u32(0x40000000u));
    ep_f32 p, q = ep_set_f32(0x1.6cd71ep-5f);
    q = ep_fma_f32(q, r, ep_set_f32(0x1.122c56p-3f));
    q = ep_fma_f32(q, r, ep_set_f32(0x1.555538p-2f));
    q = ep_fma_f32(q, r, ep_set_f32(0x1.5554aap-1f));
    q = ep_fma_f32(q, r, ep_set_f32(0x1p+0f));
    p = ep_fma_f32(r * r, q, r);
    p = ep_fma_f32(-s, p, ep_fma_f32(-s, half, one)) / ep_fma_f32(s, p, ep_fma_f32(s, half, one));
    return EP_AS_F32(EP_AS_U32(p) | ep_signbit_f32(x));
}

static inline ep_f64 ep_tanh_f64(ep_f64 x) {
    /* tanh(19.1) rounds to 1 */
    ep_f64 t = ep_larger_f64(ep_set_f64(-19.1), EP_AS_F64(EP_AS_U64(x) | ep_set_u64(0x8000000000000000u)));
    ep_f64 rounder = ep_set_f64(EP_ROUNDER_F64), half = ep_set_f64(0.5), one = ep_set_f64(1.0);
    ep_f64 rounded = ep_fma_f64(t, ep_set_f64(0x1.71547652b82fep+1), rounder);
    ep_f64 r = ep_fma_f64(rounded - rounder, ep_set_f64(-0x1.62e42fefa39efp-2), t);
    ep_f64 s = EP_AS_F64((EP_AS_U64(rounded) << 52) + ep_set_u64(0x4000000000000000u));
    ep_f64 p, q = ep_set_f64(0x1.af76f843d2e95p-16);
    q = ep_fma_f64(q, r, ep_set_f64(0x1.28a2d201b2759p-13));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.71dde9da9d999p-11));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.a019a660d00e2p-9));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.a01a01b5e8819p-7));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.6c16c17f43248p-5));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.111111110e6aep-3));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.55555555520c9p-2));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.555555555555cp-1));
    q = ep_fma_f64(q, r, ep_set_f64(0x1.0000000000005p+0));
    p = ep_fma_f64(r * r, q, r);
    p = ep_fma_f64(-s, p, ep_fma_f64(-s, half, one)) / ep_fma_f64(s, p, ep_fma_f64(s, half, one));
    return EP_AS_F64(EP_AS_U64(p) | ep_signbit_f64(x));
}

#endif
