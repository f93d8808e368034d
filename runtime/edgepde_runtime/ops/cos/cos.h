/* SPDX-License-Identifier: Apache-2.0 */
/* cos(x) = sin((n + 1) pi/2 + r) of |x|; good to the last bits for every x. */
#ifndef EDGEPDE_COS_H
#define EDGEPDE_COS_H

#include "trigonometric.h"

static inline ep_f32 ep_cos_f32(ep_f32 x) {
    ep_f32 r;
    ep_u32 n = ep_quadrant_f32(ep_magnitude_f32(x), &r);
    return ep_sin_in_quadrant_f32(n + ep_set_u32(1u), r);
}

static inline ep_f64 ep_cos_f64(ep_f64 x) {
    ep_f64 r;
    ep_u64 n = ep_quadrant_f64(ep_magnitude_f64(x), &r);
    return ep_sin_in_quadrant_f64(n + ep_set_u64(1u), r);
}

#endif
