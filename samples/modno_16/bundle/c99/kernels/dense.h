/* SPDX-License-Identifier: Apache-2.0 */
/* A dense layer of one precision and one activation; included once for each, with
 *   EP_NAME   prefix of the functions to define: <EP_NAME>_row and <EP_NAME>_lanes
 *   EP_TYPE   f32 or f64
 *   EP_ACT    a lane function; ep_same_<type> for none
 *   EP_ACTS   1, or 0 for none
 *   EP_STORED 16 or 8 where the weights are halves or bytes (stored.h), undefined where they are numbers of EP_TYPE
 *
 *   y[o, l] = act(bias[o] + sum_k w[k, o] x[k, l])
 *
 * A byte stands for the product byte * scale[o], rounded; the functions have the parameter scale [N] then, after wk.
 * The sum is the bias, then chunks of EP_CHUNK terms in order, each a chain of fused multiply-adds from zero.
 */
#include "generic.h"

#ifndef EDGEPDE_DENSE_H
#define EDGEPDE_DENSE_H
#define EP_EACH4(step) step(0) step(1) step(2) step(3)
/* Vectors of accumulators that fill the registers of each processor. */
#if EP_VECTOR_BYTES == 32
#define EP_ACCUMULATORS 8
#else
#define EP_ACCUMULATORS 16
#endif

static inline size_t ep_chunk_end(size_t from, size_t count) {
    return count - from < EP_CHUNK ? count : from + EP_CHUNK;
}
#endif

#define EP_FULL_NAME(part) EP_JOIN(EP_NAME, part)
/* The type of a weight, lanes of weights at p (where s is their scale), and what only bytes need. */
#ifndef EP_STORED
#define EP_WEIGHT EP_NUMBER
#define EP_READ(p, s) EP_(load)(p)
#define EP_BYTES(...)
#elif EP_STORED == 16
#define EP_WEIGHT uint16_t
#define EP_READ(p, s) EP_(load_half)(p)
#define EP_BYTES(...)
#else
#define EP_WEIGHT int8_t
#define EP_READ(p, s) (EP_(load_byte)(p) * (s))
#define EP_BYTES(...) __VA_ARGS__
#endif

#if EP_VECTOR_BYTES
/* `vectors` (1, 2 or 4) vectors of outputs of one row; two chunks at a time keep the multipliers busy. */
EP_INLINE void EP_FULL_NAME(_panel)(const int vectors, size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w,
                                    size_t wk EP_BYTES(, const EP_NUMBER *scale), const EP_NUMBER *bias, EP_NUMBER *y) {
    EP_LANES sum[4], a[4], b[4] EP_BYTES(, s[4]);
    for (int v = 0; v < vectors; v++) sum[v] = bias ? EP_(load)(bias + v * EP_WIDTH) : EP_(set)(0);
    EP_BYTES(for (int v = 0; v < vectors; v++) s[v] = EP_(load)(scale + v * EP_WIDTH);)
    for (size_t from = 0; from < K; from += 2 * EP_CHUNK) {
        const size_t middle = ep_chunk_end(from, K), to = ep_chunk_end(middle, K);
        size_t k = from;
        for (int v = 0; v < vectors; v++) a[v] = b[v] = EP_(set)(0);
        for (; k + EP_CHUNK < to; k++) {
            const EP_LANES p = EP_(set)(x[k]), q = EP_(set)(x[k + EP_CHUNK]);
            for (int v = 0; v < vectors; v++) {
                a[v] = EP_(fma)(p, EP_READ(w + k * wk + v * EP_WIDTH, s[v]), a[v]);
                b[v] = EP_(fma)(q, EP_READ(w + (k + EP_CHUNK) * wk + v * EP_WIDTH, s[v]), b[v]);
            }
        }
        for (; k < middle; k++) {
            const EP_LANES p = EP_(set)(x[k]);
            for (int v = 0; v < vectors; v++) a[v] = EP_(fma)(p, EP_READ(w + k * wk + v * EP_WIDTH, s[v]), a[v]);
        }
        for (int v = 0; v < vectors; v++) sum[v] = sum[v] + a[v];
        if (to > middle)
            for (int v = 0; v < vectors; v++) sum[v] = sum[v] + b[v];
    }
    for (int v = 0; v < vectors; v++) {
        const size_t left = N - (size_t)v * EP_WIDTH;
        if (left >= EP_WIDTH) EP_(store)(y + v * EP_WIDTH, EP_ACT(sum[v]));
        else EP_(store_some)(y + v * EP_WIDTH, EP_ACT(sum[v]), left);
    }
}

/* One row, lanes across outputs: x [K], w [K, N] in rows of wk numbers, bias [N] or NULL, y [N].
 * Rows of w, the scale and the bias must be readable up to one vector past their end. */
