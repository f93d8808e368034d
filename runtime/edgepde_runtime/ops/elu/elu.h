/* SPDX-License-Identifier: Apache-2.0 */
/* x, or alpha (exp(x) - 1) where x <= 0 */
#ifndef EDGEPDE_ELU_H
#define EDGEPDE_ELU_H

#include "exponential.h"

static inline ep_f32 ep_elu_f32(ep_f32 x, ep_f32 alpha) {
    ep_f32 zero = ep_set_f32(0.0f);
    return ep_pick_f32(ep_less_f32(zero, x), x, alpha * ep_expm1_below_0_f32(ep_lesser_f32(zero, x)));
}

static inline ep_f64 ep_elu_f64(ep_f64 x, ep_f64 alpha) {
    ep_f64 zero = ep_set_f64(0.0);
    return ep_pick_f64(ep_less_f64(zero, x), x, alpha * ep_expm1_below_0_f64(ep_lesser_f64(zero, x)));
}

#endif
