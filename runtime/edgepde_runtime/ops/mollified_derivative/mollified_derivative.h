/* SPDX-License-Identifier: Apache-2.0 */
/* mollified_derivative in one pass; included once for each element type with
 *   EP_NAME prefix of the functions to define: <EP_NAME>_row and, where there is a vector unit, <EP_NAME>_lanes
 *   EP_TYPE f32 or f64
 *
 *   P_k = matrix orders[k, a] along every axis a, the last first; y_o = sum over combine[o, k] != 0 of combine[o, k] P_k
 *
 * Every sum is chunks of EP_CHUNK terms in order from zero, each a chain of fused multiply-adds from zero. A row of y at a
 * time: several orders of one axis share what is loaded of x, rows that the last axis was filtered along are kept as
 * long as the window of axis 2 reaches over them, planes as long as that of axis 1 does; what is an output is written there.
 */
#include "mollified_plan.h"
#include "generic.h"

#define EP_FULL_NAME(part) EP_JOIN(EP_NAME, part)
#include "runs.h"
#include "windowed.h"

/* Scratch: lines [slots, W_2, n_3], planes [slots, W_1, n_2, n_3], rows [K, n_3]. */
typedef struct {
    const ep_mollified *f;
    const ep_mollified_plan *plan;
    const EP_NUMBER *x, *taps[3], *combine;
    EP_NUMBER *y, *lines, *planes, *rows;
    size_t row, plane, all; /* numbers of a row, a plane, a field */
    size_t next_line, next_plane;
    const EP_NUMBER *found[EP_MOLLIFIED_MOST]; /* where the row of a product is */
} EP_FULL_NAME(_state);

/* Matrices of the last axis times a row of x. taps[2] is [Q, W, R]. */
static inline void EP_FULL_NAME(_last)(const size_t lanes, const EP_FULL_NAME(_state) *s, EP_FULL_NAME(_group) *g,
                                       const EP_NUMBER *x) {
    const ep_mollified_axis *const a = s->f->axis + 2;
    const size_t half = (a->width - 1) / 2, after = a->width - 1 - half, inner = a->size - half - after;
    const int own = a->rows != a->width;
    g->ws = a->rows, g->terms = a->width, g->step = lanes, g->wrap = a->width, g->back = 0;
    if (lanes == 1) {
        const size_t past = own ? a->size - after : half + 1;
        if (half) EP_FULL_NAME(_edge)(g, half, x, 0, 0);
        if (own) EP_FULL_NAME(_placed)(g, inner, x, half, half);
        else EP_FULL_NAME(_same)(g, inner, x, half, half);
        if (after) EP_FULL_NAME(_edge)(g, after, x + inner - 1, past, a->size - after);
        return;
    }
    for (size_t i = 0; i < a->size;) {
        const size_t start = ep_mollified_start(a, i), row = own ? i : i - start;
        const size_t many = !own && i == half ? inner : 1;
        EP_FULL_NAME(_same)(g, many * lanes, x + start * lanes, row, i * lanes);
        i += many;
    }
}

/* Matrices of axis a, 0 or 1, times what lies `step` numbers apart: place i of n numbers, in a ring where `turns`. */
static inline void EP_FULL_NAME(_across)(const EP_FULL_NAME(_state) *s, EP_FULL_NAME(_group) *g, size_t axis, size_t i,
                                         const EP_NUMBER *x, size_t step, const int turns) {
    const ep_mollified_axis *const a = s->f->axis + axis;
    const size_t start = ep_mollified_start(a, i), first = turns ? start % a->width : start;
    const size_t row = a->rows == a->width ? i - start : i;
    g->ws = 1, g->terms = a->width, g->step = step, g->wrap = turns ? a->width - first : a->width;
    g->back = a->width * step;
    EP_FULL_NAME(_same)(g, s->row, x + first * step, row * a->width, 0);
}

/* Adds a matrix of an axis to a group: its taps, where what it makes goes. */
static inline void EP_FULL_NAME(_add)(const EP_FULL_NAME(_state) *s, EP_FULL_NAME(_group) *g, size_t axis, size_t k,
                                      EP_NUMBER *to) {
    const ep_mollified_axis *const a = s->f->axis + axis;
    g->w[g->count] = s->taps[axis] + (size_t)s->plan->order[k][axis] * a->rows * a->width;
    g->y[g->count++] = to;
}

/* Rows of x that axis 2 will read, filtered along the last axis. */
static inline void EP_FULL_NAME(_lines)(const size_t lanes, EP_FULL_NAME(_state) *s, unsigned pass, const EP_NUMBER *x, size_t i) {
    const ep_mollified_plan *const p = s->plan;
    const size_t wide = s->f->axis[1].width, end = ep_mollified_start(s->f->axis + 1, i) + wide;
    for (; s->next_line < end; s->next_line++) {
        EP_FULL_NAME(_group) g;
        g.count = 0;
        for (size_t k = 0; k < s->f->K; k++) {
            if (!(p->line_in[k] & pass)) continue;
            EP_FULL_NAME(_add)(s, &g, 2, k, s->lines + (p->line_slot[k] * wide + s->next_line % wide) * s->row);
            if (g.count == EP_WINDOWED_OUTPUTS) EP_FULL_NAME(_last)(lanes, s, &g, x + s->next_line * s->row), g.count = 0;
        }
        if (g.count) EP_FULL_NAME(_last)(lanes, s, &g, x + s->next_line * s->row);
    }
}

