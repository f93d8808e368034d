/* SPDX-License-Identifier: Apache-2.0 */
/* 1 / x */
#ifndef EDGEPDE_RECIPROCAL_H
#define EDGEPDE_RECIPROCAL_H

#include "lanes.h"

static inline ep_f32 ep_reciprocal_f32(ep_f32 x) { return ep_set_f32(1.0f) / x; }
static inline ep_f64 ep_reciprocal_f64(ep_f64 x) { return ep_set_f64(1.0) / x; }

#endif
