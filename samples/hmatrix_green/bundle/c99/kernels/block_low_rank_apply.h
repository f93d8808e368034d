/* SPDX-License-Identifier: Apache-2.0 */
/* y = A x with A in dense and low-rank blocks; included once for each element type and kind of factors, with
 *   EP_NAME   prefix of the functions to define: <EP_NAME>_row and, where there is a vector unit, <EP_NAME>_lanes
 *   EP_TYPE   f32 or f64
 *   EP_INDEX  integer type of groups and index
 *   EP_STORED 16 where the factors are halves (stored.h), undefined where they are numbers of EP_TYPE
 *
 *   t = concat_g R_g^T x[columns of g];  y[rows of h] = y[rows of h] + L_h^T s[index of h], s = concat(t, x), y from 0
 *
 * Each sum is chunks of EP_CHUNK terms in order from zero, each a chain of fused multiply-adds from zero; groups of rows
 * are added in their order. Factors are read once, from their beginning to their end: chunk by chunk of the terms, all
 * outputs of a chunk, so that a group's rows follow each other in memory as the processor fetches them.
 */
#include "stored.h"
#include "generic.h"

#ifndef EDGEPDE_BLOCK_LOW_RANK_APPLY_H
#define EDGEPDE_BLOCK_LOW_RANK_APPLY_H
/* Accumulators of a row, and of a tile of rows. */
#define EP_BLOCKS_CHAINS 8
#if EP_VECTOR_BYTES == 32
#define EP_BLOCKS_TILE 8
#else
#define EP_BLOCKS_TILE 16
#endif
/* Outputs whose halves are converted at a time for a tile of rows. */
#define EP_BLOCKS_HELD 32

/* Numbers of scratch per row, ranks T in all, n columns, at most `entries` read and `size` rows in a group of rows. */
#define EP_BLOCKS_UP(n) (((n) + (size_t)15) / 16 * 16)
#define EP_BLOCKS_SCRATCH(T, n, entries, size) \
    (EP_BLOCKS_UP((size_t)(T) + (n) + 16) + EP_BLOCKS_UP((size_t)(entries)) + EP_BLOCKS_UP((size_t)(size) + 16))
/* Numbers of scratch besides where factors may not be read past their end: most rows of a group, or its rank. */
#define EP_BLOCKS_SPARE(width) (EP_CHUNK * (size_t)(width) + 16)

typedef struct {
    size_t column_groups, row_groups, columns, rows, ranks, entries, size; /* the last two: the most of one group */
} ep_blocks;
#endif

#define EP_FULL_NAME(part) EP_JOIN(EP_NAME, part)
#ifndef EP_STORED
#define EP_WEIGHT EP_NUMBER
#define EP_READ(p) EP_(load)(p)
#else
#define EP_WEIGHT uint16_t
#define EP_READ(p) EP_(load_half)(p)
#endif

/* sum += `chains` chunks of terms, in order, the last of `last` terms, for `vectors` vectors of outputs; term k is that
 * of x[at[k]], or of x[k] where `at` is NULL. */
EP_INLINE void EP_FULL_NAME(_chunks)(const int vectors, const int chains, const size_t last, const EP_NUMBER *x,
                                     const EP_INDEX *at, const EP_WEIGHT *w, size_t wk, EP_LANES *sum) {
    EP_LANES a[EP_BLOCKS_CHAINS];
    size_t j = 0;
    for (int i = 0; i < vectors * chains; i++) a[i] = EP_(set)(0);
#define EP_TERM(count) \
    for (int c = 0; c < (count); c++) { \
        const size_t k = (size_t)c * EP_CHUNK + j; \
        const EP_LANES p = EP_(set)(x[at ? (size_t)at[k] : k]); \
        for (int v = 0; v < vectors; v++) \
            a[c * vectors + v] = EP_(fma)(p, EP_READ(w + k * wk + v * EP_WIDTH), a[c * vectors + v]); \
    }
    for (; j < last; j++) EP_TERM(chains)
    for (; chains > 1 && j < EP_CHUNK; j++) EP_TERM(chains - 1)
#undef EP_TERM
    for (int c = 0; c < chains; c++)
        for (int v = 0; v < vectors; v++) sum[v] = sum[v] + a[c * vectors + v];
}

