/* SPDX-License-Identifier: Apache-2.0 */
/* One chunk of terms for several outputs over a run of numbers; included by kernels with EP_NAME, EP_TYPE and the macros
 * EP_FULL_NAME and EP_OUTPUTS_INNER: 1 where w[o, j] is w[j ws + o], 0 where it is w[o ws + j].
 *
 *   y[o, i] = (first ? bias[o] : y[o, i]) + sum_j w[o, j] x[at[j] + i],  j < terms <= EP_CHUNK, i < n
 *
 * One chain of fused multiply-adds from zero; bias NULL is 0. Nothing is read or written past a run's end.
 */
#ifdef EP_NAME
#ifndef EDGEPDE_PANEL_H
#define EDGEPDE_PANEL_H
/* Outputs of a block and vectors of each: their accumulators stay in registers. */
#if EP_VECTOR_BYTES == 32
#define EP_PANEL_OUTPUTS 4
#define EP_PANEL_VECTORS 2
#elif EP_VECTOR_BYTES
#define EP_PANEL_OUTPUTS 8
#define EP_PANEL_VECTORS 2
#else
#define EP_PANEL_OUTPUTS 4
#define EP_PANEL_VECTORS 1
#endif
#endif

EP_INLINE void EP_FULL_NAME(_block)(const size_t outputs, const size_t vectors, const int whole, size_t terms, const EP_NUMBER *x,
                                    const size_t *at, const EP_NUMBER *w, size_t ws, const int first,
                                    const EP_NUMBER *bias, EP_NUMBER *y, size_t yo, size_t left) {
    EP_LANES a[EP_PANEL_OUTPUTS * EP_PANEL_VECTORS], p[EP_PANEL_VECTORS];
    for (size_t i = 0; i < outputs * vectors; i++) a[i] = EP_(set)(0);
    for (size_t j = 0; j < terms; j++) {
        for (size_t v = 0; v < vectors; v++) p[v] = whole ? EP_(load)(x + at[j] + v * EP_WIDTH) : EP_(load_some)(x + at[j], left);
        for (size_t o = 0; o < outputs; o++) {
            const EP_LANES q = EP_(set)(w[EP_OUTPUTS_INNER ? j * ws + o : o * ws + j]);
            for (size_t v = 0; v < vectors; v++) a[o * vectors + v] = EP_(fma)(q, p[v], a[o * vectors + v]);
        }
    }
    for (size_t o = 0; o < outputs; o++)
        for (size_t v = 0; v < vectors; v++) {
            EP_NUMBER *const out = y + o * yo + v * EP_WIDTH;
            if (whole) {
                EP_(store)(out, (first ? EP_(set)(bias ? bias[o] : 0) : EP_(load)(out)) + a[o * vectors + v]);
            } else {
                const EP_LANES before = first ? EP_(set)(bias ? bias[o] : 0) : EP_(load_some)(out, left);
                EP_(store_some)(out, before + a[o * vectors + v], left);
            }
        }
}

/* All outputs of some vectors, or of the first `left` lanes of one where it is not whole. */
EP_INLINE void EP_FULL_NAME(_blocks)(const size_t vectors, const int whole, size_t outputs, size_t terms, const EP_NUMBER *x,
                                     const size_t *at, const EP_NUMBER *w, size_t ws, const int first,
                                     const EP_NUMBER *bias, EP_NUMBER *y, size_t yo, size_t left) {
    size_t o = 0;
    for (; o + EP_PANEL_OUTPUTS <= outputs; o += EP_PANEL_OUTPUTS)
        EP_FULL_NAME(_block)(EP_PANEL_OUTPUTS, vectors, whole, terms, x, at, w + (EP_OUTPUTS_INNER ? o : o * ws), ws, first, bias ? bias + o : NULL,
                             y + o * yo, yo, left);
    if (EP_PANEL_OUTPUTS > 4)
        for (; o + 4 <= outputs; o += 4)
            EP_FULL_NAME(_block)(4, vectors, whole, terms, x, at, w + (EP_OUTPUTS_INNER ? o : o * ws), ws, first, bias ? bias + o : NULL, y + o * yo,
                                 yo, left);
    for (; o < outputs; o++)
        EP_FULL_NAME(_block)(1, vectors, whole, terms, x, at, w + (EP_OUTPUTS_INNER ? o : o * ws), ws, first, bias ? bias + o : NULL, y + o * yo, yo,
                             left);
}

EP_APART void EP_FULL_NAME(_panel)(size_t outputs, size_t terms, size_t n, const EP_NUMBER *x, const size_t *at,
                                   const EP_NUMBER *w, size_t ws, const int first, const EP_NUMBER *bias,
                                   EP_NUMBER *y, size_t yo) {
    size_t i = 0;
    for (; i + EP_PANEL_VECTORS * EP_WIDTH <= n; i += EP_PANEL_VECTORS * EP_WIDTH)
        EP_FULL_NAME(_blocks)(EP_PANEL_VECTORS, 1, outputs, terms, x + i, at, w, ws, first, bias, y + i, yo, EP_WIDTH);
    for (; i + EP_WIDTH <= n; i += EP_WIDTH)
        EP_FULL_NAME(_blocks)(1, 1, outputs, terms, x + i, at, w, ws, first, bias, y + i, yo, EP_WIDTH);
    if (i < n) EP_FULL_NAME(_blocks)(1, 0, outputs, terms, x + i, at, w, ws, first, bias, y + i, yo, n - i);
}
#endif
