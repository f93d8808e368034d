/* SPDX-License-Identifier: Apache-2.0 */
/* Whether x is NaN. */
#ifndef EDGEPDE_IS_NAN_H
#define EDGEPDE_IS_NAN_H

#include "lanes.h"

static inline ep_u32 ep_is_nan_f32(ep_f32 x) { return ~ep_equal_f32(x, x); }
static inline ep_u64 ep_is_nan_f64(ep_f64 x) { return ~ep_equal_f64(x, x); }

#endif
