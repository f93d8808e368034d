/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over windows along a run of numbers, several of one window at once; included by kernels with EP_NAME, EP_TYPE and
 * the macro EP_FULL_NAME.
 *
 *   y_o[i] = sum_j w_o[j] x[place(j) + i]     _same:   one row of weights for the whole run
 *   y_o[i] = sum_j w_o[j, i] x[place(j) + i]  _placed: weights of its own for every number
 *   y_o[i] = sum_j w_o[j, i] x[place(j)]      _edge:   of its own, one window for the whole run
 *
 * j < terms in chunks of EP_CHUNK, each one chain of fused multiply-adds from zero; place(j) = j step, less `back` from
 * j = wrap on. Where numbers do not fill the last vectors, some are computed twice: nothing lies past a run's end.
 */
#ifdef EP_NAME
#ifndef EDGEPDE_WINDOWED_H
#define EDGEPDE_WINDOWED_H
#if EP_VECTOR_BYTES == 32
#define EP_WINDOWED_OUTPUTS 3
#define EP_WINDOWED_VECTORS 3
#elif EP_VECTOR_BYTES
#define EP_WINDOWED_OUTPUTS 4
#define EP_WINDOWED_VECTORS 4
#else
#define EP_WINDOWED_OUTPUTS 4
#define EP_WINDOWED_VECTORS 1
#endif
enum { EP_WINDOWED_SAME, EP_WINDOWED_PLACED, EP_WINDOWED_EDGE };
#endif

typedef struct {
    size_t count, terms, ws; /* weights of the next term are ws numbers on */
    size_t step, wrap, back;
    const EP_NUMBER *w[EP_WINDOWED_OUTPUTS];
    EP_NUMBER *y[EP_WINDOWED_OUTPUTS];
} EP_FULL_NAME(_group);

/* Number i and so many vectors from it on of every y, or `left` numbers; weights begin at w + from, results at y + to. */
EP_INLINE void EP_FULL_NAME(_vectors)(const size_t outputs, const size_t vectors, const int whole, const int kind,
                                      const EP_FULL_NAME(_group) *g, size_t left, const EP_NUMBER *x, size_t from, size_t to) {
    EP_LANES total[EP_WINDOWED_OUTPUTS * EP_WINDOWED_VECTORS], chain[EP_WINDOWED_OUTPUTS * EP_WINDOWED_VECTORS];
    const EP_NUMBER *w[EP_WINDOWED_OUTPUTS];
    const size_t ws = g->ws, step = g->step, terms = g->terms, wrap = g->wrap, back = g->back;
    for (size_t o = 0; o < outputs; o++) w[o] = g->w[o] + from;
    for (size_t a = 0; a < outputs * vectors; a++) total[a] = EP_(set)(0);
    for (size_t begin = 0, j = 0; begin < terms; begin += EP_CHUNK) {
        const size_t end = terms - begin < EP_CHUNK ? terms : begin + EP_CHUNK;
        for (size_t a = 0; a < outputs * vectors; a++) chain[a] = EP_(set)(0);
        for (; j < end; j++) {
            EP_LANES p[EP_WINDOWED_VECTORS];
            const EP_NUMBER *const at = x + j * step - (j < wrap ? 0 : back);
            for (size_t v = 0; v < vectors; v++)
                p[v] = kind == EP_WINDOWED_EDGE ? EP_(set)(*at)
                       : whole                  ? EP_(load)(at + v * EP_WIDTH)
                                                : EP_(load_some)(at, left);
            for (size_t o = 0; o < outputs; o++) {
                const EP_NUMBER *const own = w[o] + j * ws;
                for (size_t v = 0; v < vectors; v++) {
                    const EP_LANES q = kind == EP_WINDOWED_SAME ? EP_(set)(*own)
                                       : whole ? EP_(load)(own + v * EP_WIDTH)
                                               : EP_(load_some)(own, left);
                    chain[o * vectors + v] = EP_(fma)(q, p[v], chain[o * vectors + v]);
                }
            }
        }
        for (size_t a = 0; a < outputs * vectors; a++) total[a] = total[a] + chain[a];
    }
    for (size_t o = 0; o < outputs; o++)
        for (size_t v = 0; v < vectors; v++) {
            if (whole) EP_(store)(g->y[o] + to + v * EP_WIDTH, total[o * vectors + v]);
            else EP_(store_some)(g->y[o] + to, total[o * vectors + v], left);
        }
}

