/* SPDX-License-Identifier: Apache-2.0 */
/* max(x, 0); NaN stays. */
#ifndef EDGEPDE_RELU_H
#define EDGEPDE_RELU_H

#include "lanes.h"

static inline ep_f32 ep_relu_f32(ep_f32 x) { return ep_larger_f32(ep_set_f32(0.0f), x); }
static inline ep_f64 ep_relu_f64(ep_f64 x) { return ep_larger_f64(ep_set_f64(0.0), x); }

#endif
