/* SPDX-License-Identifier: Apache-2.0 */
/* alpha x + beta in one rounding, cut to [0, 1]; NaN stays. */
#ifndef EDGEPDE_HARD_SIGMOID_H
#define EDGEPDE_HARD_SIGMOID_H

#include "lanes.h"

static inline ep_f32 ep_hard_sigmoid_f32(ep_f32 x, ep_f32 alpha, ep_f32 beta) {
    return ep_lesser_f32(ep_set_f32(1.0f), ep_larger_f32(ep_set_f32(0.0f), ep_fma_f32(x, alpha, beta)));
}
static inline ep_f64 ep_hard_sigmoid_f64(ep_f64 x, ep_f64 alpha, ep_f64 beta) {
    return ep_lesser_f64(ep_set_f64(1.0), ep_larger_f64(ep_set_f64(0.0), ep_fma_f64(x, alpha, beta)));
}

#endif
