/* SPDX-License-Identifier: Apache-2.0 */
/* Two neighbours along an axis, weighed; included once for each element type, with EP_NAME and EP_TYPE.
 *
 *   y[o, j, i] = first[j] x[o, low[j], i] + second[j] x[o, min(low[j] + 1, n - 1), i],  j < m, i < inner
 *
 * The second product is added by a fused multiply-add.
 */
#include "generic.h"

EP_INLINE void EP_JOIN(EP_NAME, _run)(size_t n, const EP_NUMBER *p, const EP_NUMBER *q, EP_NUMBER first,
                                      EP_NUMBER second, EP_NUMBER *y) {
    const EP_LANES a = EP_(set)(first), b = EP_(set)(second);
    size_t i = 0;
    for (; i + EP_WIDTH <= n; i += EP_WIDTH) EP_(store)(y + i, EP_(fma)(b, EP_(load)(q + i), a * EP_(load)(p + i)));
    if (i < n)
        EP_(store_some)(y + i, EP_(fma)(b, EP_(load_some)(q + i, n - i), a * EP_(load_some)(p + i, n - i)), n - i);
}

EP_APART void EP_NAME(size_t outer, size_t n, size_t m, size_t inner, const int32_t *low, const EP_NUMBER *first,
                      const EP_NUMBER *second, const EP_NUMBER *x, EP_NUMBER *y) {
    for (size_t o = 0; o < outer; o++, x += n * inner, y += m * inner)
        for (size_t j = 0; j < m; j++) {
            const size_t here = (size_t)low[j], next = here + 1 < n ? here + 1 : here;
            if (inner == 1) y[j] = EP_JOIN(ep_fma1_, EP_TYPE)(second[j], x[next], first[j] * x[here]);
            else EP_JOIN(EP_NAME, _run)(inner, x + here * inner, x + next * inner, first[j], second[j], y + j * inner);
        }
}
