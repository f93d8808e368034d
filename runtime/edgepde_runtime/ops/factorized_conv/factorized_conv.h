/* SPDX-License-Identifier: Apache-2.0 */
/* factorized_conv in one pass; included once for each element type and kind of factors, with
 *   EP_NAME   prefix of the functions to define: <EP_NAME>_row and, where there is a vector unit, <EP_NAME>_lanes
 *   EP_TYPE   f32 or f64
 *   EP_STORED 16 where the factors are halves (stored.h), undefined where they are numbers of EP_TYPE
 *
 *   y_t = bias_t + sum_r write[t, r] (f_r^1 o f_r^2 o f_r^3) * (sum_s read[r, s] x_s)
 *
 * Every sum is chunks of EP_CHUNK terms in order from zero, each a chain of fused multiply-adds from zero; that over r
 * starts from the bias. Filters along axis 3 come first, then 2, then 1. The mixed channels have zeros around them, which
 * are terms like others; planes of nothing but zeros are zeros after the filters of axes 3 and 2.
 *
 * A strip of outputs at a time and a chunk of r at a time: plane after plane of x is mixed and filtered along two axes,
 * as many planes as the filter of axis 1 reaches over are kept, and what it makes of them goes into the sums of y.
 */
#include "stored.h"
#include "generic.h"

#ifndef EDGEPDE_FACTORIZED_CONV_H
#define EDGEPDE_FACTORIZED_CONV_H
/* Outputs of a strip, all rows of a tile together. */
#define EP_FACTORIZED_STRIP 512

typedef struct {
    size_t size, count;                    /* of x, of y */
    size_t kernel, stride, dilation, pads; /* kernel 0: no filter; pads: zeros in front */
} ep_window;

typedef struct {
    size_t S, R, T;
    ep_window axis[3];
} ep_factorized;

typedef struct {
    size_t rows, columns, phases;       /* outputs of a strip; strides of axis 3 that are read */
    size_t high, across, wide;          /* of a plane that is read: rows, columns of x, columns of a phase */
    size_t planes;                      /* that are kept */
    size_t taken, spread, along, kept, filtered, factors; /* numbers of scratch for each of the stages */
} ep_tile;

static inline size_t ep_reach(const ep_window *a) { return a->kernel ? a->dilation * (a->kernel - 1) : 0; }

static inline ep_tile ep_tile_of(const ep_factorized *f, size_t lanes, int stored) {
    const ep_window *const z = f->axis, *const y = f->axis + 1, *const x = f->axis + 2;
    const size_t most = EP_FACTORIZED_STRIP / lanes;
    ep_tile t;
    t.columns = x->count < most ? x->count : most;
    t.rows = most / t.columns < y->count ? most / t.columns : y->count;
    t.high = (t.rows - 1) * y->stride + ep_reach(y) + 1;
    t.across = (t.columns - 1) * x->stride + ep_reach(x) + 1;
    t.across = t.across < x->size ? t.across : x->size;
    t.wide = t.columns + ep_reach(x) / x->stride;
    if (t.columns % 16 == 0) t.wide = (t.wide + 15) / 16 * 16;
    t.phases = ep_reach(x) < x->stride ? ep_reach(x) + 1 : x->stride;
    t.planes = ep_reach(z) + 1;
    t.taken = t.high * t.across * lanes;
    t.spread = t.phases * t.high * t.wide * lanes;
    t.along = t.high * t.wide * lanes;
    t.kept = t.rows * t.wide * lanes;
    t.filtered = t.rows * t.columns * lanes;
    t.factors = stored ? EP_CHUNK * (f->S + f->T + z->kernel + y->kernel + x->kernel) + 64 : 0;
    return t;
}

/* Numbers of scratch. */
static inline size_t ep_factorized_scratch(const ep_factorized *f, size_t lanes, int stored) {
    const ep_tile t = ep_tile_of(f, lanes, stored);
    return EP_CHUNK * (t.taken + t.spread + t.along + t.planes * t.kept + t.filtered) + t.factors + 5 * 16;
}
#endif

#define EP_FULL_NAME(part) EP_JOIN(EP_NAME, part)
#ifndef EP_STORED
#define EP_WEIGHT EP_NUMBER
#else
#define EP_WEIGHT uint16_t
#endif
#define EP_OUTPUTS_INNER 0
#include "panel.h"
#undef EP_OUTPUTS_INNER
#include "runs.h"

/* The factors of some r: read [r, S], filters [r, k_1 + k_2 + k_3], write [T, r]; rows so many numbers apart. */
typedef struct {
    const EP_NUMBER *read, *filters, *write;
    size_t read_row, filters_row, write_row;
} EP_FULL_NAME(_factors);

