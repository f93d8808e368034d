/* SPDX-License-Identifier: Apache-2.0 */
/* ~a of a mask */
#ifndef EDGEPDE_NOT_H
#define EDGEPDE_NOT_H

#include "lanes.h"

static inline ep_u32 ep_not_u32(ep_u32 a) { return ~a; }
static inline ep_u64 ep_not_u64(ep_u64 a) { return ~a; }

#endif
