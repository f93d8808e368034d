/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over an axis; included once for each element type, with EP_NAME and EP_TYPE.
 *
 *   y[i] = (sum_j x[j, i]) / divisor,  j < terms, i < n: chunks of EP_CHUNK terms from zero, added in order from zero
 */
#include "generic.h"
#include "total.h"

EP_INLINE void EP_NAME(size_t n, size_t terms, size_t divisor, const EP_NUMBER *x, EP_NUMBER *y) {
    if (n == 1) {
        *y = EP_(total)(terms, x) / (EP_NUMBER)divisor;
        return;
    }
    for (size_t i = 0; i < n; i += EP_WIDTH) {
        const size_t left = n - i;
        EP_LANES sum = EP_(set)(0);
        for (size_t j = 0; j < terms;) {
            const size_t to = terms - j < EP_CHUNK ? terms : j + EP_CHUNK;
            EP_LANES a = EP_(set)(0);
            for (; j < to; j++) {
                const EP_NUMBER *p = x + j * n + i;
                a = a + (left < EP_WIDTH ? EP_(load_some)(p, left) : EP_(load)(p));
            }
            sum = sum + a;
        }
        sum = sum / EP_(set)((EP_NUMBER)divisor);
        if (left < EP_WIDTH) EP_(store_some)(y + i, sum, left);
        else EP_(store)(y + i, sum);
    }
}