typedef struct {
    EP_NUMBER *taken, *spread, *along, *kept, *filtered;
} EP_FULL_NAME(_scratch);

/* One vector or more of a run: y = (first ? 0 : y) + one chunk of taps. */
EP_INLINE void EP_FULL_NAME(_vectors)(const size_t vectors, const int whole, size_t taps, const int first,
                                      const EP_NUMBER *w, const EP_NUMBER *x, const size_t *at, EP_NUMBER *y, size_t left) {
    EP_LANES a[4];
    for (size_t v = 0; v < vectors; v++) a[v] = EP_(set)(0);
    for (size_t k = 0; k < taps; k++) {
        const EP_LANES q = EP_(set)(w[k]);
        for (size_t v = 0; v < vectors; v++) a[v] = EP_(fma)(q, EP_(load)(x + at[k] + v * EP_WIDTH), a[v]);
    }
    for (size_t v = 0; v < vectors; v++) {
        EP_NUMBER *const out = y + v * EP_WIDTH;
        if (whole) EP_(store)(out, (first ? EP_(set)(0) : EP_(load)(out)) + a[v]);
        else EP_(store_some)(out, (first ? EP_(set)(0) : EP_(load_some)(out, left)) + a[v], left);
    }
}

/* y [runs, n] from x: tap k is at[k] numbers on. Rows so many numbers apart; x is readable up to a vector past a run. */
EP_INLINE void EP_FULL_NAME(_runs)(const size_t taps, const int first, size_t runs, size_t n, const EP_NUMBER *w,
                                   const EP_NUMBER *x, const size_t *at, size_t x_row, EP_NUMBER *y, size_t y_row) {
    for (size_t r = 0; r < runs; r++, x += x_row, y += y_row) {
        size_t i = 0;
        for (; i + 4 * EP_WIDTH <= n; i += 4 * EP_WIDTH) EP_FULL_NAME(_vectors)(4, 1, taps, first, w, x + i, at, y + i, 0);
        for (; i + EP_WIDTH <= n; i += EP_WIDTH) EP_FULL_NAME(_vectors)(1, 1, taps, first, w, x + i, at, y + i, 0);
        if (i < n) EP_FULL_NAME(_vectors)(1, 0, taps, first, w, x + i, at, y + i, n - i);
    }
}

/* The same, loops cut to the usual numbers of taps. */
EP_APART void EP_FULL_NAME(_filter)(size_t taps, const int first, size_t runs, size_t n, const EP_NUMBER *w,
                                    const EP_NUMBER *x, const size_t *at, size_t x_row, EP_NUMBER *y, size_t y_row) {
#if EP_VECTOR_BYTES
    if (taps == 5 && first) EP_FULL_NAME(_runs)(5, 1, runs, n, w, x, at, x_row, y, y_row);
    else if (taps == 3 && first) EP_FULL_NAME(_runs)(3, 1, runs, n, w, x, at, x_row, y, y_row);
    else
#endif
        EP_FULL_NAME(_runs)(taps, first, runs, n, w, x, at, x_row, y, y_row);
}

/* A filter along one axis for `ranks` r at once: tap k reads what lies at place begin + dilation k of that axis, place p
 * at p % turns * turn + p / turns * step. Without a filter runs are copied. */
static inline void EP_FULL_NAME(_along)(const ep_window *a, size_t ranks, size_t begin, size_t turns, size_t turn,
                                        size_t step, size_t runs, size_t n, const EP_NUMBER *w, size_t w_row,
                                        const EP_NUMBER *x, size_t x_row, size_t x_rank, EP_NUMBER *y, size_t y_row,
                                        size_t y_rank) {
    size_t at[EP_CHUNK];
    for (size_t k = 0; k < a->kernel || !k; k += EP_CHUNK) {
        const size_t taps = a->kernel - k < EP_CHUNK ? a->kernel - k : EP_CHUNK;
        for (size_t j = 0; j < taps || !j; j++) {
            const size_t place = begin + (k + j) * a->dilation;
            at[j] = place % turns * turn + place / turns * step;
        }
        for (size_t r = 0; r < ranks; r++) {
            if (a->kernel) {
                EP_FULL_NAME(_filter)(taps, k == 0, runs, n, w + r * w_row + k, x + r * x_rank, at, x_row, y + r * y_rank, y_row);
                continue;
            }
            for (size_t i = 0; i < runs; i++)
                EP_FULL_NAME(_move)(y + r * y_rank + i * y_row, x + r * x_rank + at[0] + i * x_row, n);
        }
    }
}

