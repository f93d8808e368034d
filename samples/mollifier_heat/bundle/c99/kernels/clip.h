/* SPDX-License-Identifier: Apache-2.0 */
/* min(max(x, low), high); NaN if one is. */
#ifndef EDGEPDE_CLIP_H
#define EDGEPDE_CLIP_H

#include "max.h"
#include "min.h"

static inline ep_f32 ep_clip_f32(ep_f32 x, ep_f32 low, ep_f32 high) { return ep_min_f32(ep_max_f32(x, low), high); }
static inline ep_f64 ep_clip_f64(ep_f64 x, ep_f64 low, ep_f64 high) { return ep_min_f64(ep_max_f64(x, low), high); }

#endif
