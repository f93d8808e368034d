/* SPDX-License-Identifier: Apache-2.0 */
/* x^n by the bits of n from the highest down; the relative error of n - 1 roundings at most. */
#ifndef EDGEPDE_POW_H
#define EDGEPDE_POW_H

#include "lanes.h"

static inline ep_f32 ep_powi_f32(ep_f32 x, unsigned n) {
    ep_f32 y = ep_set_f32(1.0f);
    unsigned bit;
    if (n == 0) return y;
    for (bit = 1; n >> 1 >= bit; bit <<= 1) continue;
    for (y = x; bit >>= 1;) {
        y = y * y;
        if (n & bit) y = y * x;
    }
    return y;
}

static inline ep_f64 ep_powi_f64(ep_f64 x, unsigned n) {
    ep_f64 y = ep_set_f64(1.0);
    unsigned bit;
    if (n == 0) return y;
    for (bit = 1; n >> 1 >= bit; bit <<= 1) continue;
    for (y = x; bit >>= 1;) {
        y = y * y;
        if (n & bit) y = y * x;
    }
    return y;
}

#endif