/* One strip: the first of its outputs along axes 2 and 3, how many, and what it reads of x. */
typedef struct {
    size_t i2, i3, rows, columns;
    ptrdiff_t row, column;                /* of the first window */
    size_t begin_row, end_row, begin, end; /* rows and columns of x */
} EP_FULL_NAME(_strip);

static inline size_t EP_FULL_NAME(_within)(ptrdiff_t i, size_t size) {
    return i < 0 ? 0 : (size_t)i < size ? (size_t)i : size;
}

static inline EP_FULL_NAME(_strip) EP_FULL_NAME(_strip_at)(const ep_factorized *f, const ep_tile *t, size_t i2, size_t i3) {
    const ep_window *const y = f->axis + 1, *const x = f->axis + 2;
    EP_FULL_NAME(_strip) s;
    s.i2 = i2, s.i3 = i3;
    s.rows = y->count - i2 < t->rows ? y->count - i2 : t->rows;
    s.columns = x->count - i3 < t->columns ? x->count - i3 : t->columns;
    s.row = (ptrdiff_t)(i2 * y->stride) - (ptrdiff_t)y->pads;
    s.column = (ptrdiff_t)(i3 * x->stride) - (ptrdiff_t)x->pads;
    s.begin_row = EP_FULL_NAME(_within)(s.row, y->size);
    s.end_row = EP_FULL_NAME(_within)(s.row + (ptrdiff_t)((s.rows - 1) * y->stride + ep_reach(y) + 1), y->size);
    s.begin = EP_FULL_NAME(_within)(s.column, x->size);
    s.end = EP_FULL_NAME(_within)(s.column + (ptrdiff_t)((s.columns - 1) * x->stride + ep_reach(x) + 1), x->size);
    return s;
}

/* Whether rows of the strip are mixed where they are filtered: in whole vectors, and next to each other. */
static inline int EP_FULL_NAME(_in_place)(const size_t lanes, const ep_factorized *f, const EP_FULL_NAME(_strip) *s) {
    const size_t across = (s->end - s->begin) * lanes;
    return f->axis[2].stride == 1 && (across % EP_WIDTH == 0 || across > 4 * EP_WIDTH);
}

/* y [r, rows, columns], rows `row` apart, = sum_s read[r, s] x_s over the part of plane z that the strip reads. */
static inline void EP_FULL_NAME(_mix)(const size_t lanes, const ep_factorized *f, const EP_FULL_NAME(_strip) *s,
                                      size_t ranks, size_t z, const EP_NUMBER *x, const EP_FULL_NAME(_factors) *own,
                                      EP_NUMBER *y, size_t row, size_t rank) {
    const size_t size = f->axis[1].size * f->axis[2].size * lanes, channel = f->axis[0].size * size;
    const size_t across = (s->end - s->begin) * lanes, high = s->end_row - s->begin_row, line = f->axis[2].size * lanes;
    const int together = across == line && row == line;
    const size_t runs = together ? 1 : high, n = together ? high * across : across;
    size_t at[EP_CHUNK];
    x += z * size + s->begin_row * line + s->begin * lanes;
    for (size_t k = 0; k < f->S; k += EP_CHUNK) {
        const size_t terms = f->S - k < EP_CHUNK ? f->S - k : EP_CHUNK;
        for (size_t j = 0; j < terms; j++) at[j] = (k + j) * channel;
        for (size_t r = 0; r < runs; r++)
            EP_FULL_NAME(_panel)(ranks, terms, n, x + r * line, at, own->read + k, own->read_row, k == 0, NULL, y + r * row, rank);
    }
}

/* The mixed plane between its zeros, columns of one phase next to each other: spread [r, phases, rows, columns]. */
static inline void EP_FULL_NAME(_spread)(const size_t lanes, const ep_factorized *f, const ep_tile *t,
                                         const EP_FULL_NAME(_strip) *s, size_t ranks, const EP_NUMBER *taken,
                                         EP_NUMBER *spread) {
    const size_t across = (s->end - s->begin) * lanes, wide = t->wide * lanes, first = s->begin_row - (size_t)s->row;
    const size_t left = (s->begin - (size_t)s->column) * lanes, high = s->end_row - s->begin_row;
    for (size_t r = 0; r < ranks; r++, taken += t->taken, spread += t->spread)
        for (size_t i = 0; i < high; i++) {
            EP_NUMBER *to = spread + (first + i) * wide;
            if (f->axis[2].stride == 1) {
                EP_FULL_NAME(_move)(to + left, taken + i * across, across);
                continue;
            }
            for (size_t q = 0; q < t->phases; q++, to += t->high * wide)
                EP_FULL_NAME(_window)(to, t->wide, taken + i * across, s->column + (ptrdiff_t)q - (ptrdiff_t)s->begin,
                                      f->axis[2].stride, s->end - s->begin, lanes);
        }
}

