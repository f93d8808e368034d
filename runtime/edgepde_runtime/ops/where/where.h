/* SPDX-License-Identifier: Apache-2.0 */
/* mask ? a : b */
#ifndef EDGEPDE_WHERE_H
#define EDGEPDE_WHERE_H

#include "lanes.h"

static inline ep_f32 ep_where_f32(ep_u32 mask, ep_f32 a, ep_f32 b) { return ep_pick_f32(mask, a, b); }
static inline ep_f64 ep_where_f64(ep_u64 mask, ep_f64 a, ep_f64 b) { return ep_pick_f64(mask, a, b); }

#endif
