/* SPDX-License-Identifier: Apache-2.0 */
/* The square root, correctly rounded: ep_sqrt_f32 and ep_sqrt_f64 are arithmetic of lanes. */
#ifndef EDGEPDE_SQRT_H
#define EDGEPDE_SQRT_H

#include "lanes.h"



#endif
