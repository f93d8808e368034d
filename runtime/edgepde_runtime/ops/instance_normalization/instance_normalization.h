/* SPDX-License-Identifier: Apache-2.0 */
/* One channel with mean 0 and variance 1; included once for each element type, with EP_NAME and EP_TYPE.
 *
 *   y[i, l] = (x[i, l] - mean_l) a_l + shift,  a_l = scale / sqrt(variance_l + epsilon),  i < n, l < L
 *
 * mean and variance are sums by n: chunks of EP_CHUNK terms from zero, squares of x - mean in fused multiply-adds.
 */
#include "generic.h"
#include "total.h"

/* Lanes of rows that lie side by side, at most EP_WIDTH of them. */
EP_INLINE void EP_JOIN(EP_NAME, _side)(size_t n, size_t L, size_t left, const EP_NUMBER *x, EP_NUMBER scale,
                                       EP_NUMBER shift, EP_NUMBER epsilon, EP_NUMBER *y) {
    const EP_LANES cells = EP_(set)((EP_NUMBER)n), zero = EP_(set)(0), by = EP_(set)(shift);
    EP_LANES mean = zero, variance = zero;
    for (int squared = 0; squared < 2; squared++) {
        EP_LANES sum = zero;
        for (size_t j = 0; j < n;) {
            const size_t to = n - j < EP_CHUNK ? n : j + EP_CHUNK;
            EP_LANES a = zero;
            for (; j < to; j++) {
                const EP_LANES v = left < EP_WIDTH ? EP_(load_some)(x + j * L, left) : EP_(load)(x + j * L);
                const EP_LANES t = v - mean;
                a = squared ? EP_(fma)(t, t, a) : a + v;
            }
            sum = sum + a;
        }
        if (squared) variance = sum / cells;
        else mean = sum / cells;
    }
    const EP_LANES slope = EP_(set)(scale) / EP_(sqrt)(variance + EP_(set)(epsilon));
    for (size_t j = 0; j < n; j++) {
        if (left < EP_WIDTH)
            EP_(store_some)(y + j * L, EP_(fma)(EP_(load_some)(x + j * L, left) - mean, slope, by), left);
        else EP_(store)(y + j * L, EP_(fma)(EP_(load)(x + j * L) - mean, slope, by));
    }
}

/* One row. */
EP_INLINE void EP_JOIN(EP_NAME, _row)(size_t n, const EP_NUMBER *x, EP_NUMBER scale, EP_NUMBER shift,
                                      EP_NUMBER epsilon, EP_NUMBER *y) {
    const EP_NUMBER mean = EP_(total)(n, x) / (EP_NUMBER)n;
    const EP_NUMBER variance = EP_(squares)(n, x, mean) / (EP_NUMBER)n;
    const EP_LANES m = EP_(set)(mean), a = EP_(set)(scale / EP_(sqrt1)(variance + epsilon)), b = EP_(set)(shift);
    size_t i = 0;
    for (; i + EP_WIDTH <= n; i += EP_WIDTH) EP_(store)(y + i, EP_(fma)(EP_(load)(x + i) - m, a, b));
    if (i < n) EP_(store_some)(y + i, EP_(fma)(EP_(load_some)(x + i, n - i) - m, a, b), n - i);
}

EP_APART void EP_NAME(size_t n, size_t L, const EP_NUMBER *x, EP_NUMBER scale, EP_NUMBER shift, EP_NUMBER epsilon,
                      EP_NUMBER *y) {
    if (L == 1) {
        EP_JOIN(EP_NAME, _row)(n, x, scale, shift, epsilon, y);
        return;
    }
    for (size_t l = 0; l < L; l += EP_WIDTH)
        EP_JOIN(EP_NAME, _side)(n, L, L - l, x + l, scale, shift, epsilon, y + l);
}
