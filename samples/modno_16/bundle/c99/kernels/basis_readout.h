/* SPDX-License-Identifier: Apache-2.0 */
/* Rows read out by a basis; included once for each element type and kind of basis, with
 *   EP_NAME   prefix of the functions to define: <EP_NAME>_row, _rows and, where there is a vector unit, _lanes
 *   EP_TYPE   f32 or f64
 *   EP_STORED 16 where the basis is halves (stored.h), undefined where it is numbers of EP_TYPE
 *
 *   y[b, n] = (sum_k x[b, k] w[k, n]) scale[n s]
 *
 * The sum is chunks of EP_CHUNK terms in order from zero, each a chain of fused multiply-adds from zero. scale NULL is
 * none, s is 0 for one scale and 1 for one per column. Nothing is read or written past the end of an array: where
 * numbers do not fill the last vector, it is computed over columns that are done.
 */
#include "stored.h"
#include "generic.h"

#ifndef EDGEPDE_BASIS_READOUT_H
#define EDGEPDE_BASIS_READOUT_H
/* Vectors of one row and of four, accumulators of a tile, and columns whose halves are converted at a time for it. */
#define EP_READOUT_WIDE 8
#define EP_READOUT_ROWS 4
#if EP_VECTOR_BYTES == 32
#define EP_READOUT_PANEL 2
#define EP_READOUT_TILE 8
#else
#define EP_READOUT_PANEL 4
#define EP_READOUT_TILE 16
#endif
#define EP_READOUT_HELD 32
#endif

#define EP_FULL_NAME(part) EP_JOIN(EP_NAME, part)
#ifndef EP_STORED
#define EP_WEIGHT EP_NUMBER
#define EP_READ(p) EP_(load)(p)
#else
#define EP_WEIGHT uint16_t
#define EP_READ(p) EP_(load_half)(p)
#endif

/* `vectors` vectors of columns for `rows` rows of x, K apart; rows of y are N apart. */
EP_INLINE void EP_FULL_NAME(_block)(const int rows, const int vectors, size_t K, size_t N, const EP_NUMBER *x,
                                    const EP_WEIGHT *w, const EP_NUMBER *scale, size_t s, EP_NUMBER *y) {
    EP_LANES sum[EP_READOUT_ROWS * EP_READOUT_WIDE], a[EP_READOUT_ROWS * EP_READOUT_WIDE], q[EP_READOUT_WIDE];
    for (int i = 0; i < rows * vectors; i++) sum[i] = EP_(set)(0);
    for (size_t k = 0; k < K;) {
        const size_t to = K - k < EP_CHUNK ? K : k + EP_CHUNK;
        for (int i = 0; i < rows * vectors; i++) a[i] = EP_(set)(0);
        for (; k < to; k++) {
            for (int v = 0; v < vectors; v++) q[v] = EP_READ(w + k * N + v * EP_WIDTH);
            for (int r = 0; r < rows; r++) {
                const EP_LANES p = EP_(set)(x[(size_t)r * K + k]);
                for (int v = 0; v < vectors; v++) a[r * vectors + v] = EP_(fma)(p, q[v], a[r * vectors + v]);
            }
        }
        for (int i = 0; i < rows * vectors; i++) sum[i] = sum[i] + a[i];
    }
    for (int v = 0; v < vectors; v++) {
        EP_LANES factor = EP_(set)(1);
        if (scale) factor = s ? EP_(load)(scale + v * EP_WIDTH) : EP_(set)(*scale);
        for (int r = 0; r < rows; r++)
            EP_(store)(y + (size_t)r * N + v * EP_WIDTH, scale ? sum[r * vectors + v] * factor : sum[r * vectors + v]);
    }
}

