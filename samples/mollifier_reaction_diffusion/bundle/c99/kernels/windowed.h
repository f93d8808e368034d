/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over windows along a run of numbers; included by kernels with EP_NAME, EP_TYPE and the macro EP_FULL_NAME.
 *
 *   y_o[i] = sum_j w_o[j] x[place(j) + i]  _same:   one row of weights for the whole run, several of one window at once
 *   y_o[i] = sum_j w_o[j, i] x[j + i]      _placed: weights of its own for every number, several runs at once
 *   y_o[i] = sum_j w_o[j, i] x[j]          _edge:   of its own, one window for the whole run
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
/* Runs that share weights. */
#define EP_WINDOWED_RUNS 4
#endif

typedef struct {
    size_t count, terms, ws; /* weights of the next term are ws numbers on */
    size_t step, wrap, back;
    const EP_NUMBER *w[EP_WINDOWED_OUTPUTS];
    EP_NUMBER *y[EP_WINDOWED_OUTPUTS];
} EP_FULL_NAME(_group);

/* So many vectors of every y, or `left` numbers; weights are w + from on, results y + to. */
EP_INLINE void EP_FULL_NAME(_vectors)(const size_t outputs, const size_t vectors, const int whole, const EP_FULL_NAME(_group) *g,
                                      size_t left, const EP_NUMBER *x, size_t from, size_t to) {
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
            for (size_t v = 0; v < vectors; v++) p[v] = whole ? EP_(load)(at + v * EP_WIDTH) : EP_(load_some)(at, left);
            for (size_t o = 0; o < outputs; o++) {
                const EP_LANES q = EP_(set)(w[o][j * ws]);
                for (size_t v = 0; v < vectors; v++) chain[o * vectors + v] = EP_(fma)(q, p[v], chain[o * vectors + v]);
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
EP_INLINE void EP_FULL_NAME(_run)(const size_t outputs, const EP_FULL_NAME(_group) *g, size_t n, const EP_NUMBER *x, size_t from,
                                  size_t to) {
    if (n < EP_WIDTH) EP_FULL_NAME(_vectors)(outputs, 1, 0, g, n, x, from, to);
    else
        for (size_t i = 0; i < n;) {
            size_t v = (n - i + EP_WIDTH - 1) / EP_WIDTH;
            v = v < EP_WINDOWED_VECTORS ? v : EP_WINDOWED_VECTORS;
            if (v * EP_WIDTH > n) v--;
            i = i + v * EP_WIDTH > n ? n - v * EP_WIDTH : i;
#if EP_WINDOWED_VECTORS > 3
            if (v == 4) EP_FULL_NAME(_vectors)(outputs, 4, 1, g, 0, x + i, from, to + i);
            else
#endif
#if EP_WINDOWED_VECTORS > 1
                if (v == 3) EP_FULL_NAME(_vectors)(outputs, 3, 1, g, 0, x + i, from, to + i);
            else if (v == 2) EP_FULL_NAME(_vectors)(outputs, 2, 1, g, 0, x + i, from, to + i);
            else
#endif
                EP_FULL_NAME(_vectors)(outputs, 1, 1, g, 0, x + i, from, to + i);
            i += v * EP_WIDTH;
        }
}

EP_APART void EP_FULL_NAME(_same)(const EP_FULL_NAME(_group) *g, size_t n, const EP_NUMBER *x, size_t from, size_t to) {
#if EP_WINDOWED_OUTPUTS > 3
    if (g->count == 4) EP_FULL_NAME(_run)(4, g, n, x, from, to);
    else
#endif
        if (g->count == 3) EP_FULL_NAME(_run)(3, g, n, x, from, to);
    else if (g->count == 2) EP_FULL_NAME(_run)(2, g, n, x, from, to);
    else EP_FULL_NAME(_run)(1, g, n, x, from, to);
}

/* One vector, or its first numbers, of several runs `apart` from each other in x and y. */
EP_INLINE void EP_FULL_NAME(_columns)(const size_t runs, const int whole, const int moves, size_t terms, size_t ws, size_t left,
                                      const EP_NUMBER *w, const EP_NUMBER *x, EP_NUMBER *y, size_t apart) {
    EP_LANES total[EP_WINDOWED_RUNS], chain[EP_WINDOWED_RUNS];
    for (size_t r = 0; r < runs; r++) total[r] = EP_(set)(0);
    for (size_t begin = 0, j = 0; begin < terms; begin += EP_CHUNK) {
        const size_t end = terms - begin < EP_CHUNK ? terms : begin + EP_CHUNK;
        for (size_t r = 0; r < runs; r++) chain[r] = EP_(set)(0);
        for (; j < end; j++) {
            const EP_LANES q = whole ? EP_(load)(w + j * ws) : EP_(load_some)(w + j * ws, left);
            for (size_t r = 0; r < runs; r++) {
                const EP_NUMBER *const at = x + r * apart + j;
                const EP_LANES p = !moves ? EP_(set)(*at) : whole ? EP_(load)(at) : EP_(load_some)(at, left);
                chain[r] = EP_(fma)(q, p, chain[r]);
            }
        }
        for (size_t r = 0; r < runs; r++) total[r] = total[r] + chain[r];
    }
    for (size_t r = 0; r < runs; r++) {
        if (whole) EP_(store)(y + r * apart, total[r]);
        else EP_(store_some)(y + r * apart, total[r], left);
    }
}

/* Runs of n numbers, several at once; moves: 1 where windows move with the numbers. */
EP_INLINE void EP_FULL_NAME(_weighed)(const EP_FULL_NAME(_group) *g, const int moves, size_t runs, size_t n, const EP_NUMBER *x,
                                      size_t apart, size_t from, size_t to) {
    for (size_t o = 0; o < g->count; o++)
        for (size_t r = 0; r < runs;) {
            const size_t together = runs - r < EP_WINDOWED_RUNS ? 1 : EP_WINDOWED_RUNS;
            for (size_t i = 0; i < n; i += EP_WIDTH) {
                const size_t first = n < EP_WIDTH ? 0 : i + EP_WIDTH > n ? n - EP_WIDTH : i;
                const EP_NUMBER *const w = g->w[o] + from + first, *const in = x + r * apart + (moves ? first : 0);
                EP_NUMBER *const y = g->y[o] + to + first + r * apart;
                if (together > 1 && n >= EP_WIDTH) EP_FULL_NAME(_columns)(EP_WINDOWED_RUNS, 1, moves, g->terms, g->ws, 0, w, in, y, apart);
                else if (together > 1) EP_FULL_NAME(_columns)(EP_WINDOWED_RUNS, 0, moves, g->terms, g->ws, n, w, in, y, apart);
                else if (n >= EP_WIDTH) EP_FULL_NAME(_columns)(1, 1, moves, g->terms, g->ws, 0, w, in, y, apart);
                else EP_FULL_NAME(_columns)(1, 0, moves, g->terms, g->ws, n, w, in, y, apart);
            }
            r += together;
        }
}

EP_APART void EP_FULL_NAME(_placed)(const EP_FULL_NAME(_group) *g, size_t runs, size_t n, const EP_NUMBER *x, size_t apart,
                                    size_t from, size_t to) {
    EP_FULL_NAME(_weighed)(g, 1, runs, n, x, apart, from, to);
}

EP_APART void EP_FULL_NAME(_edge)(const EP_FULL_NAME(_group) *g, size_t runs, size_t n, const EP_NUMBER *x, size_t apart,
                                  size_t from, size_t to) {
    EP_FULL_NAME(_weighed)(g, 0, runs, n, x, apart, from, to);
}

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
