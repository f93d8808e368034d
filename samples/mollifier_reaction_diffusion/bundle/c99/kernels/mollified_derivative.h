/* SPDX-License-Identifier: Apache-2.0 */
/* mollified_derivative in one pass; included once for each element type with
 *   EP_NAME prefix of the functions to define: <EP_NAME>_row and, where there is a vector unit, <EP_NAME>_lanes
 *   EP_TYPE f32 or f64
 *
 *   P_k = matrix orders[k, a] along every axis a, the last first; y_o = sum over combine[o, k] != 0 of combine[o, k] P_k
 *
 * Every sum is chunks of EP_CHUNK terms in order from zero, each a chain of fused multiply-adds from zero. Some rows of y
 * at a time: several orders of one axis share what is loaded of x, rows that the last axis was filtered along are kept as
 * long as the window of axis 2 reaches over them, planes as long as that of axis 1 does; what is an output is written there.
 */
#include "mollified_plan.h"
#include "generic.h"

#define EP_FULL_NAME(part) EP_JOIN(EP_NAME, part)
#include "runs.h"
#include "windowed.h"

/* Scratch: lines [slots, W_2 + 3, n_3], planes [slots, W_1, n_2, n_3], rows [slots, 4, n_3]. */
typedef struct {
    const ep_mollified *f;
    const ep_mollified_plan *plan;
    const EP_NUMBER *x, *taps[3], *combine;
    EP_NUMBER *y, *lines, *planes, *rows;
    size_t row, plane, all; /* numbers of a row, a plane, a field */
    size_t kept, together;  /* lines of a slot, rows of one */
    size_t next_line, next_plane;
    const EP_NUMBER *found[EP_MOLLIFIED_MOST]; /* where rows of a product are */
} EP_FULL_NAME(_state);

/* Matrices of the last axis times some rows of x. taps[2] is [Q, W, R]. */
static inline void EP_FULL_NAME(_last)(const size_t lanes, const EP_FULL_NAME(_state) *s, EP_FULL_NAME(_group) *g, size_t rows,
                                       const EP_NUMBER *x) {
    const ep_mollified_axis *const a = s->f->axis + 2;
    const size_t half = (a->width - 1) / 2, after = a->width - 1 - half, inner = a->size - half - after;
    const int own = a->rows != a->width;
    g->ws = a->rows, g->terms = a->width, g->step = lanes, g->wrap = a->width, g->back = 0;
    if (lanes == 1) {
        if (half) EP_FULL_NAME(_edge)(g, rows, half, x, s->row, 0, 0);
        if (after) EP_FULL_NAME(_edge)(g, rows, after, x + inner - 1, s->row, own ? a->size - after : half + 1, a->size - after);
        if (own) EP_FULL_NAME(_placed)(g, rows, inner, x, s->row, half, half);
    }
    for (size_t r = 0; r < rows && (lanes > 1 || !own); r++)
        for (size_t i = lanes > 1 ? 0 : half, end = lanes > 1 ? a->size : half + 1; i < end;) {
            const size_t start = ep_mollified_start(a, i), row = own ? i : i - start, many = !own && i == half ? inner : 1;
            EP_FULL_NAME(_same)(g, many * lanes, x + r * s->row + start * lanes, row, r * s->row + i * lanes);
            i += many;
        }
}

/* Matrices of axis a, 0 or 1, times n numbers at places `step` apart of which x is the first, in a ring of `turns`. */
static inline void EP_FULL_NAME(_across)(const EP_FULL_NAME(_state) *s, EP_FULL_NAME(_group) *g, size_t axis, size_t i,
                                         const EP_NUMBER *x, size_t step, size_t turns, size_t n, size_t to) {
    const ep_mollified_axis *const a = s->f->axis + axis;
    const size_t start = ep_mollified_start(a, i), first = turns ? start % turns : start;
    g->ws = 1, g->terms = a->width, g->step = step, g->back = turns * step;
    g->wrap = turns ? turns - first : a->width;
    EP_FULL_NAME(_same)(g, n, x + first * step, (a->rows == a->width ? i - start : i) * a->width, to);
}

