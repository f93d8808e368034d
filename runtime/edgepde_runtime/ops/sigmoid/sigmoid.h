/* SPDX-License-Identifier: Apache-2.0 */
/* 1 / (1 + exp(-x)) by z = exp(-|x|): y = z / (1 + z): z - z y on the left, 1 - y on the right. */
#ifndef EDGEPDE_SIGMOID_H
#define EDGEPDE_SIGMOID_H

#include "exponential.h"

static inline ep_f32 ep_sigmoid_f32(ep_f32 x) {
    ep_f32 one = ep_set_f32(1.0f), zero = ep_set_f32(0.0f);
    ep_f32 t = zero - ep_lesser_f32(ep_set_f32(104.0f), ep_magnitude_f32(x)), rounded = ep_exp_rounded_f32(t);
    ep_f32 z = ep_exp_scaled_f32(ep_exp_rest_f32(t, rounded), rounded), y = z / (one + z);
    return ep_pick_f32(ep_less_f32(x, zero), ep_fma_f32(-z, y, z), one - y);
}

static inline ep_f64 ep_sigmoid_f64(ep_f64 x) {
    ep_f64 one = ep_set_f64(1.0), zero = ep_set_f64(0.0);
    ep_f64 t = zero - ep_lesser_f64(ep_set_f64(746.0), ep_magnitude_f64(x)), rounded = ep_exp_rounded_f64(t);
    ep_f64 z = ep_exp_scaled_f64(ep_exp_rest_f64(t, rounded), rounded), y = z / (one + z);
    return ep_pick_f64(ep_less_f64(x, zero), ep_fma_f64(-z, y, z), one - y);
}

#endif
