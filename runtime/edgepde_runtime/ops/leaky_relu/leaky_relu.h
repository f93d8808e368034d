/* SPDX-License-Identifier: Apache-2.0 */
/* x, or alpha x where x < 0 */
#ifndef EDGEPDE_LEAKY_RELU_H
#define EDGEPDE_LEAKY_RELU_H

#include "lanes.h"

static inline ep_f32 ep_leaky_relu_f32(ep_f32 x, ep_f32 alpha) {
    return ep_pick_f32(ep_less_f32(x, ep_set_f32(0.0f)), x * alpha, x);
}

static inline ep_f64 ep_leaky_relu_f64(ep_f64 x, ep_f64 alpha) {
    return ep_pick_f64(ep_less_f64(x, ep_set_f64(0.0)), x * alpha, x);
}

#endif