/* Adds a matrix of an axis to a group: its taps, where what it makes goes. */
static inline void EP_FULL_NAME(_add)(const EP_FULL_NAME(_state) *s, EP_FULL_NAME(_group) *g, size_t axis, size_t k,
                                      EP_NUMBER *to) {
    const ep_mollified_axis *const a = s->f->axis + axis;
    g->w[g->count] = s->taps[axis] + (size_t)s->plan->order[k][axis] * a->rows * a->width;
    g->y[g->count++] = to;
}

/* Rows of x that axis 2 reads for row i, filtered along the last axis. */
static inline void EP_FULL_NAME(_lines)(const size_t lanes, EP_FULL_NAME(_state) *s, unsigned pass, const EP_NUMBER *x, size_t i) {
    const ep_mollified_plan *const p = s->plan;
    const size_t end = ep_mollified_start(s->f->axis + 1, i) + s->f->axis[1].width;
    while (s->next_line < end) {
        const size_t at = s->next_line % s->kept, left = s->kept - at, need = end - s->next_line;
        const size_t most = left < s->together ? left : s->together, rows = need < most ? need : most;
        const EP_NUMBER *const from = x + s->next_line * s->row;
        EP_FULL_NAME(_group) g;
        g.count = 0;
        for (size_t k = 0; k < s->f->K; k++) {
            if (!(p->line_in[k] & pass)) continue;
            EP_FULL_NAME(_add)(s, &g, 2, k, s->lines + (p->line_slot[k] * s->kept + at) * s->row);
            if (g.count == EP_WINDOWED_OUTPUTS) EP_FULL_NAME(_last)(lanes, s, &g, rows, from), g.count = 0;
        }
        if (g.count) EP_FULL_NAME(_last)(lanes, s, &g, rows, from);
        s->next_line += rows;
    }
}

/* Where rows of a pair, or of a product, are to go: to the plane that is kept, to the output, to scratch. */
static inline EP_NUMBER *EP_FULL_NAME(_target)(const EP_FULL_NAME(_state) *s, unsigned pass, size_t k, size_t p, size_t i) {
    const size_t wide = s->f->axis[0].width;
    if (pass == EP_MOLLIFIED_KEPT) return s->planes + (s->plan->plane_slot[k] * wide + p % wide) * s->plane + i * s->row;
    if (s->plan->output[k] != EP_MOLLIFIED_NONE) return s->y + s->plan->output[k] * s->all + p * s->plane + i * s->row;
    return s->rows + s->plan->slot[k] * s->together * s->row;
}

/* Pairs that leave axis 2 alone: rows i .. i + rows - 1 of plane p, which is x. */
static inline void EP_FULL_NAME(_plain)(const size_t lanes, EP_FULL_NAME(_state) *s, unsigned pass, const EP_NUMBER *x, size_t p,
                                        size_t i, size_t rows) {
    const ep_mollified_plan *const plan = s->plan;
    EP_FULL_NAME(_group) g;
    g.count = 0;
    for (size_t k = 0; k < s->f->K; k++) {
        if (!(plan->pair_in[k] & pass) || plan->order[k][1] >= 0) continue;
        const size_t line = plan->line_of[k];
        EP_NUMBER *const to = EP_FULL_NAME(_target)(s, pass, k, p, i);
        s->found[k] = to;
        if (plan->line_in[line] & pass) {
            const EP_NUMBER *const from = s->lines + plan->line_slot[line] * s->kept * s->row;
            for (size_t r = 0; r < rows; r++) EP_FULL_NAME(_move)(to + r * s->row, from + (i + r) % s->kept * s->row, s->row);
            continue;
        }
        EP_FULL_NAME(_add)(s, &g, 2, k, to);
        if (g.count == EP_WINDOWED_OUTPUTS) EP_FULL_NAME(_last)(lanes, s, &g, rows, x + i * s->row), g.count = 0;
    }
    if (g.count) EP_FULL_NAME(_last)(lanes, s, &g, rows, x + i * s->row);
}

