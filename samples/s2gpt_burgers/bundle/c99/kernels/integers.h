/* SPDX-License-Identifier: Apache-2.0 */
/* The integer nearest x, the even one of two, with the sign of x; NaN and infinity stay. */
#ifndef EDGEPDE_INTEGERS_H
#define EDGEPDE_INTEGERS_H

#include "lanes.h"

static inline ep_f32 ep_nearest_integer_f32(ep_f32 x) {
    ep_f32 a = ep_magnitude_f32(x), big = ep_set_f32(0x1p23f), y = (a + big) - big;
    y = ep_pick_f32(ep_less_f32(a, big), y, a);
    return EP_AS_F32(EP_AS_U32(y) | ep_signbit_f32(x));
}

static inline ep_f64 ep_nearest_integer_f64(ep_f64 x) {
    ep_f64 a = ep_magnitude_f64(x), big = ep_set_f64(0x1p52), y = (a + big) - big;
    y = ep_pick_f64(ep_less_f64(a, big), y, a);
    return EP_AS_F64(EP_AS_U64(y) | ep_signbit_f64(x));
}

#endif
