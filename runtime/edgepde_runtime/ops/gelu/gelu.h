/* SPDX-License-Identifier: Apache-2.0 */
/* x Phi(x) = max(x, 0) - |x| (1 - Phi(|x|)), so that nothing cancels on the left;
 * Phi the normal distribution, 1 - Phi(a) = exp(-a^2 / 2) P(u) / (a + c), u = (a - c) / (a + c), c = 4 in float and 4.5
 * in double, P off by less than 2.1e-8 of it in float and 5.9e-17 in double; u and a^2 in two parts;
 * or its approximation 1 / (1 + exp(-2 sqrt(2 / pi) (a + 0.044715 a^3))), the exponent in two parts.
 * NaN at -infinity, where 0 is multiplied by it.
 */
#ifndef EDGEPDE_GELU_H
#define EDGEPDE_GELU_H

#include "exponential.h"

/* max(x, 0), or -0 */
static inline ep_f32 ep_rectified_f32(ep_f32 x) {
    return ep_pick_f32(ep_set_u32(0) - (EP_AS_U32(x) >> 31), x * ep_set_f32(0.0f), x);
}

static inline ep_f64 ep_rectified_f64(ep_f64 x) {
    return ep_pick_f64(ep_set_u64(0) - (EP_AS_U64(x) >> 63), x * ep_set_f64(0.0), x);
}

static inline ep_f32 ep_gelu_f32(ep_f32 x) {
    ep_f32 c = ep_set_f32(4.0f), one = ep_set_f32(1.0f), minus = ep_set_f32(-1.0f), minus_half = ep_set_f32(-0.5f);
    ep_f32 a = ep_lesser_f32(ep_set_f32(15.0f), ep_magnitude_f32(x)), square = a * a, t = a * (minus_half * a);
    ep_f32 low = ep_fma_f32(a, a, ep_set_f32(0.0f) - square), rounded = ep_exp_rounded_f32(t), left;
    ep_f32 e = ep_exp_halved_f32(ep_fma_f32(low, minus_half, ep_exp_rest_f32(t, rounded)), rounded, &left);
    ep_f32 sum = a + c, back = sum - c, rest = (a - back) + (c - (sum - back)), d = minus / sum;
    ep_f32 error = ep_fma_f32(rest, d, ep_fma_f32(sum, d, one)), twice_c = ep_set_f32(8.0f); /* of d, relative to it */
    ep_f32 u = ep_fma_f32(d * twice_c, error, ep_fma_f32(d, twice_c, one)), p = ep_set_f32(-0x1.c9a6b2p-14f);
    p = ep_fma_f32(p, u, ep_set_f32(0x1.b917e4p-13f));
    p = ep_fma_f32(p, u, ep_set_f32(0x1.97c494p-10f));
    p = ep_fma_f32(p, u, ep_set_f32(-0x1.cfe36ep-9f));
    p = ep_fma_f32(p, u, ep_set_f32(-0x1.ecfc4p-8f));
    p = ep_fma_f32(p, u, ep_set_f32(0x1.eee376p-5f));
    p = ep_fma_f32(p, u, ep_set_f32(-0x1.7e002cp-3f));
    p = ep_fma_f32(p, u, ep_set_f32(0x1.8c6d72p-2f));
    p = ep_fma_f32(p, u, ep_set_f32(-0x1.373e38p-1f));
    p = ep_fma_f32(p, u, ep_set_f32(0x1.82b4bcp-1f));
    p = ep_fma_f32(p, d, d * error * p) * left;
    low = ep_fma_f32(a, e, ep_set_f32(0.0f) - a * e);
    return ep_fma_f32(a * e, p, ep_fma_f32(low, p, ep_rectified_f32(x)));
}

