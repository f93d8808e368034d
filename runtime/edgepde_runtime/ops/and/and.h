/* SPDX-License-Identifier: Apache-2.0 */
/* a & b of masks */
#ifndef EDGEPDE_AND_H
#define EDGEPDE_AND_H

#include "lanes.h"

static inline ep_u32 ep_and_u32(ep_u32 a, ep_u32 b) { return a & b; }
static inline ep_u64 ep_and_u64(ep_u64 a, ep_u64 b) { return a & b; }

#endif