/* The sums of K products where `vectors` vectors hold all outputs; `chains` chunks at a time keep the units busy. */
EP_INLINE void EP_FULL_NAME(_narrow)(const int vectors, const int chains, size_t K, size_t N, const EP_NUMBER *x,
                                     const EP_INDEX *at, const EP_WEIGHT *w, EP_LANES *sum) {
    const size_t step = (size_t)chains * EP_CHUNK;
    size_t k = 0;
    for (int v = 0; v < vectors; v++) sum[v] = EP_(set)(0);
#define EP_CHUNKS(c, last) \
    EP_FULL_NAME(_chunks)(vectors, chains < (c) ? 1 : (c), last, at ? x : x + k, at ? at + k : NULL, w + k * N, N, sum)
    for (; K - k >= step; k += step) EP_CHUNKS(chains, EP_CHUNK);
    const size_t rest = (K - k + EP_CHUNK - 1) / EP_CHUNK, last = K - k - (rest ? rest - 1 : 0) * EP_CHUNK;
    if (rest == 1) EP_CHUNKS(1, last);
    if (chains >= 2 && rest == 2) EP_CHUNKS(2, last);
    if (chains >= 4 && rest == 3) EP_CHUNKS(3, last);
    if (chains >= 4 && rest == 4) EP_CHUNKS(4, last);
#undef EP_CHUNKS
}

/* thin: y = the sums, y written up to a vector past its end; wide: y += the sums of x[at[k]]. */
#define EP_NARROW(vectors, chains) \
    EP_APART void EP_JOIN(EP_FULL_NAME(_thin), vectors)(size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w, \
                                                        EP_NUMBER *y) { \
        EP_LANES sum[vectors]; \
        EP_FULL_NAME(_narrow)(vectors, chains, K, N, x, NULL, w, sum); \
        for (int v = 0; v < vectors; v++) EP_(store)(y + v * EP_WIDTH, sum[v]); \
    } \
    EP_APART void EP_JOIN(EP_FULL_NAME(_wide), vectors)(size_t K, size_t N, const EP_NUMBER *x, const EP_INDEX *at, \
                                                        const EP_WEIGHT *w, EP_NUMBER *y) { \
        const size_t left = N - (vectors - 1) * EP_WIDTH; \
        EP_LANES sum[vectors]; \
        EP_FULL_NAME(_narrow)(vectors, chains, K, N, x, at, w, sum); \
        for (int v = 0; v < vectors - 1; v++, y += EP_WIDTH) EP_(store)(y, EP_(load)(y) + sum[v]); \
        if (left == EP_WIDTH) EP_(store)(y, EP_(load)(y) + sum[vectors - 1]); \
        else EP_(store_some)(y, EP_(load_some)(y, left) + sum[vectors - 1], left); \
    }
#if EP_VECTOR_BYTES
EP_NARROW(1, 4) EP_NARROW(2, 4) EP_NARROW(3, 2) EP_NARROW(4, 2) EP_NARROW(5, 1) EP_NARROW(6, 1) EP_NARROW(7, 1)
EP_NARROW(8, 1)
#define EP_EACH_CASE EP_CASE(1) EP_CASE(2) EP_CASE(3) EP_CASE(4) EP_CASE(5) EP_CASE(6) EP_CASE(7) EP_CASE(8)
#else
EP_NARROW(1, 1) EP_NARROW(2, 1) EP_NARROW(3, 1) EP_NARROW(4, 1)
#define EP_EACH_CASE EP_CASE(1) EP_CASE(2) EP_CASE(3) EP_CASE(4)
#endif
#undef EP_NARROW

/* y += one chunk of terms for `vectors` vectors of outputs. */
EP_INLINE void EP_FULL_NAME(_panel)(const int vectors, size_t terms, const EP_NUMBER *x, const EP_WEIGHT *w, size_t wk,
                                    EP_NUMBER *y) {
    EP_LANES sum[EP_BLOCKS_CHAINS];
    for (int v = 0; v < vectors; v++) sum[v] = EP_(load)(y + v * EP_WIDTH);
    EP_FULL_NAME(_chunks)(vectors, 1, terms, x, NULL, w, wk, sum);
    for (int v = 0; v < vectors; v++) EP_(store)(y + v * EP_WIDTH, sum[v]);
}

