/* SPDX-License-Identifier: Apache-2.0 */
/* a <= b */
#ifndef EDGEPDE_LESS_OR_EQUAL_H
#define EDGEPDE_LESS_OR_EQUAL_H

#include "lanes.h"

static inline ep_u32 ep_less_or_equal_f32(ep_f32 a, ep_f32 b) { return EP_MASK_U32(a <= b); }
static inline ep_u64 ep_less_or_equal_f64(ep_f64 a, ep_f64 b) { return EP_MASK_U64(a <= b); }

#endif
