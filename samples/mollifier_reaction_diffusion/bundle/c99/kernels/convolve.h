/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions over three axes, transposed ones too; included once for each element type and kind of weights, with
 *   EP_NAME   prefix of the functions to define: <EP_NAME>_row and, where there is a vector unit, <EP_NAME>_lanes
 *   EP_TYPE   f32 or f64
 *   EP_STORED 16 where the weights are halves (stored.h), undefined where they are numbers of EP_TYPE
 *
 *   y[t, i] = bias[t] + sum_s sum_a w[s, a, t] x[s, stride i + from + a apart],  outside x as `beyond` says
 *
 * The sum is the bias, then chunks of EP_CHUNK terms in order (s, a_1, a_2, a_3), each a chain of fused multiply-adds from
 * zero. A strip of outputs at a time: the windows it reads are copied with the zeros around them, so that outputs next to
 * each other read numbers next to each other, whatever the stride.
 */
#include "stored.h"
#include "generic.h"

#ifndef EDGEPDE_CONVOLVE_H
#define EDGEPDE_CONVOLVE_H
/* Outputs of a strip, all rows of a tile together. */
#define EP_CONVOLVE_STRIP 128

typedef struct {
    size_t taps;                  /* terms of an output along this axis */
    ptrdiff_t from, apart;        /* output i reads x[stride i + from + a apart], a < taps */
    size_t stride, inputs, count; /* count outputs i */
    size_t begin, every, size;    /* output i is number begin + every i of `size` */
    int beyond;                   /* outside x: 0 zeros, 1 the nearest, 2 mirrored, 3 what is at the other end */
} ep_axis;

/* What is computed in one go: outputs of one phase of the strides, one group of channels. */
typedef struct {
    size_t inputs, outputs; /* channels */
    ep_axis axis[3];
} ep_convolution;

typedef struct {
    size_t rows, columns;     /* outputs of a strip */
    size_t high, wide, plane; /* of the windows copied for one channel, tap of axis 1 and phase: rows, columns, both */
    size_t phases[2];
} ep_strip;

static inline size_t ep_span(const ep_axis *a) {
    return a->taps ? (a->taps - 1) * (size_t)(a->apart < 0 ? -a->apart : a->apart) : 0;
}

static inline ptrdiff_t ep_low(const ep_axis *a) {
    return a->from - (a->apart < 0 ? (ptrdiff_t)ep_span(a) : 0);
}

/* The place that stands for place i, -1 for zeros. */
static inline ptrdiff_t ep_folded(const ep_axis *a, ptrdiff_t i) {
    const ptrdiff_t n = (ptrdiff_t)a->inputs;
    if (i >= 0 && i < n) return i;
    if (a->beyond == 0) return -1;
    if (a->beyond == 1) return i < 0 ? 0 : n - 1;
    if (a->beyond == 2) i = i < 0 ? -i : 2 * (n - 1) - i;
    else i = i < 0 ? i + n : i - n;
    return i >= 0 && i < n ? i : -1;
}

/* Where tap t lies, counted from the lowest. */
static inline size_t ep_place(const ep_axis *a, size_t t) {
    return a->apart < 0 ? (a->taps - 1 - t) * (size_t)-a->apart : t * (size_t)a->apart;
}

static inline ep_strip ep_strip_of(const ep_convolution *c, size_t lanes) {
    const ep_axis *const y = c->axis + 1, *const x = c->axis + 2;
    const size_t most = EP_CONVOLVE_STRIP / lanes;
    ep_strip s;
    s.columns = x->count < most ? x->count : most;
    s.rows = most / s.columns;
    if (s.rows > y->count) s.rows = y->count;
    s.high = s.rows + ep_span(y) / y->stride;
    s.wide = s.columns + ep_span(x) / x->stride;
    s.plane = s.high * s.wide;
    for (int i = 0; i < 2; i++) {
        const size_t span = ep_span(c->axis + 1 + i), stride = c->axis[1 + i].stride;
        s.phases[i] = span < stride ? span + 1 : stride;
    }
    return s;
}
#endif

#define EP_FULL_NAME(part) EP_JOIN(EP_NAME, part)
#ifndef EP_STORED
#define EP_WEIGHT EP_NUMBER
#else
#define EP_WEIGHT uint16_t
#endif
#define EP_OUTPUTS_INNER 1
#include "panel.h"
#undef EP_OUTPUTS_INNER
#include "runs.h"

/* What stands for places outside a line: held [n] are its places from, from + stride, ... */
static inline void EP_FULL_NAME(_fold)(EP_NUMBER *held, size_t n, const EP_NUMBER *line, ptrdiff_t from, const ep_axis *a,
                                       const size_t lanes) {
    for (int end = 0; end < 2; end++)
        for (size_t i = 0; i < n; i++) {
            const size_t at = end ? n - 1 - i : i;
            const ptrdiff_t given = from + (ptrdiff_t)(at * a->stride), place = ep_folded(a, given);
            if (place == given) break;
            if (place >= 0)
                for (size_t l = 0; l < lanes; l++) held[at * lanes + l] = line[(size_t)place * lanes + l];
        }
}

