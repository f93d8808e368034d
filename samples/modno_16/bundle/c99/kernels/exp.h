/* SPDX-License-Identifier: Apache-2.0 */
/* exp(x); infinity above ln(FLT_MAX), denormals down to 0. */
#ifndef EDGEPDE_EXP_H
#define EDGEPDE_EXP_H

#include "exponential.h"

static inline ep_f32 ep_exp_f32(ep_f32 x) {
    ep_f32 t = ep_lesser_f32(ep_set_f32(89.0f), ep_larger_f32(ep_set_f32(-104.0f), x));
    ep_f32 rounded = ep_exp_rounded_f32(t);
    return ep_exp_scaled_f32(ep_exp_rest_f32(t, rounded), rounded);
}

static inline ep_f64 ep_exp_f64(ep_f64 x) {
    ep_f64 t = ep_lesser_f64(ep_set_f64(710.0), ep_larger_f64(ep_set_f64(-746.0), x));
    ep_f64 rounded = ep_exp_rounded_f64(t);
    return ep_exp_scaled_f64(ep_exp_rest_f64(t, rounded), rounded);
}

#endif