/* Where the row of a pair, or of a product, is to go: to the plane that is kept, to its output, to scratch. */
static inline EP_NUMBER *EP_FULL_NAME(_target)(const EP_FULL_NAME(_state) *s, unsigned pass, size_t k, size_t p, size_t i) {
    const size_t wide = s->f->axis[0].width;
    if (pass == EP_MOLLIFIED_KEPT) return s->planes + (s->plan->plane_slot[k] * wide + p % wide) * s->plane + i * s->row;
    if (s->plan->output[k] != EP_MOLLIFIED_NONE) return s->y + s->plan->output[k] * s->all + p * s->plane + i * s->row;
    return s->rows + k * s->row;
}

/* Row i of every pair of orders of axes 2 and 3 that a pass wants, x being plane p. */
static inline void EP_FULL_NAME(_pairs)(const size_t lanes, EP_FULL_NAME(_state) *s, unsigned pass, const EP_NUMBER *x, size_t p,
                                        size_t i) {
    const ep_mollified_plan *const plan = s->plan;
    const size_t K = s->f->K, wide = s->f->axis[1].width;
    EP_FULL_NAME(_group) g;
    if (plan->lines_in & pass) EP_FULL_NAME(_lines)(lanes, s, pass, x, i);
    g.count = 0;
    for (size_t k = 0; k < K; k++) {
        if (!(plan->pair_in[k] & pass) || plan->order[k][1] >= 0) continue;
        const size_t line = plan->line_of[k];
        EP_NUMBER *const to = EP_FULL_NAME(_target)(s, pass, k, p, i);
        s->found[k] = to;
        if (plan->line_in[line] & pass) {
            const EP_NUMBER *const from = s->lines + (plan->line_slot[line] * wide + i % wide) * s->row;
            if (pass == EP_MOLLIFIED_KEPT) EP_FULL_NAME(_move)(to, from, s->row);
            else s->found[k] = from;
            continue;
        }
        EP_FULL_NAME(_add)(s, &g, 2, k, to);
        if (g.count == EP_WINDOWED_OUTPUTS) EP_FULL_NAME(_last)(lanes, s, &g, x + i * s->row), g.count = 0;
    }
    if (g.count) EP_FULL_NAME(_last)(lanes, s, &g, x + i * s->row);
    for (size_t line = 0; line < K; line++) {
        if (plan->line_of[line] != line) continue;
        const int kept = plan->line_slot[line] != EP_MOLLIFIED_NONE;
        const EP_NUMBER *const from = kept ? s->lines + plan->line_slot[line] * wide * s->row : x;
        g.count = 0;
        for (size_t k = line; k < K; k++) {
            if (!(plan->pair_in[k] & pass) || plan->line_of[k] != line || plan->order[k][1] < 0) continue;
            s->found[k] = EP_FULL_NAME(_target)(s, pass, k, p, i);
            EP_FULL_NAME(_add)(s, &g, 1, k, EP_FULL_NAME(_target)(s, pass, k, p, i));
            if (g.count == EP_WINDOWED_OUTPUTS) EP_FULL_NAME(_across)(s, &g, 1, i, from, s->row, kept), g.count = 0;
        }
        if (g.count) EP_FULL_NAME(_across)(s, &g, 1, i, from, s->row, kept);
    }
}

/* Row i of plane p of every product that axis 1 is filtered in; then where each product's row is. */
static inline void EP_FULL_NAME(_products)(EP_FULL_NAME(_state) *s, size_t p, size_t i) {
    const ep_mollified_plan *const plan = s->plan;
    const size_t K = s->f->K, wide = s->f->axis[0].width;
    for (size_t pair = 0; pair < K; pair++) {
        const int plain = plan->order[pair][1] < 0 && plan->order[pair][2] < 0;
        const int kept = plan->plane_slot[pair] != EP_MOLLIFIED_NONE;
        const EP_NUMBER *const from = (kept ? s->planes + plan->plane_slot[pair] * wide * s->plane : s->x) + i * s->row;
        EP_FULL_NAME(_group) g;
        g.count = 0;
        for (size_t k = pair; k < K; k++) {
            if (plan->pair_of[k] != pair || plan->order[k][0] < 0 || plan->same_as[k] != k) continue;
            s->found[k] = EP_FULL_NAME(_target)(s, EP_MOLLIFIED_LAST, k, p, i);
            EP_FULL_NAME(_add)(s, &g, 0, k, EP_FULL_NAME(_target)(s, EP_MOLLIFIED_LAST, k, p, i));
            if (g.count == EP_WINDOWED_OUTPUTS) EP_FULL_NAME(_across)(s, &g, 0, p, from, s->plane, kept), g.count = 0;
        }
        if (g.count) EP_FULL_NAME(_across)(s, &g, 0, p, from, s->plane, kept);
        for (size_t k = pair; k < K; k++) {
            if (plan->pair_of[k] != pair || plan->order[k][0] >= 0) continue;
            if (plain) s->found[k] = from + p * s->plane;
            else if (kept) s->found[k] = from + p % wide * s->plane;
        }
    }
    for (size_t k = 0; k < K; k++) s->found[k] = s->found[plan->same_as[k]];
}