/* A group of matrices of axis 2 times rows i .. i + rows - 1. */
static inline void EP_FULL_NAME(_second)(const EP_FULL_NAME(_state) *s, EP_FULL_NAME(_group) *g, size_t i, size_t rows,
                                         const EP_NUMBER *from, size_t turns) {
    for (size_t r = 0; r < rows; r++) EP_FULL_NAME(_across)(s, g, 1, i + r, from, s->row, turns, s->row, r * s->row);
    g->count = 0;
}

/* Rows i .. i + rows - 1 of every pair of orders of axes 2 and 3 that a pass wants, x being plane p. */
static inline void EP_FULL_NAME(_pairs)(const size_t lanes, EP_FULL_NAME(_state) *s, unsigned pass, const EP_NUMBER *x, size_t p,
                                        size_t i, size_t rows) {
    const ep_mollified_plan *const plan = s->plan;
    if (plan->lines_in & pass) EP_FULL_NAME(_lines)(lanes, s, pass, x, i + rows - 1);
    EP_FULL_NAME(_plain)(lanes, s, pass, x, p, i, rows);
    for (size_t line = 0; line < s->f->K; line++) {
        if (plan->line_of[line] != line) continue;
        const size_t turns = plan->line_slot[line] != EP_MOLLIFIED_NONE ? s->kept : 0;
        const EP_NUMBER *const from = turns ? s->lines + plan->line_slot[line] * turns * s->row : x;
        EP_FULL_NAME(_group) g;
        g.count = 0;
        for (size_t k = line; k < s->f->K; k++) {
            if (!(plan->pair_in[k] & pass) || plan->line_of[k] != line || plan->order[k][1] < 0) continue;
            EP_NUMBER *const to = EP_FULL_NAME(_target)(s, pass, k, p, i);
            s->found[k] = to;
            EP_FULL_NAME(_add)(s, &g, 1, k, to);
            if (g.count == EP_WINDOWED_OUTPUTS) EP_FULL_NAME(_second)(s, &g, i, rows, from, turns);
        }
        if (g.count) EP_FULL_NAME(_second)(s, &g, i, rows, from, turns);
    }
}

/* The same of every product that axis 1 is filtered in; then where each product's rows are. */
static inline void EP_FULL_NAME(_products)(EP_FULL_NAME(_state) *s, size_t p, size_t i, size_t rows) {
    const ep_mollified_plan *const plan = s->plan;
    const size_t K = s->f->K, wide = s->f->axis[0].width, n = rows * s->row;
    for (size_t pair = 0; pair < K; pair++) {
        const int plain = plan->order[pair][1] < 0 && plan->order[pair][2] < 0;
        const size_t turns = plan->plane_slot[pair] != EP_MOLLIFIED_NONE ? wide : 0;
        const EP_NUMBER *const from = (turns ? s->planes + plan->plane_slot[pair] * wide * s->plane : s->x) + i * s->row;
        EP_FULL_NAME(_group) g;
        g.count = 0;
        for (size_t k = pair; k < K; k++) {
            if (plan->pair_of[k] != pair) continue;
            if (plan->order[k][0] < 0) {
                if (plain || turns) s->found[k] = from + (turns ? p % wide : p) * s->plane;
                continue;
            }
            if (plan->same_as[k] != k) continue;
            EP_NUMBER *const to = EP_FULL_NAME(_target)(s, EP_MOLLIFIED_LAST, k, p, i);
            s->found[k] = to;
            EP_FULL_NAME(_add)(s, &g, 0, k, to);
            if (g.count == EP_WINDOWED_OUTPUTS) EP_FULL_NAME(_across)(s, &g, 0, p, from, s->plane, turns, n, 0), g.count = 0;
        }
        if (g.count) EP_FULL_NAME(_across)(s, &g, 0, p, from, s->plane, turns, n, 0);
    }
    for (size_t k = 0; k < K; k++) s->found[k] = s->found[plan->same_as[k]];
}

