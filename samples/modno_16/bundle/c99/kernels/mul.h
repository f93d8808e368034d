/* SPDX-License-Identifier: Apache-2.0 */
/* a * b */
#ifndef EDGEPDE_MUL_H
#define EDGEPDE_MUL_H

#include "lanes.h"

static inline ep_f32 ep_mul_f32(ep_f32 a, ep_f32 b) { return a * b; }
static inline ep_f64 ep_mul_f64(ep_f64 a, ep_f64 b) { return a * b; }

#endif
