/* SPDX-License-Identifier: Apache-2.0 */
/* gamma (x, or alpha (exp(x) - 1) where x <= 0) */
#ifndef EDGEPDE_SELU_H
#define EDGEPDE_SELU_H

#include "elu.h"

static inline ep_f32 ep_selu_f32(ep_f32 x, ep_f32 alpha, ep_f32 gamma) { return gamma * ep_elu_f32(x, alpha); }
static inline ep_f64 ep_selu_f64(ep_f64 x, ep_f64 alpha, ep_f64 gamma) { return gamma * ep_elu_f64(x, alpha); }

#endif
