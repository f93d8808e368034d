/* SPDX-License-Identifier: Apache-2.0 */
/* Whether x is infinite: either way, or the one way that an attribute leaves. */
#ifndef EDGEPDE_IS_INF_H
#define EDGEPDE_IS_INF_H

#include "lanes.h"

static inline ep_u32 ep_is_inf_positive_f32(ep_f32 x) {
    return EP_MASK_U32(EP_AS_U32(x) == ep_set_u32(0x7f800000u));
}

static inline ep_u32 ep_is_inf_negative_f32(ep_f32 x) {
    return EP_MASK_U32(EP_AS_U32(x) == ep_set_u32(0xff800000u));
}

static inline ep_u32 ep_is_inf_f32(ep_f32 x) { return ep_is_inf_positive_f32(x) | ep_is_inf_negative_f32(x); }

static inline ep_u64 ep_is_inf_positive_f64(ep_f64 x) {
    return EP_MASK_U64(EP_AS_U64(x) == ep_set_u64(0x7ff0000000000000u));
}

static inline ep_u64 ep_is_inf_negative_f64(ep_f64 x) {
    return EP_MASK_U64(EP_AS_U64(x) == ep_set_u64(0xfff0000000000000u));
}

static inline ep_u64 ep_is_inf_f64(ep_f64 x) { return ep_is_inf_positive_f64(x) | ep_is_inf_negative_f64(x); }

#endif
