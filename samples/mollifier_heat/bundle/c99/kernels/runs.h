/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of numbers, moved or cleared; included by kernels with EP_TYPE and the macro EP_FULL_NAME. */
#ifdef EP_NAME
static inline void EP_FULL_NAME(_move)(EP_NUMBER *to, const EP_NUMBER *from, size_t n) {
    size_t i = 0;
    for (; i + EP_WIDTH <= n; i += EP_WIDTH) EP_(store)(to + i, EP_(load)(from + i));
    if (i < n) EP_(store_some)(to + i, EP_(load_some)(from + i, n - i), n - i);
}

static inline void EP_FULL_NAME(_clear)(EP_NUMBER *to, size_t n) {
    size_t i = 0;
    for (; i + EP_WIDTH <= n; i += EP_WIDTH) EP_(store)(to + i, EP_(set)(0));
    if (i < n) EP_(store_some)(to + i, EP_(set)(0), n - i);
}

/* to[i] = x[stride i + from] for i < n, 0 where that lies outside 0 .. size - 1; an element is `lanes` numbers. */
static inline void EP_FULL_NAME(_window)(EP_NUMBER *to, size_t n, const EP_NUMBER *x, ptrdiff_t from, size_t stride,
                                         size_t size, const size_t lanes) {
    const ptrdiff_t step = (ptrdiff_t)stride, past = (ptrdiff_t)size - from;
    size_t low = from < 0 ? (size_t)((-from + step - 1) / step) : 0, high = past > 0 ? (size_t)((past + step - 1) / step) : 0;
    if (low > n) low = n;
    if (high > n) high = n;
    if (high < low) high = low;
    EP_FULL_NAME(_clear)(to, low * lanes);
    if (stride == 1) {
        EP_FULL_NAME(_move)(to + low * lanes, x + (size_t)((ptrdiff_t)low + from) * lanes, (high - low) * lanes);
    } else {
        for (size_t i = low; i < high; i++)
            for (size_t l = 0; l < lanes; l++) to[i * lanes + l] = x[(size_t)((ptrdiff_t)(i * stride) + from) * lanes + l];
    }
    EP_FULL_NAME(_clear)(to + high * lanes, (n - high) * lanes);
}
#endif