EP_APART void EP_FULL_NAME(_row)(size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w,
                                  size_t wk EP_BYTES(, const EP_NUMBER *scale), const EP_NUMBER *bias, EP_NUMBER *y) {
    size_t o = 0;
    for (; o + 3 * EP_WIDTH < N; o += 4 * EP_WIDTH)
        EP_FULL_NAME(_panel)(4, K, N - o, x, w + o, wk EP_BYTES(, scale + o), bias ? bias + o : NULL, y + o);
    for (; o + EP_WIDTH < N; o += 2 * EP_WIDTH)
        EP_FULL_NAME(_panel)(2, K, N - o, x, w + o, wk EP_BYTES(, scale + o), bias ? bias + o : NULL, y + o);
    if (o < N) EP_FULL_NAME(_panel)(1, K, N - o, x, w + o, wk EP_BYTES(, scale + o), bias ? bias + o : NULL, y + o);
}

#define EP_VECTORS (EP_TILE / EP_WIDTH)

/* One chunk, terms 0 .. terms - 1, of `outputs` outputs of a tile; the first begins with the bias. */
EP_INLINE void EP_FULL_NAME(_chunk)(const size_t outputs, size_t terms, const int first, const EP_NUMBER *x,
                                    const EP_NUMBER *w, size_t wk, const EP_NUMBER *bias, EP_NUMBER *y) {
    EP_LANES a[EP_ACCUMULATORS / EP_VECTORS][EP_VECTORS], p[EP_VECTORS];
    for (size_t o = 0; o < outputs; o++)
        for (size_t v = 0; v < EP_VECTORS; v++) a[o][v] = EP_(set)(0);
    for (size_t k = 0; k < terms; k++) {
        for (size_t v = 0; v < EP_VECTORS; v++) p[v] = EP_(load)(x + k * EP_TILE + v * EP_WIDTH);
        for (size_t o = 0; o < outputs; o++)
            for (size_t v = 0; v < EP_VECTORS; v++) a[o][v] = EP_(fma)(EP_(set)(w[k * wk + o]), p[v], a[o][v]);
    }
    for (size_t o = 0; o < outputs; o++)
        for (size_t v = 0; v < EP_VECTORS; v++) {
            EP_NUMBER *out = y + o * EP_TILE + v * EP_WIDTH;
            EP_(store)(out, (first ? EP_(set)(bias ? bias[o] : 0) : EP_(load)(out)) + a[o][v]);
        }
}

/* The activation, apart from the sums, which keep their registers so. */
EP_INLINE void EP_FULL_NAME(_acted)(size_t outputs, EP_NUMBER *y) {
    if (EP_ACTS)
        for (EP_NUMBER *out = y; out < y + outputs * EP_TILE; out += EP_WIDTH) EP_(store)(out, EP_ACT(EP_(load)(out)));
}

#define EP_WIDE (EP_ACCUMULATORS / EP_VECTORS)
#define EP_HALF (EP_WIDE > 4 ? 4 : 1)
#ifndef EP_STORED
/* `outputs` outputs of a tile. */
EP_INLINE void EP_FULL_NAME(_block)(const size_t outputs, size_t K, const EP_NUMBER *x, const EP_NUMBER *w,
                                    size_t wk, const EP_NUMBER *bias, EP_NUMBER *y) {
    for (size_t k = 0, to; k < K; k = to) {
        to = ep_chunk_end(k, K);
        EP_FULL_NAME(_chunk)(outputs, to - k, k == 0, x + k * EP_TILE, w + k * wk, wk, bias, y);
    }
    EP_FULL_NAME(_acted)(outputs, y);
}

