/* SPDX-License-Identifier: Apache-2.0 */
/* a / b */
#ifndef EDGEPDE_DIV_H
#define EDGEPDE_DIV_H

#include "lanes.h"

static inline ep_f32 ep_div_f32(ep_f32 a, ep_f32 b) { return a / b; }
static inline ep_f64 ep_div_f64(ep_f64 a, ep_f64 b) { return a / b; }

#endif