/* The windows of outputs (i1, i2 .., i3 ..), phase after phase, into held [s, tap of axis 1, phases, rows, columns]. */
static inline void EP_FULL_NAME(_hold)(const size_t lanes, const ep_convolution *c, const ep_strip *s, size_t i1, size_t i2,
                                       size_t i3, const EP_NUMBER *x, EP_NUMBER *held) {
    const ep_axis *const a = c->axis;
    const ptrdiff_t low2 = ep_low(a + 1) + (ptrdiff_t)(a[1].stride * i2), low3 = ep_low(a + 2) + (ptrdiff_t)(a[2].stride * i3);
    for (size_t channel = 0; channel < c->inputs; channel++, x += a[0].inputs * a[1].inputs * a[2].inputs * lanes)
        for (size_t t = 0; t < a[0].taps; t++) {
            const ptrdiff_t z = ep_folded(a, (ptrdiff_t)(a[0].stride * i1) + a[0].from + (ptrdiff_t)t * a[0].apart);
            for (size_t p = 0; p < s->phases[0]; p++)
                for (size_t q = 0; q < s->phases[1]; q++)
                    for (size_t r = 0; r < s->high; r++, held += s->wide * lanes) {
                        const ptrdiff_t row = ep_folded(a + 1, low2 + (ptrdiff_t)(a[1].stride * r + p));
                        if (z < 0 || row < 0) {
                            EP_FULL_NAME(_clear)(held, s->wide * lanes);
                            continue;
                        }
                        const EP_NUMBER *const line = x + ((size_t)z * a[1].inputs + (size_t)row) * a[2].inputs * lanes;
                        EP_FULL_NAME(_window)(held, s->wide, line, low3 + (ptrdiff_t)q, a[2].stride, a[2].inputs, lanes);
                        if (a[2].beyond) EP_FULL_NAME(_fold)(held, s->wide, line, low3 + (ptrdiff_t)q, a + 2, lanes);
                    }
        }
}

/* Where each of `terms` terms from number `from` on begins in what is held. */
static inline void EP_FULL_NAME(_places)(const size_t lanes, const ep_convolution *c, const ep_strip *s, size_t from,
                                         size_t terms, size_t *at) {
    const ep_axis *const a = c->axis;
    if (!terms) return;
    size_t t3 = from % a[2].taps, rest = from / a[2].taps, t2 = rest % a[1].taps, planes = rest / a[1].taps;
    for (size_t j = 0; j < terms; j++) {
        const size_t y = ep_place(a + 1, t2), x = ep_place(a + 2, t3);
        const size_t phase = y % a[1].stride * s->phases[1] + x % a[2].stride;
        at[j] = ((planes * s->phases[0] * s->phases[1] + phase) * s->plane + y / a[1].stride * s->wide + x / a[2].stride) * lanes;
        if (++t3 == a[2].taps) {
            t3 = 0;
            if (++t2 == a[1].taps) {
                t2 = 0;
                planes++;
            }
        }
    }
}

static inline size_t EP_FULL_NAME(_terms)(const ep_convolution *c) {
    return c->inputs * c->axis[0].taps * c->axis[1].taps * c->axis[2].taps;
}

/* sums [T, pitch] of a strip, run by run: `runs` of n numbers each, `step` apart in what is held, `apart` in sums; at: the
 * places of the terms where one chunk has them all, else room for them. */
static inline void EP_FULL_NAME(_sums)(const size_t lanes, const ep_convolution *c, const ep_strip *s, size_t runs, size_t n,
                                       size_t step, size_t apart, const EP_NUMBER *held, const EP_WEIGHT *w,
                                       const EP_NUMBER *bias, EP_NUMBER *sums, size_t pitch, size_t *at) {
    const size_t terms = EP_FULL_NAME(_terms)(c), T = c->outputs;
    if (!terms)
        for (size_t r = 0; r < runs; r++) EP_FULL_NAME(_panel)(T, 0, n, held, at, NULL, 0, 1, bias, sums + r * apart, pitch);
    for (size_t k = 0; k < terms; k += EP_CHUNK) {
        const size_t some = terms - k < EP_CHUNK ? terms - k : EP_CHUNK;
        if (terms > EP_CHUNK) EP_FULL_NAME(_places)(lanes, c, s, k, some, at);
#ifndef EP_STORED
        for (size_t r = 0; r < runs; r++)
            EP_FULL_NAME(_panel)(T, some, n, held + r * step, at, w + k * T, T, k == 0, bias, sums + r * apart, pitch);
#else
        EP_NUMBER own[EP_CHUNK * 16] __attribute__((aligned(64)));
        for (size_t o = 0; o < T; o += 16) {
            const size_t outputs = T - o < 16 ? T - o : 16;
            for (size_t j = 0; j < some; j++)
                for (size_t v = 0; v < outputs; v += EP_WIDTH)
                    EP_(store)(own + j * 16 + v, EP_(load_half)(w + (k + j) * T + o + v));
            for (size_t r = 0; r < runs; r++)
                EP_FULL_NAME(_panel)(outputs, some, n, held + r * step, at, own, 16, k == 0, bias ? bias + o : NULL,
                                     sums + r * apart + o * pitch, pitch);
        }
#endif
    }
}