/* y [N] = sum_k x[k] w[k, n] for any N, a chunk of terms at a time. */
EP_APART void EP_FULL_NAME(_broad)(size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w, EP_NUMBER *y) {
    for (size_t o = 0; o < N; o += EP_WIDTH) EP_(store)(y + o, EP_(set)(0));
    for (size_t k = 0; k < K; k += EP_CHUNK) {
        const size_t terms = K - k < EP_CHUNK ? K - k : EP_CHUNK;
        const EP_WEIGHT *const row = w + k * N;
        size_t o = 0;
#if EP_VECTOR_BYTES
        for (; o + 7 * EP_WIDTH < N; o += 8 * EP_WIDTH) EP_FULL_NAME(_panel)(8, terms, x + k, row + o, N, y + o);
#endif
        for (; o + 3 * EP_WIDTH < N; o += 4 * EP_WIDTH) EP_FULL_NAME(_panel)(4, terms, x + k, row + o, N, y + o);
        for (; o + EP_WIDTH < N; o += 2 * EP_WIDTH) EP_FULL_NAME(_panel)(2, terms, x + k, row + o, N, y + o);
        if (o < N) EP_FULL_NAME(_panel)(1, terms, x + k, row + o, N, y + o);
    }
}

/* y [N] = sum_k x[k] w[k, n], w [K, N]; w is readable, and y may be written, up to one vector past the end. */
static inline void EP_FULL_NAME(_sums)(size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w, EP_NUMBER *y) {
#define EP_CASE(vectors) \
    case vectors: EP_JOIN(EP_FULL_NAME(_thin), vectors)(K, N, x, w, y); return;
    switch ((N + EP_WIDTH - 1) / EP_WIDTH) { EP_EACH_CASE }
#undef EP_CASE
    EP_FULL_NAME(_broad)(K, N, x, w, y);
}

/* y [N] += sum_k x[at[k]] w[k, n]; whether it did: N is small, and w readable up to one vector past its end. */
static inline int EP_FULL_NAME(_added)(size_t K, size_t N, const EP_NUMBER *x, const EP_INDEX *at, const EP_WEIGHT *w,
                                       EP_NUMBER *y) {
#define EP_CASE(vectors) \
    case vectors: EP_JOIN(EP_FULL_NAME(_wide), vectors)(K, N, x, at, w, y); return 1;
    switch ((N + EP_WIDTH - 1) / EP_WIDTH) { EP_EACH_CASE }
#undef EP_CASE
    return 0;
}
#undef EP_EACH_CASE

/* Whether a product of w [K, N] reads nothing that it may not, up to `end`. */
static inline int EP_FULL_NAME(_readable)(size_t K, size_t N, const EP_WEIGHT *w, const EP_WEIGHT *end) {
    const size_t over = N % EP_WIDTH ? EP_WIDTH - N % EP_WIDTH : 0;
    return !K || !N || (size_t)(end - w) - K * N >= over;
}

/* The same where w may not be read past `end`: the last chunk of terms from a copy in `spare`. */
EP_APART void EP_FULL_NAME(_product)(size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w, const EP_WEIGHT *end,
                                     EP_WEIGHT *spare, EP_NUMBER *y) {
    if (!spare || EP_FULL_NAME(_readable)(K, N, w, end)) {
        EP_FULL_NAME(_sums)(K, N, x, w, y);
        return;
    }
    const size_t whole = (K - 1) / EP_CHUNK * EP_CHUNK;
    EP_FULL_NAME(_sums)(whole, N, x, w, y);
    __builtin_memcpy(spare, w + whole * N, (K - whole) * N * sizeof *w);
    for (size_t o = 0; o < N; o += EP_WIDTH) EP_FULL_NAME(_panel)(1, K - whole, x + whole, spare + o, N, y + o);
}

/* One row: x [columns], y [rows], scratch of EP_BLOCKS_SCRATCH(...) numbers, aligned as numbers are. Factors are readable
 * up to `right_end` and `left_end`; where these lie a vector or more behind the last, `spare` may be NULL. */
