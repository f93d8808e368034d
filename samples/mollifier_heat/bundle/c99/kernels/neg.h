/* SPDX-License-Identifier: Apache-2.0 */
/* -x; the sign of NaN changes too. */
#ifndef EDGEPDE_NEG_H
#define EDGEPDE_NEG_H

#include "lanes.h"

static inline ep_f32 ep_neg_f32(ep_f32 x) { return EP_AS_F32(EP_AS_U32(x) ^ ep_set_u32(0x80000000u)); }
static inline ep_f64 ep_neg_f64(ep_f64 x) { return EP_AS_F64(EP_AS_U64(x) ^ ep_set_u64(0x8000000000000000u)); }

#endif
