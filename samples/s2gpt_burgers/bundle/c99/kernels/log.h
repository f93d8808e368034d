/* SPDX-License-Identifier: Apache-2.0 */
/* log(x) = k ln(2) + log(1 + m), 1 + m in [sqrt(1/2), sqrt(2)], s = m / (2 + m):
 * log(1 + m) = m - m^2/2 + s (m^2/2 + s^2 A(s^2)), A off by less than 8.2e-10 |m| in float, 9.0e-21 |m| in double.
 */
#ifndef EDGEPDE_LOG_H
#define EDGEPDE_LOG_H

#include "lanes.h"

static inline ep_f32 ep_log_f32(ep_f32 x) {
    ep_f32 zero = ep_set_f32(0.0f), infinity = EP_AS_F32(ep_set_u32(0x7f800000u));
    ep_u32 denormal = ep_less_f32(x, ep_set_f32(0x1p-126f)), finite = ep_less_f32(zero, x) & ep_less_f32(x, infinity);
    ep_u32 bits = EP_AS_U32(ep_pick_f32(denormal, x * ep_set_f32(0x1p24f), x)) - ep_set_u32(0x3f3504f3u);
    ep_f32 k = EP_AS_F32((bits + ep_set_u32(0x80000000u)) >> 23 | ep_set_u32(0x4b000000u));
    ep_f32 m = EP_AS_F32((bits & ep_set_u32(0x7fffffu)) + ep_set_u32(0x3f3504f3u)) - ep_set_f32(1.0f);
    ep_f32 s = m / (m + ep_set_f32(2.0f)), z = s * s, square = m * m, q = ep_set_f32(0x1.31e0d8p-2f), y;
    q = ep_fma_f32(q, z, ep_set_f32(0x1.995ed4p-2f));
    q = ep_fma_f32(q, z, ep_set_f32(0x1.55557ap-1f));
    k = k - ep_pick_f32(denormal, ep_set_f32(0x1.00023p+23f), ep_set_f32(0x1.0002p+23f));
    q = ep_fma_f32(z, q, square * ep_set_f32(0.5f));
    y = ep_fma_f32(s, q, k * ep_set_f32(0x1.7f7d1cp-20f));
    y = ep_fma_f32(k, ep_set_f32(0x1.62e4p-1f), m - ep_fma_f32(square, ep_set_f32(0.5f), zero - y));
    x = ep_pick_f32(ep_less_f32(x, zero), EP_AS_F32(ep_set_u32(0x7fc00000u)), x); /* what is not finite */
    x = ep_pick_f32(ep_equal_f32(x, zero), EP_AS_F32(ep_set_u32(0xff800000u)), x);
    return ep_pick_f32(finite, y, x);
}

static inline ep_f64 ep_log_f64(ep_f64 x) {
    ep_f64 zero = ep_set_f64(0.0), infinity = EP_AS_F64(ep_set_u64(0x7ff0000000000000u));
    ep_u64 denormal = ep_less_f64(x, ep_set_f64(0x1p-1022)), finite = ep_less_f64(zero, x) & ep_less_f64(x, infinity);
    ep_u64 bits = EP_AS_U64(ep_pick_f64(denormal, x * ep_set_f64(0x1p54), x)) - ep_set_u64(0x3fe6a09e667f3bcdu);
    ep_f64 k = EP_AS_F64((bits + ep_set_u64(0x8000000000000000u)) >> 52 | ep_set_u64(0x4330000000000000u));
    ep_f64 m = EP_AS_F64((bits & ep_set_u64(0xfffffffffffffu)) + ep_set_u64(0x3fe6a09e667f3bcdu)) - ep_set_f64(1.0);
    ep_f64 s = m / (m + ep_set_f64(2.0)), z = s * s, square = m * m, q = ep_set_f64(0x1.0f0dce0d5bad9p-3), y;
    q = ep_fma_f64(q, z, ep_set_f64(0x1.0f6744baaa2b5p-3));
    q = ep_fma_f64(q, z, ep_set_f64(0x1.3b20247b2da98p-3));
    q = ep_fma_f64(q, z, ep_set_f64(0x1.745ce1c8e2998p-3));
    q = ep_fma_f64(q, z, ep_set_f64(0x1.c71c724b66aa2p-3));
    q = ep_fma_f64(q, z, ep_set_f64(0x1.24924924397fap-2));
    q = ep_fma_f64(q, z, ep_set_f64(0x1.9999999999d11p-2));
    q = ep_fma_f64(q, z, ep_set_f64(0x1.5555555555555p-1));
    k = k - ep_pick_f64(denormal, ep_set_f64(0x1.0000000000836p+52), ep_set_f64(0x1.00000000008p+52));
    q = ep_fma_f64(z, q, square * ep_set_f64(0.5));
    y = ep_fma_f64(s, q, k * ep_set_f64(0x1.ef35793c7673p-45));
    y = ep_fma_f64(k, ep_set_f64(0x1.62e42fefa38p-1), m - ep_fma_f64(square, ep_set_f64(0.5), zero - y));
    x = ep_pick_f64(ep_less_f64(x, zero), EP_AS_F64(ep_set_u64(0x7ff8000000000000u)), x); /* what is not finite */
    x = ep_pick_f64(ep_equal_f64(x, zero), EP_AS_F64(ep_set_u64(0xfff0000000000000u)), x);
    return ep_pick_f64(finite, y, x);
}

#endif