/* Whether rows of n numbers take fewer vectors with what is between them, in one run. */
static inline int EP_FULL_NAME(_flat)(size_t rows, size_t wide, size_t n) {
    return ((rows - 1) * wide + n + EP_WIDTH - 1) / EP_WIDTH < rows * ((n + EP_WIDTH - 1) / EP_WIDTH);
}

/* Plane p of x with zeros around it, counted from the first zero, after the filters of axes 3 and 2. */
static inline void EP_FULL_NAME(_plane)(const size_t lanes, const ep_factorized *f, const ep_tile *t,
                                        const EP_FULL_NAME(_strip) *s, size_t ranks, size_t p, const EP_NUMBER *x,
                                        const EP_FULL_NAME(_factors) *own, const EP_FULL_NAME(_scratch) *m) {
    const ep_window *const a = f->axis;
    const size_t wide = t->wide * lanes, columns = s->columns * lanes;
    EP_NUMBER *const kept = m->kept + p % t->planes * EP_CHUNK * t->kept;
    if (p < a[0].pads || p - a[0].pads >= a[0].size || s->begin == s->end || s->begin_row == s->end_row) {
        EP_FULL_NAME(_clear)(kept, EP_CHUNK * t->kept);
        return;
    }
    if (EP_FULL_NAME(_in_place)(lanes, f, s)) {
        EP_NUMBER *const to = m->spread + (s->begin_row - (size_t)s->row) * wide + (s->begin - (size_t)s->column) * lanes;
        EP_FULL_NAME(_mix)(lanes, f, s, ranks, p - a[0].pads, x, own, to, wide, t->spread);
    } else {
        const size_t across = (s->end - s->begin) * lanes;
        EP_FULL_NAME(_mix)(lanes, f, s, ranks, p - a[0].pads, x, own, m->taken, across, t->taken);
        EP_FULL_NAME(_spread)(lanes, f, t, s, ranks, m->taken, m->spread);
    }
    const int line = EP_FULL_NAME(_flat)(t->high, wide, columns);
    EP_FULL_NAME(_along)(a + 2, ranks, 0, a[2].stride, t->high * wide, lanes, line ? 1 : t->high,
                         line ? (t->high - 1) * wide + columns : columns, own->filters + a[0].kernel + a[1].kernel, own->filters_row, m->spread, wide, t->spread, m->along,
                         wide, t->along);
    const int flat = a[1].stride == 1 && EP_FULL_NAME(_flat)(s->rows, wide, columns);
    EP_FULL_NAME(_along)(a + 1, ranks, 0, 1, 0, wide, flat ? 1 : s->rows, flat ? (s->rows - 1) * wide + columns : columns,
                         own->filters + a[0].kernel, own->filters_row, m->along, a[1].stride * wide, t->along, kept, wide,
                         t->kept);
}

/* What one chunk of r adds to a strip. */
static inline void EP_FULL_NAME(_chunk)(const size_t lanes, const ep_factorized *f, const ep_tile *t,
                                        const EP_FULL_NAME(_strip) *s, size_t ranks, const int first, const EP_NUMBER *x,
                                        const EP_FULL_NAME(_factors) *own, const EP_FULL_NAME(_scratch) *m,
                                        const EP_NUMBER *bias, EP_NUMBER *y) {
    const ep_window *const a = f->axis;
    const size_t wide = t->wide * lanes, size = a[1].count * a[2].count * lanes;
    size_t at[EP_CHUNK], next = 0;
    for (size_t j = 0; j < ranks; j++) at[j] = j * t->filtered;
    for (size_t i1 = 0; i1 < a[0].count; i1++) {
        const size_t begin = i1 * a[0].stride, end = begin + ep_reach(a) + 1;
        for (next = next < begin ? begin : next; next < end; next++)
            EP_FULL_NAME(_plane)(lanes, f, t, s, ranks, next, x, own, m);
        EP_FULL_NAME(_along)(a, ranks, begin, t->planes, EP_CHUNK * t->kept, 0, s->rows, s->columns * lanes, own->filters,
                             own->filters_row, m->kept, wide, t->kept, m->filtered, s->columns * lanes, t->filtered);
        EP_FULL_NAME(_panel)(f->T, ranks, s->rows * s->columns * lanes, m->filtered, at, own->write, own->write_row, first,
                             bias, y + i1 * size + (s->i2 * a[2].count + s->i3) * lanes, a[0].count * size);
    }
}