/* Rows of every output that is not there yet. */
static inline void EP_FULL_NAME(_combined)(const EP_FULL_NAME(_state) *s, size_t p, size_t i, size_t rows) {
    const size_t K = s->f->K, n = rows * s->row;
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
            EP_FULL_NAME(_sum)(count, n, c, x, first, y);
            first = 0, count = 0;
        }
        if (!there && (count || first)) EP_FULL_NAME(_sum)(count, n, c, x, first, y);
    }
}

/* What is shared, and which products are outputs as they are. */
static inline void EP_FULL_NAME(_plan)(const ep_mollified *f, const int64_t *orders, const EP_NUMBER *combine,
                                       ep_mollified_plan *plan) {
    ep_mollified_plan_of(f, orders, plan);
    for (size_t o = 0; o < f->O; o++) {
        size_t count = 0, only = 0;
        for (size_t k = 0; k < f->K; k++)
            if (combine[o * f->K + k] != 0) count++, only = k;
        if (count == 1 && combine[o * f->K + only] == 1) plan->output[plan->same_as[only]] = (uint16_t)o;
    }
    ep_mollified_slots(f, plan);
}

/* x [n_1, n_2, n_3] -> y [O, n_1, n_2, n_3]; orders [K, 3], taps_1 [Q, R, W], taps_2 [Q, R, W], taps_3 [Q, W, R],
 * combine [O, K]; scratch of ep_mollified_numbers. No two of them share memory. */
EP_APART void EP_FULL_NAME(_all)(const size_t lanes, const ep_mollified *f, const EP_NUMBER *x, const EP_NUMBER *taps_1,
                                 const EP_NUMBER *taps_2, const EP_NUMBER *taps_3, const int64_t *orders,
                                 const EP_NUMBER *combine, EP_NUMBER *y, EP_NUMBER *scratch) {
    const size_t planes = f->axis[0].size, rows = f->axis[1].size, together = ep_mollified_rows(f);
    ep_mollified_plan plan;
    EP_FULL_NAME(_state) s;
    EP_FULL_NAME(_plan)(f, orders, combine, &plan);
    s.f = f, s.plan = &plan, s.x = x, s.y = y, s.combine = combine;
    s.taps[0] = taps_1, s.taps[1] = taps_2, s.taps[2] = taps_3;
    s.row = f->axis[2].size * lanes, s.plane = rows * s.row, s.all = planes * s.plane;
    s.kept = ep_mollified_lines(f), s.together = together;
    s.lines = scratch, s.planes = s.lines + plan.lines * s.kept * s.row;
    s.rows = s.planes + plan.planes * f->axis[0].width * s.plane;
    s.next_plane = 0;
    for (size_t p = 0; p < planes; p++) {
        const size_t end = plan.planes ? ep_mollified_start(f->axis, p) + f->axis[0].width : 0;
        for (; s.next_plane < end; s.next_plane++) {
            s.next_line = 0;
            for (size_t i = 0; i < rows; i += together)
                EP_FULL_NAME(_pairs)(lanes, &s, EP_MOLLIFIED_KEPT, x + s.next_plane * s.plane, s.next_plane, i,
                                     rows - i < together ? rows - i : together);
        }
        s.next_line = 0;
        for (size_t i = 0; i < rows; i += together) {
            const size_t some = rows - i < together ? rows - i : together;
            EP_FULL_NAME(_pairs)(lanes, &s, EP_MOLLIFIED_LAST, x + p * s.plane, p, i, some);
            EP_FULL_NAME(_products)(&s, p, i, some);
            EP_FULL_NAME(_combined)(&s, p, i, some);
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
