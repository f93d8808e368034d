/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products of two factors with any strides; included once for each element type, with EP_NAME and EP_TYPE.
 *
 *   y[l] = sum_k x[k * xk + l * xs] w[k * wk + l * ws],  l < L, xs and ws 0 or 1
 *
 * Chunks of EP_CHUNK terms in order, each a chain of fused multiply-adds from zero.
 */
#include "generic.h"

static inline EP_LANES EP_JOIN(EP_NAME, _get)(const EP_NUMBER *p, size_t stride, size_t left) {
    if (!stride) return EP_(set)(*p);
    return left < EP_WIDTH ? EP_(load_some)(p, left) : EP_(load)(p);
}

EP_INLINE void EP_NAME(size_t L, size_t terms, const EP_NUMBER *x, size_t xk, size_t xs, const EP_NUMBER *w, size_t wk,
                       size_t ws, EP_NUMBER *y) {
    for (size_t l = 0; l < L; l += EP_WIDTH) {
        EP_LANES sum = EP_(set)(0);
        for (size_t k = 0; k < terms;) {
            const size_t to = terms - k < EP_CHUNK ? terms : k + EP_CHUNK;
            EP_LANES a = EP_(set)(0);
            for (; k < to; k++)
                a = EP_(fma)(EP_JOIN(EP_NAME, _get)(x + k * xk + l * xs, xs, L - l),
                             EP_JOIN(EP_NAME, _get)(w + k * wk + l * ws, ws, L - l), a);
            sum = sum + a;
        }
        if (L - l < EP_WIDTH) EP_(store_some)(y + l, sum, L - l);
        else EP_(store)(y + l, sum);
    }
}
