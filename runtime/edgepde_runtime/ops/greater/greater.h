/* SPDX-License-Identifier: Apache-2.0 */
/* a > b */
#ifndef EDGEPDE_GREATER_H
#define EDGEPDE_GREATER_H

#include "lanes.h"

static inline ep_u32 ep_greater_f32(ep_f32 a, ep_f32 b) { return ep_less_f32(b, a); }
static inline ep_u64 ep_greater_f64(ep_f64 a, ep_f64 b) { return ep_less_f64(b, a); }

#endif
