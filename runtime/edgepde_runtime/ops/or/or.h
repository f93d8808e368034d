/* SPDX-License-Identifier: Apache-2.0 */
/* a | b of masks */
#ifndef EDGEPDE_OR_H
#define EDGEPDE_OR_H

#include "lanes.h"

static inline ep_u32 ep_or_u32(ep_u32 a, ep_u32 b) { return a | b; }
static inline ep_u64 ep_or_u64(ep_u64 a, ep_u64 b) { return a | b; }

#endif
