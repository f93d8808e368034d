/* SPDX-License-Identifier: Apache-2.0 */
/* -1, 0 or 1; NaN stays. */
#ifndef EDGEPDE_SIGN_H
#define EDGEPDE_SIGN_H

#include "lanes.h"

static inline ep_f32 ep_sign_f32(ep_f32 x) {
    ep_f32 zero = ep_set_f32(0.0f), y = x + zero;
    y = ep_pick_f32(ep_less_f32(zero, x), ep_set_f32(1.0f), y);
    return ep_pick_f32(ep_less_f32(x, zero), ep_set_f32(-1.0f), y);
}

static inline ep_f64 ep_sign_f64(ep_f64 x) {
    ep_f64 zero = ep_set_f64(0.0), y = x + zero;
    y = ep_pick_f64(ep_less_f64(zero, x), ep_set_f64(1.0), y);
    return ep_pick_f64(ep_less_f64(x, zero), ep_set_f64(-1.0), y);
}

#endif