/* Row i of plane p of every output that is not there yet. */
static inline void EP_FULL_NAME(_combined)(const EP_FULL_NAME(_state) *s, size_t p, size_t i) {
    const size_t K = s->f->K;
    for (size_t o = 0; o < s->f->O; o++) {
        const EP_NUMBER *const factor = s->combine + o * K;
        EP_NUMBER *const y = s->y + o * s->all + p * s->plane + i * s->row;
        const EP_NUMBER *x[EP_CHUNK];
        EP_NUMBER c[EP_CHUNK];
        size_t count = 0, there = 0;
        int first = 1;
        for (size_t k = 0; k < K; k++) {
            if (factor[k] == 0) continue;
            there |= s->found[k] == y;
            c[count] = factor[k], x[count++] = s->found[k];
            if (count < EP_CHUNK) continue;
            EP_FULL_NAME(_sum)(count, s->row, c, x, first, y);
            first = 0, count = 0;
        }
        if (!there && (count || first)) EP_FULL_NAME(_sum)(count, s->row, c, x, first, y);
    }
}

/* x [n_1, n_2, n_3] -> y [O, n_1, n_2, n_3]; orders [K, 3], taps_1 [Q, R, W], taps_2 [Q, R, W], taps_3 [Q, W, R],
 * combine [O, K]; scratch of ep_mollified_scratch numbers. No two of them share memory. */
EP_APART void EP_FULL_NAME(_all)(const size_t lanes, const ep_mollified *f, const EP_NUMBER *x, const EP_NUMBER *taps_1,
                                 const EP_NUMBER *taps_2, const EP_NUMBER *taps_3, const int64_t *orders,
                                 const EP_NUMBER *combine, EP_NUMBER *y, EP_NUMBER *scratch) {
    const size_t planes = f->axis[0].size, rows = f->axis[1].size;
    ep_mollified_plan plan;
    EP_FULL_NAME(_state) s;
    ep_mollified_plan_of(f, orders, &plan);
    for (size_t o = 0; o < f->O; o++) {
        size_t count = 0, only = 0;
        for (size_t k = 0; k < f->K; k++)
            if (combine[o * f->K + k] != 0) count++, only = k;
        if (count == 1 && combine[o * f->K + only] == 1 && plan.same_as[only] == only) plan.output[only] = (uint16_t)o;
    }
    s.f = f, s.plan = &plan, s.x = x, s.y = y, s.combine = combine;
    s.taps[0] = taps_1, s.taps[1] = taps_2, s.taps[2] = taps_3;
    s.row = f->axis[2].size * lanes, s.plane = rows * s.row, s.all = planes * s.plane;
    s.lines = scratch, s.planes = s.lines + plan.lines * f->axis[1].width * s.row;
    s.rows = s.planes + plan.planes * f->axis[0].width * s.plane;
    s.next_plane = 0;
    for (size_t p = 0; p < planes; p++) {
        const size_t end = plan.planes ? ep_mollified_start(f->axis, p) + f->axis[0].width : 0;
        for (; s.next_plane < end; s.next_plane++) {
            s.next_line = 0;
            for (size_t i = 0; i < rows; i++)
                EP_FULL_NAME(_pairs)(lanes, &s, EP_MOLLIFIED_KEPT, x + s.next_plane * s.plane, s.next_plane, i);
        }
        s.next_line = 0;
        for (size_t i = 0; i < rows; i++) {
            EP_FULL_NAME(_pairs)(lanes, &s, EP_MOLLIFIED_LAST, x + p * s.plane, p, i);
            EP_FULL_NAME(_products)(&s, p, i);
            EP_FULL_NAME(_combined)(&s, p, i);
        }
    }
}

#define EP_MOLLIFIED_FORM(form, lanes) \
    static inline void EP_FULL_NAME(form)(const ep_mollified *f, const EP_NUMBER *x, const EP_NUMBER *taps_1, \
                                          const EP_NUMBER *taps_2, const EP_NUMBER *taps_3, const int64_t *orders, \
                                          const EP_NUMBER *combine, EP_NUMBER *y, EP_NUMBER *scratch) { \
        EP_FULL_NAME(_all)(lanes, f, x, taps_1, taps_2, taps_3, orders, combine, y, scratch); \
    }
EP_MOLLIFIED_FORM(_row, 1)
#if EP_VECTOR_BYTES
EP_MOLLIFIED_FORM(_lanes, EP_TILE)
#endif
#undef EP_MOLLIFIED_FORM
#undef EP_FULL_NAME