#if EP_VECTOR_BYTES
/* Fewer columns than a vector has lanes: through copies that have as many. */
EP_APART void EP_FULL_NAME(_few)(size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w, const EP_NUMBER *scale,
                                 size_t s, EP_NUMBER *y) {
    EP_WEIGHT held[EP_CHUNK * EP_WIDTH] __attribute__((aligned(64))) = {0};
    EP_NUMBER made[EP_WIDTH] __attribute__((aligned(64)));
    EP_LANES sum = EP_(set)(0);
    for (size_t k = 0; k < K;) {
        const size_t terms = K - k < EP_CHUNK ? K - k : EP_CHUNK;
        EP_LANES a = EP_(set)(0);
        for (size_t j = 0; j < terms; j++)
            for (size_t n = 0; n < N; n++) held[j * EP_WIDTH + n] = w[(k + j) * N + n];
        for (size_t j = 0; j < terms; j++) a = EP_(fma)(EP_(set)(x[k + j]), EP_READ(held + j * EP_WIDTH), a);
        sum = sum + a;
        k += terms;
    }
    EP_(store)(made, sum);
    for (size_t n = 0; n < N; n++) y[n] = scale ? made[n] * scale[n * s] : made[n];
}
#endif

/* All columns of `rows` rows, `most` vectors at a time. */
EP_INLINE void EP_FULL_NAME(_all)(const int rows, const int most, size_t K, size_t N, const EP_NUMBER *x,
                                  const EP_WEIGHT *w, const EP_NUMBER *scale, size_t s, EP_NUMBER *y) {
    size_t n = 0;
#define EP_BLOCK(vectors) EP_FULL_NAME(_block)(rows, vectors, K, N, x, w + n, scale ? scale + n * s : NULL, s, y + n)
#if EP_VECTOR_BYTES
    if (N < EP_WIDTH) {
        for (int r = 0; r < rows; r++) EP_FULL_NAME(_few)(K, N, x + (size_t)r * K, w, scale, s, y + (size_t)r * N);
        return;
    }
    for (; n + (size_t)most * EP_WIDTH <= N; n += (size_t)most * EP_WIDTH) EP_BLOCK(most);
#endif
    for (; n + 4 * EP_WIDTH <= N && most >= 4; n += 4 * EP_WIDTH) EP_BLOCK(4);
    for (; n + 2 * EP_WIDTH <= N; n += 2 * EP_WIDTH) EP_BLOCK(2);
    for (; n + EP_WIDTH <= N; n += EP_WIDTH) EP_BLOCK(1);
    if (n < N) {
        n = N - EP_WIDTH;
        EP_BLOCK(1);
    }
#undef EP_BLOCK
}

/* One row: x [K], w [K, N], y [N]. */
EP_APART void EP_FULL_NAME(_row)(size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w, const EP_NUMBER *scale,
                                 size_t s, EP_NUMBER *y) {
    EP_FULL_NAME(_all)(1, EP_VECTOR_BYTES ? EP_READOUT_WIDE : 4, K, N, x, w, scale, s, y);
}

/* Many rows: x [B, K], y [B, N]. */
EP_APART void EP_FULL_NAME(_rows)(size_t B, size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w,
                                  const EP_NUMBER *scale, size_t s, EP_NUMBER *y) {
    size_t b = 0;
    for (; EP_VECTOR_BYTES && b + EP_READOUT_ROWS <= B; b += EP_READOUT_ROWS)
        EP_FULL_NAME(_all)(EP_READOUT_ROWS, EP_READOUT_PANEL, K, N, x + b * K, w, scale, s, y + b * N);
    for (; b < B; b++) EP_FULL_NAME(_row)(K, N, x + b * K, w, scale, s, y + b * N);
}