#ifdef EP_STORED
/* Rows of halves as numbers. */
static inline EP_NUMBER *EP_FULL_NAME(_numbers)(size_t rows, size_t n, const EP_WEIGHT *w, size_t w_row, EP_NUMBER *to) {
    for (size_t r = 0; r < rows; r++, w += w_row, to += n) {
        size_t i = 0;
        for (; i + EP_WIDTH <= n; i += EP_WIDTH) EP_(store)(to + i, EP_(load_half)(w + i));
        if (i < n) {
            EP_WEIGHT few[EP_WIDTH] = {0};
            __builtin_memcpy(few, w + i, (n - i) * sizeof *w);
            EP_(store_some)(to + i, EP_(load_half)(few), n - i);
        }
    }
    return to;
}
#endif

/* x [S, n_1, n_2, n_3], read [R, S], filters [R, k_1 + k_2 + k_3], write [T, R], bias [T], y [T, m_1, m_2, m_3]; scratch of
 * ep_factorized_scratch numbers. No two of them share memory. */
EP_APART void EP_FULL_NAME(_all)(const size_t lanes, const ep_factorized *f, const EP_NUMBER *x, const EP_WEIGHT *read,
                                      const EP_WEIGHT *filters, const EP_WEIGHT *write, const EP_NUMBER *bias, EP_NUMBER *y,
                                      EP_NUMBER *scratch) {
    const ep_window *const a = f->axis;
    const size_t columns = a[0].kernel + a[1].kernel + a[2].kernel;
#ifndef EP_STORED
    const ep_tile t = ep_tile_of(f, lanes, 0);
#else
    const ep_tile t = ep_tile_of(f, lanes, 1);
#endif
    EP_FULL_NAME(_scratch) m;
    m.taken = scratch;
    m.spread = m.taken + EP_CHUNK * t.taken + 16;
    m.along = m.spread + EP_CHUNK * t.spread + 16;
    m.kept = m.along + EP_CHUNK * t.along + 16;
    m.filtered = m.kept + EP_CHUNK * t.planes * t.kept + 16;
    for (size_t i2 = 0; i2 < a[1].count; i2 += t.rows)
        for (size_t i3 = 0; i3 < a[2].count; i3 += t.columns) {
            const EP_FULL_NAME(_strip) s = EP_FULL_NAME(_strip_at)(f, &t, i2, i3);
            EP_FULL_NAME(_clear)(m.spread, EP_CHUNK * t.spread);
            for (size_t r = 0; r < f->R; r += EP_CHUNK) {
                const size_t ranks = f->R - r < EP_CHUNK ? f->R - r : EP_CHUNK;
                EP_FULL_NAME(_factors) own;
#ifndef EP_STORED
                own.read = read + r * f->S, own.read_row = f->S;
                own.filters = filters + r * columns, own.filters_row = columns;
                own.write = write + r, own.write_row = f->R;
#else
                EP_NUMBER *const held = m.filtered + EP_CHUNK * t.filtered + 16;
                EP_NUMBER *const second = EP_FULL_NAME(_numbers)(ranks, f->S, read + r * f->S, f->S, held);
                EP_NUMBER *const third = EP_FULL_NAME(_numbers)(ranks, columns, filters + r * columns, columns, second);
                EP_FULL_NAME(_numbers)(f->T, ranks, write + r, f->R, third);
                own.read = held, own.read_row = f->S;
                own.filters = second, own.filters_row = columns;
                own.write = third, own.write_row = ranks;
#endif
                EP_FULL_NAME(_chunk)(lanes, f, &t, &s, ranks, r == 0, x, &own, &m, bias, y);
            }
        }
}

#define EP_FACTORIZED_FORM(form, lanes) \
    static inline void EP_FULL_NAME(form)(const ep_factorized *f, const EP_NUMBER *x, const EP_WEIGHT *read, \
                                     const EP_WEIGHT *filters, const EP_WEIGHT *write, const EP_NUMBER *bias, EP_NUMBER *y, \
                                     EP_NUMBER *scratch) { \
        EP_FULL_NAME(_all)(lanes, f, x, read, filters, write, bias, y, scratch); \
    }
EP_FACTORIZED_FORM(_row, 1)
#if EP_VECTOR_BYTES
EP_FACTORIZED_FORM(_lanes, EP_TILE)
#endif
#undef EP_FACTORIZED_FORM
#undef EP_FULL_NAME
#undef EP_WEIGHT
