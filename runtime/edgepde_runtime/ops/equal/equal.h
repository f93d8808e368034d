/* SPDX-License-Identifier: Apache-2.0 */
/* a == b: ep_equal_f32 and ep_equal_f64 are arithmetic of lanes. */
#ifndef EDGEPDE_EQUAL_H
#define EDGEPDE_EQUAL_H

#include "lanes.h"



#endif