static inline ep_f64 ep_gelu_f64(ep_f64 x) {
    ep_f64 c = ep_set_f64(4.5), one = ep_set_f64(1.0), minus = ep_set_f64(-1.0), minus_half = ep_set_f64(-0.5);
    ep_f64 a = ep_lesser_f64(ep_set_f64(38.7), ep_magnitude_f64(x)), square = a * a, t = a * (minus_half * a);
    ep_f64 low = ep_fma_f64(a, a, ep_set_f64(0.0) - square), rounded = ep_exp_rounded_f64(t), left;
    ep_f64 e = ep_exp_halved_f64(ep_fma_f64(low, minus_half, ep_exp_rest_f64(t, rounded)), rounded, &left);
    ep_f64 sum = a + c, back = sum - c, rest = (a - back) + (c - (sum - back)), d = minus / sum;
    ep_f64 error = ep_fma_f64(rest, d, ep_fma_f64(sum, d, one)), twice_c = ep_set_f64(9.0); /* of d, relative to it */
    ep_f64 u = ep_fma_f64(d * twice_c, error, ep_fma_f64(d, twice_c, one)), p = ep_set_f64(0x1.5a0c9b1ee4e4ep-31);
    p = ep_fma_f64(p, u, ep_set_f64(-0x1.292cea368e808p-31));
    p = ep_fma_f64(p, u, ep_set_f64(-0x1.5b0ce3dec8fedp-27));
    p = ep_fma_f64(p, u, ep_set_f64(-0x1.c0ef7f09b63aap-29));
    p = ep_fma_f64(p, u, ep_set_f64(0x1.2a3f6d576c6c5p-24));
    p = ep_fma_f64(p, u, ep_set_f64(0x1.083496f5173d6p-24));
    p = ep_fma_f64(p, u, ep_set_f64(-0x1.96d968e795048p-22));
    p = ep_fma_f64(p, u, ep_set_f64(-0x1.0c49958e1d58ap-21));
    p = ep_fma_f64(p, u, ep_set_f64(0x1.1f9e960d52c65p-19));
    p = ep_fma_f64(p, u, ep_set_f64(0x1.ac224c243baadp-19));
    p = ep_fma_f64(p, u, ep_set_f64(-0x1.ddae4d391ec6ep-17));
    p = ep_fma_f64(p, u, ep_set_f64(-0x1.0b4f7b5308de9p-16));
    p = ep_fma_f64(p, u, ep_set_f64(0x1.d5f0f69593p-14));
    p = ep_fma_f64(p, u, ep_set_f64(0x1.ac3acbcff69d6p-18));
    p = ep_fma_f64(p, u, ep_set_f64(-0x1.e129d9c7fb24bp-11));
    p = ep_fma_f64(p, u, ep_set_f64(0x1.ca7208745772dp-10));
    p = ep_fma_f64(p, u, ep_set_f64(0x1.14cc7956a4d7cp-8));
    p = ep_fma_f64(p, u, ep_set_f64(-0x1.157951c689e8ep-5));
    p = ep_fma_f64(p, u, ep_set_f64(0x1.c8391e19cdb59p-4));
    p = ep_fma_f64(p, u, ep_set_f64(-0x1.03379aa028e6ep-2));
    p = ep_fma_f64(p, u, ep_set_f64(0x1.c92ad93fe2529p-2));
    p = ep_fma_f64(p, u, ep_set_f64(-0x1.47cfdd7a97246p-1));
    p = ep_fma_f64(p, u, ep_set_f64(0x1.86c626e278bb3p-1));
    p = ep_fma_f64(p, d, d * error * p) * left;
    low = ep_fma_f64(a, e, ep_set_f64(0.0) - a * e);
    return ep_fma_f64(a * e, p, ep_fma_f64(low, p, ep_rectified_f64(x)));
}

static inline ep_f32 ep_gelu_tanh_f32(ep_f32 x) {
    ep_f32 zero = ep_set_f32(0.0f), minus = ep_set_f32(-1.0f);
    ep_f32 a = ep_lesser_f32(ep_set_f32(10.8f), ep_magnitude_f32(x));
    ep_f32 square = a * a, square_low = ep_fma_f32(a, a, zero - square);
    ep_f32 cube = ep_set_f32(0x1.2444f2p-4f), linear = ep_set_f32(0x1.988454p+0f);
    ep_f32 product = ep_fma_f32(cube, square, zero);
    ep_f32 sum = linear + product, back = sum - linear, low = (linear - (sum - back)) + (product - back);
    ep_f32 t, rounded, left, z, y;
    low = ep_fma_f32(cube, square_low, low + ep_fma_f32(cube, square, zero - product));
    low = ep_fma_f32(ep_set_f32(0x1.49b16ap-29f), square, low + ep_set_f32(-0x1.857936p-25f));
    t = a * (minus * sum);
    low = ep_fma_f32(a, low, ep_fma_f32(a, sum, t));
    rounded = ep_exp_rounded_f32(t);
    z = ep_exp_halved_f32(ep_exp_rest_f32(t, rounded) - low, rounded, &left);
    y = z / ep_fma_f32(z, left, ep_set_f32(1.0f));
    y = ep_fma_f32(-z * left, y, z);
    return ep_fma_f32(a * left, minus * y, ep_rectified_f32(x));
}

static inline ep_f64 ep_gelu_tanh_f64(ep_f64 x) {
    ep_f64 zero = ep_set_f64(0.0), minus = ep_set_f64(-1.0);
    ep_f64 a = ep_lesser_f64(ep_set_f64(21.6), ep_magnitude_f64(x));
    ep_f64 square = a * a, square_low = ep_fma_f64(a, a, zero - square);
    ep_f64 cube = ep_set_f64(0x1.2444f2a4d8b4bp-4), linear = ep_set_f64(0x1.9884533d43651p+0);
    ep_f64 product = ep_fma_f64(cube, square, zero);
    ep_f64 sum = linear + product, back = sum - linear, low = (linear - (sum - back)) + (product - back);
    ep_f64 t, rounded, left, z, y;
    low = ep_fma_f64(cube, square_low, low + ep_fma_f64(cube, square, zero - product));
    low = ep_fma_f64(ep_set_f64(-0x1.6c843a29d1c7p-61), square, low + ep_set_f64(-0x1.cbc0d30ebfd15p-54));
    t = a * (minus * sum);
    low = ep_fma_f64(a, low, ep_fma_f64(a, sum, t));
    rounded = ep_exp_rounded_f64(t);
    z = ep_exp_halved_f64(ep_exp_rest_f64(t, rounded) - low, rounded, &left);
    y = z / ep_fma_f64(z, left, ep_set_f64(1.0));
    y = ep_fma_f64(-z * left, y, z);
    return ep_fma_f64(a * left, minus * y, ep_rectified_f64(x));
}

#endif
