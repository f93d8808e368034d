/* SPDX-License-Identifier: Apache-2.0 */
/* |x| = n pi/2 + r with |r| <= pi/4 (1 + 1/100), and sine and cosine of r. */
#ifndef EDGEPDE_TRIGONOMETRIC_H
#define EDGEPDE_TRIGONOMETRIC_H

#include "huge_angle_f32.h"
#include "huge_angle_f64.h"

/* Below these pi/2 in three parts is exact enough: n has at most 17 (27) bits, the first product none too many. */
#define EP_MODERATE_F32 0x1p17f
#define EP_MODERATE_F64 0x1p27

/* sin(r) = r + r^3 S(r^2); the polynomial is off by less than 4.1e-9 |r| in float, 4.1e-18 |r| in double. */
static inline ep_f32 ep_sin_near_0_f32(ep_f32 r) {
    ep_f32 z = r * r, s = ep_set_f32(-0x1.9916a8p-13f);
    s = ep_fma_f32(s, z, ep_set_f32(0x1.1106bcp-7f));
    s = ep_fma_f32(s, z, ep_set_f32(-0x1.555544p-3f));
    return ep_fma_f32(r * z, s, r);
}

static inline ep_f64 ep_sin_near_0_f64(ep_f64 r) {
    ep_f64 z = r * r, s = ep_set_f64(0x1.5d7dc85f4b7c3p-33);
    s = ep_fma_f64(s, z, ep_set_f64(-0x1.ae5e1ea31a405p-26));
    s = ep_fma_f64(s, z, ep_set_f64(0x1.71de351e9a266p-19));
    s = ep_fma_f64(s, z, ep_set_f64(-0x1.a01a019bade66p-13));
    s = ep_fma_f64(s, z, ep_set_f64(0x1.111111110f579p-7));
    s = ep_fma_f64(s, z, ep_set_f64(-0x1.5555555555547p-3));
    return ep_fma_f64(r * z, s, r);
}

/* cos(r) = 1 - r^2 / 2 + r^4 C(r^2); the polynomial is off by less than 1.1e-10 in float, 6.3e-20 in double. */
static inline ep_f32 ep_cos_near_0_f32(ep_f32 r) {
    ep_f32 z = r * r, c = ep_set_f32(0x1.99e0eep-16f);
    c = ep_fma_f32(c, z, ep_set_f32(-0x1.6c0c1ap-10f));
    c = ep_fma_f32(c, z, ep_set_f32(0x1.55554ap-5f));
    return ep_fma_f32(z * z, c, ep_fma_f32(z, ep_set_f32(-0.5f), ep_set_f32(1.0f)));
}

static inline ep_f64 ep_cos_near_0_f64(ep_f64 r) {
    ep_f64 z = r * r, c = ep_set_f64(-0x1.8faba84276482p-37);
    c = ep_fma_f64(c, z, ep_set_f64(0x1.1ee9eae45b1fap-29));
    c = ep_fma_f64(c, z, ep_set_f64(-0x1.27e4f810eb7d2p-22));
    c = ep_fma_f64(c, z, ep_set_f64(0x1.a01a019cca584p-16));
    c = ep_fma_f64(c, z, ep_set_f64(-0x1.6c16c16c15346p-10));
    c = ep_fma_f64(c, z, ep_set_f64(0x1.555555555554dp-5));
    return ep_fma_f64(z * z, c, ep_fma_f64(z, ep_set_f64(-0.5), ep_set_f64(1.0)));
}

/* n modulo 4 is in the last two bits of the result; NaN where x is NaN or infinite. */
static inline ep_u32 ep_quadrant_f32(ep_f32 magnitude, ep_f32 *r) {
    ep_f32 rounded = ep_fma_f32(magnitude, ep_set_f32(0x1.45f306p-1f), ep_set_f32(12582912.0f));
    ep_f32 n = rounded - ep_set_f32(12582912.0f);
    ep_f32 rest = ep_fma_f32(n, ep_set_f32(-0x1.921fb6p+0f), magnitude);
    ep_u32 quadrant = EP_AS_U32(rounded);
    rest = ep_fma_f32(n, ep_set_f32(0x1.777a5cp-25f), rest);
    *r = ep_fma_f32(n, ep_set_f32(0x1.ee59dap-50f), rest);
    if (ep_any_u32(~EP_MASK_U32(magnitude <= ep_set_f32(EP_MODERATE_F32)))) {
        ep_quadrant_of_huge_f32(magnitude, EP_MODERATE_F32, &quadrant, r);
    }
    return quadrant;
}

static inline ep_u64 ep_quadrant_f64(ep_f64 magnitude, ep_f64 *r) {
    ep_f64 rounded = ep_fma_f64(magnitude, ep_set_f64(0x1.45f306dc9c883p-1), ep_set_f64(6755399441055744.0));
    ep_f64 n = rounded - ep_set_f64(6755399441055744.0);
    ep_f64 rest = ep_fma_f64(n, ep_set_f64(-0x1.921fb54442d18p+0), magnitude);
    ep_u64 quadrant = EP_AS_U64(rounded);
    rest = ep_fma_f64(n, ep_set_f64(-0x1.1a62633145c07p-54), rest);
    *r = ep_fma_f64(n, ep_set_f64(0x1.f1976b7ed8fbcp-110), rest);
    if (ep_any_u64(~EP_MASK_U64(magnitude <= ep_set_f64(EP_MODERATE_F64)))) {
        ep_quadrant_of_huge_f64(magnitude, EP_MODERATE_F64, &quadrant, r);
    }
    return quadrant;
}

/* sin(n pi/2 + r) */
static inline ep_f32 ep_sin_in_quadrant_f32(ep_u32 n, ep_f32 r) {
    ep_u32 odd = ep_set_u32(0) - (n & ep_set_u32(1u));
    ep_f32 y = ep_pick_f32(odd, ep_cos_near_0_f32(r), ep_sin_near_0_f32(r));
    return EP_AS_F32(EP_AS_U32(y) ^ (n & ep_set_u32(2u)) << 30);
}

static inline ep_f64 ep_sin_in_quadrant_f64(ep_u64 n, ep_f64 r) {
    ep_u64 odd = ep_set_u64(0) - (n & ep_set_u64(1u));
    ep_f64 y = ep_pick_f64(odd, ep_cos_near_0_f64(r), ep_sin_near_0_f64(r));
    return EP_AS_F64(EP_AS_U64(y) ^ (n & ep_set_u64(2u)) << 62);
}

#endif
