/* SPDX-License-Identifier: Apache-2.0 */
/* a < b: ep_less_f32 and ep_less_f64 are arithmetic of lanes. */
#ifndef EDGEPDE_LESS_H
#define EDGEPDE_LESS_H

#include "lanes.h"



#endif
