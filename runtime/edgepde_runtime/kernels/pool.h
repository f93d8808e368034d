/* SPDX-License-Identifier: Apache-2.0 */
/* Windows over maps of three axes; included once for each element type and kind, with EP_NAME, EP_TYPE and EP_MAX 1 or 0.
 *
 *   y[o] = max_k x[o s + k d - before], or (sum_k x[o s + k d - before]) / cells, over the places inside the map
 *
 * Terms are added to zero in the order of k, the last axis fastest. cells: places inside, where `padded` those of the
 * pads too. x [channels, n, n, n, L], y [channels, m, m, m, L].
 */
#include "generic.h"

#ifndef EDGEPDE_POOL_H
#define EDGEPDE_POOL_H
/* -infinity */
#define EP_LEAST_f32 ep_from_bits_f32(0xff800000u)
#define EP_LEAST_f64 ep_from_bits_f64(0xfff0000000000000u)

typedef struct {
    size_t n, m, k, s, d, before, after;
} ep_pool_axis;

typedef struct {
    ep_pool_axis axis[3];
    int padded;
} ep_pool;

/* Windows from *first to below *end have their k-th place inside the map. */
static inline void ep_pool_inside(const ep_pool_axis *a, size_t k, size_t *first, size_t *end) {
    const size_t at = k * a->d, all = a->n + a->before;
    *first = at < a->before ? (a->before - at + a->s - 1) / a->s : 0;
    *end = at < all ? (all - at + a->s - 1) / a->s : 0;
    if (*end > a->m) *end = a->m;
    if (*first > *end) *first = *end;
}

static inline size_t ep_pool_cells(const ep_pool_axis *a, size_t o, int padded) {
    const size_t low = padded ? 0 : a->before, high = a->before + a->n + (padded ? a->after : 0);
    size_t found = 0;
    for (size_t k = 0; k < a->k; k++) {
        const size_t at = o * a->s + k * a->d;
        found += at >= low && at < high;
    }
    return found;
}

/* Windows from *first to below *end of which every cell counts. */
static inline void ep_pool_whole(const ep_pool_axis *a, int padded, size_t *first, size_t *end) {
    const size_t high = a->before + a->n + (padded ? a->after : 0), reach = (a->k - 1) * a->d + 1;
    *first = padded ? 0 : (a->before + a->s - 1) / a->s;
    *end = high >= reach ? (high - reach) / a->s + 1 : 0;
    if (*end > a->m) *end = a->m;
    if (*first > *end) *first = *end;
}
#endif

EP_INLINE EP_NUMBER EP_JOIN(EP_NAME, _one)(EP_NUMBER y, EP_NUMBER x) {
    return EP_MAX ? (x > y || x != x ? x : y) : y + x;
}

EP_INLINE EP_LANES EP_JOIN(EP_NAME, _many)(EP_LANES y, EP_LANES x) {
    return EP_MAX ? EP_(pick)(EP_(less)(y, x) | ~EP_(equal)(x, x), x, y) : y + x;
}

/* y[i, l] takes x[i s, l], i < n. */
EP_INLINE void EP_JOIN(EP_NAME, _line)(size_t n, size_t s, size_t L, const EP_NUMBER *x, EP_NUMBER *y) {
    if (L == 1 && s == 2) {
        for (size_t i = 0; i < n; i++) y[i] = EP_JOIN(EP_NAME, _one)(y[i], x[2 * i]);
    } else if (L == 1 && s > 1) {
        for (size_t i = 0; i < n; i++) y[i] = EP_JOIN(EP_NAME, _one)(y[i], x[i * s]);
    } else {
        const size_t lines = s == 1 ? 1 : n, run = s == 1 ? n * L : L;
        for (size_t i = 0; i < lines; i++, x += s * L, y += L) {
            size_t l = 0;
            for (; l + EP_WIDTH <= run; l += EP_WIDTH)
                EP_(store)(y + l, EP_JOIN(EP_NAME, _many)(EP_(load)(y + l), EP_(load)(x + l)));
            for (; l < run; l++) y[l] = EP_JOIN(EP_NAME, _one)(y[l], x[l]);
        }
    }
}

EP_INLINE void EP_JOIN(EP_NAME, _divide)(size_t n, size_t cells, EP_NUMBER *y) {
    const EP_LANES by = EP_(set)((EP_NUMBER)cells);
    size_t i = 0;
    for (; i + EP_WIDTH <= n; i += EP_WIDTH) EP_(store)(y + i, EP_(load)(y + i) / by);
    for (; i < n; i++) y[i] = y[i] / (EP_NUMBER)cells;
}

EP_INLINE void EP_JOIN(EP_NAME, _means)(const ep_pool *p, size_t cells, size_t L, EP_NUMBER *y) {
    const ep_pool_axis *const a = p->axis + 2;
    size_t first, end;
    ep_pool_whole(a, p->padded, &first, &end);
    for (size_t o = 0; o < first; o++)
        EP_JOIN(EP_NAME, _divide)(L, cells * ep_pool_cells(a, o, p->padded), y + o * L);
    EP_JOIN(EP_NAME, _divide)((end - first) * L, cells * a->k, y + first * L);
    for (size_t o = end; o < a->m; o++)
        EP_JOIN(EP_NAME, _divide)(L, cells * ep_pool_cells(a, o, p->padded), y + o * L);
}

EP_APART void EP_NAME(const ep_pool *p, size_t channels, size_t L, const EP_NUMBER *x, EP_NUMBER *y) {
    const ep_pool_axis a = p->axis[0], b = p->axis[1], c = p->axis[2];
    const EP_NUMBER empty = EP_MAX ? EP_JOIN(EP_LEAST_, EP_TYPE) : 0;
    for (size_t z = 0; z < channels * a.m; z++)
        for (size_t v = 0; v < b.m; v++, y += c.m * L) {
            for (size_t i = 0; i < c.m * L; i++) y[i] = empty;
            for (size_t i = 0; i < a.k; i++)
                for (size_t j = 0; j < b.k; j++) {
                    const size_t up = z % a.m * a.s + i * a.d - a.before, down = v * b.s + j * b.d - b.before;
                    if (up >= a.n || down >= b.n) continue;
                    for (size_t k = 0; k < c.k; k++) {
                        size_t first, end;
                        ep_pool_inside(&c, k, &first, &end);
                        if (first == end) continue;
                        const size_t line = ((z / a.m * a.n + up) * b.n + down) * c.n;
                        const EP_NUMBER *const from = x + (line + first * c.s + k * c.d - c.before) * L;
                        EP_JOIN(EP_NAME, _line)(end - first, c.s, L, from, y + first * L);
                    }
                }
            if (!EP_MAX) {
                const size_t cells = ep_pool_cells(&p->axis[0], z % a.m, p->padded);
                EP_JOIN(EP_NAME, _means)(p, cells * ep_pool_cells(&p->axis[1], v, p->padded), L, y);
            }
        }
}
