/* SPDX-License-Identifier: Apache-2.0 */
/* The nearest integer, the even one of two. */
#ifndef EDGEPDE_ROUND_H
#define EDGEPDE_ROUND_H

#include "integers.h"

static inline ep_f32 ep_round_f32(ep_f32 x) { return ep_nearest_integer_f32(x); }
static inline ep_f64 ep_round_f64(ep_f64 x) { return ep_nearest_integer_f64(x); }

#endif
