/* SPDX-License-Identifier: Apache-2.0 */
/* 128-bit unsigned integers from 64-bit ones. */
#ifndef EDGEPDE_WIDE_H
#define EDGEPDE_WIDE_H

#include <stdint.h>

typedef struct {
    uint64_t high, low;
} ep_u128;

static inline ep_u128 ep_mul_u64(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32), carried = a0 * b1 + (uint32_t)middle;
    ep_u128 product;
    product.high = a1 * b1 + (middle >> 32) + (carried >> 32);
    product.low = a * b;
    return product;
}

static inline ep_u128 ep_add_u128(ep_u128 a, ep_u128 b) {
    a.low += b.low;
    a.high += b.high + (a.low < b.low);
    return a;
}

static inline ep_u128 ep_sub_u128(ep_u128 a, ep_u128 b) {
    a.high -= b.high + (a.low < b.low);
    a.low -= b.low;
    return a;
}

static inline int ep_below_u128(ep_u128 a, ep_u128 b) {
    return a.high < b.high || (a.high == b.high && a.low < b.low);
}

/* a 2^-n, the last bit set where a bit fell out */
static inline ep_u128 ep_shift_right_u128(ep_u128 a, unsigned n) {
    ep_u128 moved = {0, 0};
    uint64_t lost;
    if (n == 0) return a;
    if (n < 64) {
        moved.high = a.high >> n;
        moved.low = a.high << (64 - n) | a.low >> n;
        lost = a.low << (64 - n);
    } else if (n == 64) {
        moved.low = a.high;
        lost = a.low;
    } else if (n < 128) {
        moved.low = a.high >> (n - 64);
        lost = a.low | a.high << (128 - n);
    } else {
        lost = a.high | a.low;
    }
    moved.low |= lost != 0;
    return moved;
}

#endif
