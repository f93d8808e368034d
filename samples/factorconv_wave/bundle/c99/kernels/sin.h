/* SPDX-License-Identifier: Apache-2.0 */
/* sin(x) = sin(n pi/2 + r) of |x|, with the sign of x; good to the last bits for every x. */
#ifndef EDGEPDE_SIN_H
#define EDGEPDE_SIN_H

#include "trigonometric.h"

static inline ep_f32 ep_sin_f32(ep_f32 x) {
    ep_f32 r;
    ep_u32 n = ep_quadrant_f32(ep_magnitude_f32(x), &r);
    return EP_AS_F32(EP_AS_U32(ep_sin_in_quadrant_f32(n, r)) ^ ep_signbit_f32(x));
}

static inline ep_f64 ep_sin_f64(ep_f64 x) {
    ep_f64 r;
    ep_u64 n = ep_quadrant_f64(ep_magnitude_f64(x), &r);
    return EP_AS_F64(EP_AS_U64(ep_sin_in_quadrant_f64(n, r)) ^ ep_signbit_f64(x));
}

#endif