/* A run of n numbers: as many vectors at once as there are, the last of them back over what is done. */
EP_INLINE void EP_FULL_NAME(_run)(const size_t outputs, const int kind, const EP_FULL_NAME(_group) *g, size_t n,
                                  const EP_NUMBER *x, size_t from, size_t to) {
    const size_t apart = kind == EP_WINDOWED_SAME ? 0 : 1, moves = kind == EP_WINDOWED_EDGE ? 0 : 1;
    const size_t most = kind == EP_WINDOWED_SAME ? EP_WINDOWED_VECTORS : 1;
    size_t i = 0;
    if (n < EP_WIDTH) EP_FULL_NAME(_vectors)(outputs, 1, 0, kind, g, n, x, from, to);
    else
        while (i < n) {
            size_t v = (n - i + EP_WIDTH - 1) / EP_WIDTH;
            v = v < most ? v : most;
            if (v * EP_WIDTH > n) v--;
            i = i + v * EP_WIDTH > n ? n - v * EP_WIDTH : i;
#define EP_RUN(vectors) EP_FULL_NAME(_vectors)(outputs, vectors, 1, kind, g, 0, x + moves * i, from + apart * i, to + i)
#if EP_WINDOWED_VECTORS > 3
            if (v == 4 && most > 3) EP_RUN(4);
            else
#endif
#if EP_WINDOWED_VECTORS > 1
                if (v == 3 && most > 2) EP_RUN(3);
            else if (v == 2 && most > 1) EP_RUN(2);
            else
#endif
                EP_RUN(1);
#undef EP_RUN
            i += v * EP_WIDTH;
        }
}

#define EP_WINDOWED(name, kind) \
    EP_APART void EP_FULL_NAME(name)(const EP_FULL_NAME(_group) *g, size_t n, const EP_NUMBER *x, size_t from, size_t to) { \
        EP_WINDOWED_MORE(kind) \
        if (g->count == 3) EP_FULL_NAME(_run)(3, kind, g, n, x, from, to); \
        else if (g->count == 2) EP_FULL_NAME(_run)(2, kind, g, n, x, from, to); \
        else EP_FULL_NAME(_run)(1, kind, g, n, x, from, to); \
    }
#if EP_WINDOWED_OUTPUTS > 3
#define EP_WINDOWED_MORE(kind) \
    if (g->count == 4) EP_FULL_NAME(_run)(4, kind, g, n, x, from, to); \
    else
#else
#define EP_WINDOWED_MORE(kind)
#endif
EP_WINDOWED(_same, EP_WINDOWED_SAME)
EP_WINDOWED(_placed, EP_WINDOWED_PLACED)
EP_WINDOWED(_edge, EP_WINDOWED_EDGE)
#undef EP_WINDOWED_MORE
#undef EP_WINDOWED

/* y = (first ? 0 : y) + sum_k c_k x_k, one chunk of terms; no terms: zeros. */
EP_APART void EP_FULL_NAME(_sum)(size_t terms, size_t n, const EP_NUMBER *c, const EP_NUMBER *const *x, const int first,
                                 EP_NUMBER *y) {
    for (size_t i = 0; i < n; i += EP_WIDTH) {
        const size_t left = n - i < EP_WIDTH ? n - i : EP_WIDTH;
        const int whole = left == EP_WIDTH;
        const EP_LANES before = first ? EP_(set)(0) : whole ? EP_(load)(y + i) : EP_(load_some)(y + i, left);
        EP_LANES a = EP_(set)(0);
        for (size_t k = 0; k < terms; k++)
            a = EP_(fma)(EP_(set)(c[k]), whole ? EP_(load)(x[k] + i) : EP_(load_some)(x[k] + i, left), a);
        if (whole) EP_(store)(y + i, before + a);
        else EP_(store_some)(y + i, before + a, left);
    }
}
#endif