#if EP_VECTOR_BYTES
#define EP_VECTORS (EP_TILE / EP_WIDTH)
#define EP_WIDE (EP_READOUT_TILE / EP_VECTORS)
/* y [columns, EP_TILE] += one chunk of terms: x [terms, EP_TILE], w [terms, ..] in rows of wk numbers. */
EP_INLINE void EP_FULL_NAME(_chunk)(const size_t columns, size_t terms, const EP_NUMBER *x, const EP_NUMBER *w,
                                    size_t wk, EP_NUMBER *y) {
    EP_LANES a[EP_READOUT_TILE], p[EP_VECTORS];
    for (size_t i = 0; i < columns * EP_VECTORS; i++) a[i] = EP_(set)(0);
    for (size_t k = 0; k < terms; k++) {
        for (size_t v = 0; v < EP_VECTORS; v++) p[v] = EP_(load)(x + k * EP_TILE + v * EP_WIDTH);
        for (size_t n = 0; n < columns; n++)
            for (size_t v = 0; v < EP_VECTORS; v++)
                a[n * EP_VECTORS + v] = EP_(fma)(EP_(set)(w[k * wk + n]), p[v], a[n * EP_VECTORS + v]);
    }
    for (size_t i = 0; i < columns * EP_VECTORS; i++)
        EP_(store)(y + i * EP_WIDTH, EP_(load)(y + i * EP_WIDTH) + a[i]);
}

EP_INLINE void EP_FULL_NAME(_chunks)(size_t N, size_t terms, const EP_NUMBER *x, const EP_NUMBER *w, size_t wk,
                                     EP_NUMBER *y) {
    size_t n = 0;
    for (; n + EP_WIDE <= N; n += EP_WIDE) EP_FULL_NAME(_chunk)(EP_WIDE, terms, x, w + n, wk, y + n * EP_TILE);
    if (EP_WIDE > 4)
        for (; n + 4 <= N; n += 4) EP_FULL_NAME(_chunk)(4, terms, x, w + n, wk, y + n * EP_TILE);
    for (; n < N; n++) EP_FULL_NAME(_chunk)(1, terms, x, w + n, wk, y + n * EP_TILE);
}

#ifdef EP_STORED
/* `width` numbers of a row of halves; a part of a vector is copied first. */
EP_INLINE void EP_FULL_NAME(_hold)(size_t width, const EP_WEIGHT *w, EP_NUMBER *held) {
    size_t v = 0;
    for (; v + EP_WIDTH <= width; v += EP_WIDTH) EP_(store)(held + v, EP_READ(w + v));
    if (v < width) {
        EP_WEIGHT few[EP_WIDTH] = {0};
        for (size_t i = 0; v + i < width; i++) few[i] = w[v + i];
        EP_(store)(held + v, EP_READ(few));
    }
}
#endif

/* EP_TILE rows side by side: x [K, EP_TILE], y [N, EP_TILE]; halves are converted once for all of them. */
EP_APART void EP_FULL_NAME(_lanes)(size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w, const EP_NUMBER *scale,
                                   size_t s, EP_NUMBER *y) {
    for (size_t i = 0; i < N * EP_TILE; i += EP_WIDTH) EP_(store)(y + i, EP_(set)(0));
    for (size_t k = 0; k < K; k += EP_CHUNK) {
        const size_t terms = K - k < EP_CHUNK ? K - k : EP_CHUNK;
#ifndef EP_STORED
        EP_FULL_NAME(_chunks)(N, terms, x + k * EP_TILE, w + k * N, N, y);
#else
        EP_NUMBER held[EP_CHUNK * EP_READOUT_HELD] __attribute__((aligned(64)));
        for (size_t n = 0; n < N; n += EP_READOUT_HELD) {
            const size_t width = N - n < EP_READOUT_HELD ? N - n : EP_READOUT_HELD;
            for (size_t j = 0; j < terms; j++)
                EP_FULL_NAME(_hold)(width, w + (k + j) * N + n, held + j * EP_READOUT_HELD);
            EP_FULL_NAME(_chunks)(width, terms, x + k * EP_TILE, held, EP_READOUT_HELD, y + n * EP_TILE);
        }
#endif
    }
    for (size_t n = 0; scale && n < N; n++)
        for (size_t v = 0; v < EP_TILE; v += EP_WIDTH)
            EP_(store)(y + n * EP_TILE + v, EP_(load)(y + n * EP_TILE + v) * EP_(set)(scale[n * s]));
}
#undef EP_VECTORS
#undef EP_WIDE
#endif
#undef EP_FULL_NAME
#undef EP_WEIGHT
#undef EP_READ
