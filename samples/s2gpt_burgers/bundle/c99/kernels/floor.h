/* SPDX-License-Identifier: Apache-2.0 */
/* The integer at most x that is nearest to it; -0 keeps its sign, NaN and infinity stay. */
#ifndef EDGEPDE_FLOOR_H
#define EDGEPDE_FLOOR_H

#include "integers.h"

static inline ep_f32 ep_floor_f32(ep_f32 x) {
    ep_f32 y = ep_nearest_integer_f32(x);
    y = y - EP_AS_F32(ep_less_f32(x, y) & EP_AS_U32(ep_set_f32(1.0f)));
    return EP_AS_F32(EP_AS_U32(ep_magnitude_f32(y)) | ep_signbit_f32(x));
}

static inline ep_f64 ep_floor_f64(ep_f64 x) {
    ep_f64 y = ep_nearest_integer_f64(x);
    y = y - EP_AS_F64(ep_less_f64(x, y) & EP_AS_U64(ep_set_f64(1.0)));
    return EP_AS_F64(EP_AS_U64(ep_magnitude_f64(y)) | ep_signbit_f64(x));
}

#endif