/* A tile of EP_TILE rows side by side: x [K, EP_TILE], w [K, N] in rows of wk numbers, bias [N] or NULL, y [N, EP_TILE]. */
EP_APART void EP_FULL_NAME(_lanes)(size_t K, size_t N, const EP_NUMBER *x, const EP_NUMBER *w, size_t wk,
                                   const EP_NUMBER *bias, EP_NUMBER *y) {
    const size_t blocks = N / EP_WIDE, halves = N % EP_WIDE / EP_HALF, singles = N % EP_WIDE % EP_HALF;
    for (size_t i = 0; i < blocks; i++, w += EP_WIDE, y += EP_WIDE * EP_TILE, bias = bias ? bias + EP_WIDE : NULL)
        EP_FULL_NAME(_block)(EP_WIDE, K, x, w, wk, bias, y);
    for (size_t i = 0; i < halves; i++, w += EP_HALF, y += EP_HALF * EP_TILE, bias = bias ? bias + EP_HALF : NULL)
        EP_FULL_NAME(_block)(EP_HALF, K, x, w, wk, bias, y);
    for (size_t i = 0; i < singles; i++, w++, y += EP_TILE, bias = bias ? bias + 1 : NULL)
        EP_FULL_NAME(_block)(1, K, x, w, wk, bias, y);
}
#else
/* The same with weights that are converted once per tile: a chunk of so many outputs at a time. */
#define EP_HELD 32
/* One chunk of `width` outputs, by blocks. */
EP_INLINE void EP_FULL_NAME(_width)(size_t width, size_t terms, const int first, const EP_NUMBER *x, const EP_NUMBER *w,
                                    const EP_NUMBER *bias, EP_NUMBER *y) {
    const size_t blocks = width / EP_WIDE, halves = width % EP_WIDE / EP_HALF, singles = width % EP_WIDE % EP_HALF;
    for (size_t i = 0; i < blocks; i++, w += EP_WIDE, y += EP_WIDE * EP_TILE, bias = bias ? bias + EP_WIDE : NULL)
        EP_FULL_NAME(_chunk)(EP_WIDE, terms, first, x, w, EP_HELD, bias, y);
    for (size_t i = 0; i < halves; i++, w += EP_HALF, y += EP_HALF * EP_TILE, bias = bias ? bias + EP_HALF : NULL)
        EP_FULL_NAME(_chunk)(EP_HALF, terms, first, x, w, EP_HELD, bias, y);
    for (size_t i = 0; i < singles; i++, w++, y += EP_TILE, bias = bias ? bias + 1 : NULL)
        EP_FULL_NAME(_chunk)(1, terms, first, x, w, EP_HELD, bias, y);
}

EP_APART void EP_FULL_NAME(_lanes)(size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w,
                                   size_t wk EP_BYTES(, const EP_NUMBER *scale), const EP_NUMBER *bias, EP_NUMBER *y) {
    EP_NUMBER held[EP_CHUNK * EP_HELD] __attribute__((aligned(64)));
    for (size_t from = 0; from < N; from += EP_HELD) {
        const size_t width = N - from < EP_HELD ? N - from : EP_HELD;
        EP_NUMBER *const out = y + from * EP_TILE;
        for (size_t k = 0, to; k < K; k = to) {
            to = ep_chunk_end(k, K);
            for (size_t j = k; j < to; j++)
                for (size_t v = 0; v < width; v += EP_WIDTH)
                    EP_(store)(held + (j - k) * EP_HELD + v,
                               EP_READ(w + j * wk + from + v, EP_(load)(scale + from + v)));
            EP_FULL_NAME(_width)(width, to - k, k == 0, x + k * EP_TILE, held, bias ? bias + from : NULL, out);
        }
        EP_FULL_NAME(_acted)(width, out);
    }
}
#undef EP_HELD
#endif
#undef EP_WIDE
#undef EP_HALF
#undef EP_VECTORS
#else
/* One row: x [K], w [K, N] in rows of wk numbers, bias [N] or NULL, y [N]; four outputs at a time are independent chains. */
static inline void EP_FULL_NAME(_row)(size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w,
                                      size_t wk EP_BYTES(, const EP_NUMBER *scale), const EP_NUMBER *bias,
                                      EP_NUMBER *y) {
    for (size_t o = 0; o < N;) {
        const size_t group = N - o < 4 ? 1 : 4;
#define EP_STEP(i) EP_NUMBER s##i = bias && i < group ? bias[o + i] : 0;
        EP_EACH4(EP_STEP)
#undef EP_STEP
        for (size_t k = 0; k < K;) {
#define EP_STEP(i) EP_NUMBER a##i = 0;
            EP_EACH4(EP_STEP)
#undef EP_STEP
            for (const size_t to = ep_chunk_end(k, K); k < to; k++) {
                const EP_NUMBER p = x[k];
                const EP_WEIGHT *const row = w + k * wk + o;
                a0 = EP_(fma)(p, EP_READ(row, scale[o]), a0);
                if (group == 4) {
                    a1 = EP_(fma)(p, EP_READ(row + 1, scale[o + 1]), a1);
                    a2 = EP_(fma)(p, EP_READ(row + 2, scale[o + 2]), a2);
                    a3 = EP_(fma)(p, EP_READ(row + 3, scale[o + 3]), a3);
                }
            }
#define EP_STEP(i) s##i = s##i + a##i;
            EP_EACH4(EP_STEP)
#undef EP_STEP
        }
#define EP_STEP(i) if (i < group) y[o + i] = EP_ACT(s##i);
        EP_EACH4(EP_STEP)
#undef EP_STEP
        o += group;
    }
}
#endif
#undef EP_WEIGHT
#undef EP_READ
#undef EP_BYTES
#undef EP_FULL_NAME