EP_APART void EP_FULL_NAME(_row)(const ep_blocks *a, const EP_NUMBER *x, const EP_INDEX *column_groups,
                                 const EP_WEIGHT *right, const EP_WEIGHT *right_end, const EP_INDEX *row_groups,
                                 const EP_INDEX *index, const EP_WEIGHT *left, const EP_WEIGHT *left_end, EP_NUMBER *y,
                                 EP_NUMBER *scratch, EP_WEIGHT *spare) {
    EP_NUMBER *const s = scratch, *const read = s + EP_BLOCKS_UP(a->ranks + a->columns + 16);
    EP_NUMBER *const sums = read + EP_BLOCKS_UP(a->entries), *t = s;
    for (size_t g = 0; g < a->column_groups; g++) {
        const size_t size = (size_t)column_groups[3 * g + 1], rank = (size_t)column_groups[3 * g + 2];
        EP_FULL_NAME(_product)(size, rank, x + column_groups[3 * g], right, right_end, spare, t);
        right += size * rank;
        t += rank;
    }
    __builtin_memcpy(t, x, a->columns * sizeof *x);
    for (size_t i = 0; i < a->rows; i++) y[i] = 0;
    for (size_t h = 0; h < a->row_groups; h++) {
        const size_t size = (size_t)row_groups[3 * h + 1], count = (size_t)row_groups[3 * h + 2];
        EP_NUMBER *const out = y + row_groups[3 * h];
        if (!(!spare || EP_FULL_NAME(_readable)(count, size, left, left_end)) ||
            !EP_FULL_NAME(_added)(count, size, s, index, left, out)) {
            size_t i = 0;
            for (size_t k = 0; k < count; k++) read[k] = s[index[k]];
            EP_FULL_NAME(_product)(count, size, read, left, left_end, spare, sums);
            for (; i + EP_WIDTH <= size; i += EP_WIDTH) EP_(store)(out + i, EP_(load)(out + i) + EP_(load)(sums + i));
            for (; i < size; i++) out[i] = out[i] + sums[i];
        }
        left += count * size;
        index += count;
    }
}

#if EP_VECTOR_BYTES
#define EP_VECTORS (EP_TILE / EP_WIDTH)
#define EP_WIDE (EP_BLOCKS_TILE / EP_VECTORS)
/* y [outputs, EP_TILE] += one chunk of terms: x [terms, EP_TILE], w [terms, ..] in rows of wk numbers. */
EP_INLINE void EP_FULL_NAME(_block)(const size_t outputs, size_t terms, const EP_NUMBER *x, const EP_NUMBER *w,
                                    size_t wk, EP_NUMBER *y) {
    EP_LANES a[EP_BLOCKS_TILE], p[EP_VECTORS];
    for (size_t i = 0; i < outputs * EP_VECTORS; i++) a[i] = EP_(set)(0);
    for (size_t k = 0; k < terms; k++) {
        for (size_t v = 0; v < EP_VECTORS; v++) p[v] = EP_(load)(x + k * EP_TILE + v * EP_WIDTH);
        for (size_t o = 0; o < outputs; o++)
            for (size_t v = 0; v < EP_VECTORS; v++)
                a[o * EP_VECTORS + v] = EP_(fma)(EP_(set)(w[k * wk + o]), p[v], a[o * EP_VECTORS + v]);
    }
    for (size_t i = 0; i < outputs * EP_VECTORS; i++) EP_(store)(y + i * EP_WIDTH, EP_(load)(y + i * EP_WIDTH) + a[i]);
}

/* The same for any number of outputs. */
EP_INLINE void EP_FULL_NAME(_blocks)(size_t N, size_t terms, const EP_NUMBER *x, const EP_NUMBER *w, size_t wk,
                                     EP_NUMBER *y) {
    size_t o = 0;
    for (; o + EP_WIDE <= N; o += EP_WIDE) EP_FULL_NAME(_block)(EP_WIDE, terms, x, w + o, wk, y + o * EP_TILE);
    if (EP_WIDE > 4)
        for (; o + 4 <= N; o += 4) EP_FULL_NAME(_block)(4, terms, x, w + o, wk, y + o * EP_TILE);
    for (; o < N; o++) EP_FULL_NAME(_block)(1, terms, x, w + o, wk, y + o * EP_TILE);
}

