/* SPDX-License-Identifier: Apache-2.0 */
/* |x|; the sign of NaN goes too. */
#ifndef EDGEPDE_ABS_H
#define EDGEPDE_ABS_H

#include "lanes.h"

static inline ep_f32 ep_abs_f32(ep_f32 x) { return ep_magnitude_f32(x); }
static inline ep_f64 ep_abs_f64(ep_f64 x) { return ep_magnitude_f64(x); }

#endif
