/* SPDX-License-Identifier: Apache-2.0 */
/* The lesser of a and b; NaN if one is. */
#ifndef EDGEPDE_MIN_H
#define EDGEPDE_MIN_H

#include "lanes.h"

static inline ep_f32 ep_min_f32(ep_f32 a, ep_f32 b) {
    return ep_pick_f32(ep_equal_f32(a, a), ep_lesser_f32(a, b), a);
}
static inline ep_f64 ep_min_f64(ep_f64 a, ep_f64 b) {
    return ep_pick_f64(ep_equal_f64(a, a), ep_lesser_f64(a, b), a);
}

#endif