/* The outputs of a strip to where they belong. */
static inline void EP_FULL_NAME(_put)(const size_t lanes, const ep_convolution *c, size_t i1, size_t i2, size_t i3,
                                      size_t rows, size_t columns, size_t row, const EP_NUMBER *sums, size_t pitch,
                                      EP_NUMBER *y) {
    const ep_axis *const a = c->axis;
    const size_t z = a[0].begin + a[0].every * i1, size = a[1].size * a[2].size * lanes;
    for (size_t t = 0; t < c->outputs; t++, y += a[0].size * size)
        for (size_t r = 0; r < rows; r++) {
            const EP_NUMBER *const from = sums + t * pitch + r * row;
            EP_NUMBER *const to = y + z * size + ((a[1].begin + a[1].every * (i2 + r)) * a[2].size + a[2].begin + a[2].every * i3) * lanes;
            if (a[2].every == 1) {
                EP_FULL_NAME(_move)(to, from, columns * lanes);
                continue;
            }
            for (size_t i = 0; i < columns; i++)
                for (size_t l = 0; l < lanes; l++) to[i * a[2].every * lanes + l] = from[i * lanes + l];
        }
}

/* One part: a strip's rows lie in one run with what is between them, or are runs of their own, whichever is less. */
EP_APART void EP_FULL_NAME(_part)(const size_t lanes, const ep_convolution *c, const EP_NUMBER *x, const EP_WEIGHT *w,
                                       const EP_NUMBER *bias, EP_NUMBER *y, EP_NUMBER *scratch) {
    const ep_axis *const a = c->axis;
    const ep_strip s = ep_strip_of(c, lanes);
    const size_t kept = c->inputs * a[0].taps * s.phases[0] * s.phases[1] * s.plane * lanes;
    EP_NUMBER *const held = scratch, *const sums = scratch + kept + 16;
    size_t at[EP_CHUNK];
    if (EP_FULL_NAME(_terms)(c) <= EP_CHUNK) EP_FULL_NAME(_places)(lanes, c, &s, 0, EP_FULL_NAME(_terms)(c), at);
    for (size_t i1 = 0; i1 < a[0].count; i1++)
        for (size_t i2 = 0; i2 < a[1].count; i2 += s.rows)
            for (size_t i3 = 0; i3 < a[2].count; i3 += s.columns) {
                const size_t rows = a[1].count - i2 < s.rows ? a[1].count - i2 : s.rows;
                const size_t columns = a[2].count - i3 < s.columns ? a[2].count - i3 : s.columns;
                const size_t together = ((rows - 1) * s.wide + columns) * lanes, own = columns * lanes;
                const int flat = (together + EP_WIDTH - 1) / EP_WIDTH < rows * ((own + EP_WIDTH - 1) / EP_WIDTH);
                const size_t row = flat ? s.wide * lanes : own, pitch = s.rows * s.wide * lanes;
                EP_FULL_NAME(_hold)(lanes, c, &s, i1, i2, i3, x, held);
                EP_FULL_NAME(_sums)(lanes, c, &s, flat ? 1 : rows, flat ? together : own, s.wide * lanes, row, held, w, bias,
                                    sums, pitch, at);
                EP_FULL_NAME(_put)(lanes, c, i1, i2, i3, rows, columns, row, sums, pitch, y);
            }
}

/* groups of channels, each with `count` parts that share its input and output channels; w part after part. */
#define EP_CONVOLVE_FORM(form, lanes) \
    static inline void EP_FULL_NAME(form)(size_t groups, size_t count, const ep_convolution *parts, const EP_NUMBER *x, \
                                     const EP_WEIGHT *w, const EP_NUMBER *bias, EP_NUMBER *y, EP_NUMBER *scratch) { \
        const ep_axis *const a = parts->axis; \
        for (size_t g = 0; g < groups; g++) { \
            for (size_t p = 0; p < count; p++) { \
                const ep_convolution *const c = parts + p; \
                EP_FULL_NAME(_part)(lanes, c, x, w, bias, y, scratch); \
                w += EP_FULL_NAME(_terms)(c) * c->outputs; \
            } \
            x += parts->inputs * a[0].inputs * a[1].inputs * a[2].inputs * lanes; \
            y += parts->outputs * a[0].size * a[1].size * a[2].size * lanes; \
            bias = bias ? bias + parts->outputs : NULL; \
        } \
    }
EP_CONVOLVE_FORM(_row, 1)
#if EP_VECTOR_BYTES
EP_CONVOLVE_FORM(_lanes, EP_TILE)
#endif
#undef EP_CONVOLVE_FORM
#undef EP_FULL_NAME
#undef EP_WEIGHT