/* y [N, EP_TILE] = sum_k x[k, lane] w[k, n]; halves are converted once for all lanes, those past `end` one by one. */
EP_APART void EP_FULL_NAME(_tile)(size_t K, size_t N, const EP_NUMBER *x, const EP_WEIGHT *w, const EP_WEIGHT *end,
                                  EP_NUMBER *y) {
    for (size_t i = 0; i < N * EP_TILE; i += EP_WIDTH) EP_(store)(y + i, EP_(set)(0));
    for (size_t k = 0; k < K; k += EP_CHUNK) {
        const size_t terms = K - k < EP_CHUNK ? K - k : EP_CHUNK;
#ifndef EP_STORED
        (void)end;
        EP_FULL_NAME(_blocks)(N, terms, x + k * EP_TILE, w + k * N, N, y);
#else
        EP_NUMBER held[EP_CHUNK * EP_BLOCKS_HELD] __attribute__((aligned(64)));
        for (size_t o = 0; o < N; o += EP_BLOCKS_HELD) {
            const size_t width = N - o < EP_BLOCKS_HELD ? N - o : EP_BLOCKS_HELD;
            for (size_t j = 0; j < terms; j++)
                for (size_t v = 0; v < width; v += EP_WIDTH) {
                    const EP_WEIGHT *p = w + (k + j) * N + o + v;
                    EP_WEIGHT few[EP_WIDTH] = {0};
                    if ((size_t)(end - p) < EP_WIDTH) {
                        __builtin_memcpy(few, p, (size_t)(end - p) * sizeof *p);
                        p = few;
                    }
                    EP_(store)(held + j * EP_BLOCKS_HELD + v, EP_READ(p));
                }
            EP_FULL_NAME(_blocks)(width, terms, x + k * EP_TILE, held, EP_BLOCKS_HELD, y + o * EP_TILE);
        }
#endif
    }
}

/* EP_TILE rows side by side: x [columns, EP_TILE], y [rows, EP_TILE], scratch of as many numbers for each of them. */
EP_APART void EP_FULL_NAME(_lanes)(const ep_blocks *a, const EP_NUMBER *x, const EP_INDEX *column_groups,
                                   const EP_WEIGHT *right, const EP_WEIGHT *right_end, const EP_INDEX *row_groups,
                                   const EP_INDEX *index, const EP_WEIGHT *left, const EP_WEIGHT *left_end, EP_NUMBER *y,
                                   EP_NUMBER *scratch) {
    EP_NUMBER *const s = scratch, *const read = s + EP_BLOCKS_UP(a->ranks + a->columns + 16) * EP_TILE;
    EP_NUMBER *const sums = read + EP_BLOCKS_UP(a->entries) * EP_TILE, *t = s;
    for (size_t g = 0; g < a->column_groups; g++) {
        const size_t size = (size_t)column_groups[3 * g + 1], rank = (size_t)column_groups[3 * g + 2];
        EP_FULL_NAME(_tile)(size, rank, x + (size_t)column_groups[3 * g] * EP_TILE, right, right_end, t);
        right += size * rank;
        t += rank * EP_TILE;
    }
    __builtin_memcpy(t, x, a->columns * EP_TILE * sizeof *x);
    for (size_t i = 0; i < a->rows * EP_TILE; i += EP_WIDTH) EP_(store)(y + i, EP_(set)(0));
    for (size_t h = 0; h < a->row_groups; h++) {
        const size_t size = (size_t)row_groups[3 * h + 1], count = (size_t)row_groups[3 * h + 2];
        EP_NUMBER *const out = y + (size_t)row_groups[3 * h] * EP_TILE;
        for (size_t k = 0; k < count; k++)
            for (size_t v = 0; v < EP_TILE; v += EP_WIDTH)
                EP_(store)(read + k * EP_TILE + v, EP_(load)(s + (size_t)index[k] * EP_TILE + v));
        EP_FULL_NAME(_tile)(count, size, read, left, left_end, sums);
        for (size_t i = 0; i < size * EP_TILE; i += EP_WIDTH)
            EP_(store)(out + i, EP_(load)(out + i) + EP_(load)(sums + i));
        left += count * size;
        index += count;
    }
}
#undef EP_VECTORS
#undef EP_WIDE
#endif
#undef EP_FULL_NAME
#undef EP_WEIGHT
#undef EP_READ
