/* tanh of about the shipped kernel's cost: expm1 by reduction to |r| <= ln 2 / 2, degree 6, one division. */
#ifndef BENCHMARK_ACTIVATION_H
#define BENCHMARK_ACTIVATION_H

#include "lanes.h"

static inline ep_f32 bench_tanh_f32(ep_f32 x) {
    const ep_u32 sign = EP_AS_U32(x) & ep_set_u32(0x80000000u);
    const ep_f32 size = EP_AS_F32(EP_AS_U32(x) & ep_set_u32(0x7fffffffu)), most = ep_set_f32(9.02f);
    const ep_f32 t = ep_set_f32(-2.0f) * ep_pick_f32(ep_less_f32(size, most), size, most);
    const ep_f32 magic = ep_set_f32(12582912.0f), one = ep_set_f32(1.0f);
    const ep_f32 shifted = ep_fma_f32(t, ep_set_f32(1.44269504f), magic), n = shifted - magic;
    const ep_f32 r = ep_fma_f32(n, ep_set_f32(1.42860677e-6f), ep_fma_f32(n, ep_set_f32(-0.693148613f), t));
    const ep_f32 scale = EP_AS_F32((EP_AS_U32(shifted) << 23) + ep_set_u32(0x3f800000u));
    ep_f32 p = ep_set_f32(1.0f / 720.0f);
    p = ep_fma_f32(p, r, ep_set_f32(1.0f / 120.0f));
    p = ep_fma_f32(p, r, ep_set_f32(1.0f / 24.0f));
    p = ep_fma_f32(p, r, ep_set_f32(1.0f / 6.0f));
    p = ep_fma_f32(p, r, ep_set_f32(0.5f));
    p = ep_fma_f32(p * r, r, r);
    const ep_f32 e = ep_fma_f32(scale, p, scale - one);
    return EP_AS_F32(EP_AS_U32(ep_set_f32(0.0f) - e / ep_fma_f32(scale, p, scale + one)) | sign);
}

#endif
