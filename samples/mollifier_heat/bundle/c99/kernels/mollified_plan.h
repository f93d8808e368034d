/* SPDX-License-Identifier: Apache-2.0 */
/* What mollified_derivative makes of the orders of its products before it computes: which parts of them are the same. */
#ifndef EDGEPDE_MOLLIFIED_PLAN_H
#define EDGEPDE_MOLLIFIED_PLAN_H
#include <stddef.h>
#include <stdint.h>

#define EP_MOLLIFIED_MOST 64 /* products */
#define EP_MOLLIFIED_ROWS 4  /* rows of a plane that are computed together */
#define EP_MOLLIFIED_NONE 65535

/* A pass over a plane: for planes that axis 1 reads, or for the outputs. */
enum { EP_MOLLIFIED_KEPT = 1, EP_MOLLIFIED_LAST = 2 };

typedef struct {
    size_t size, rows, width; /* of the axis, of its taps */
} ep_mollified_axis;

typedef struct {
    size_t K, O;
    ep_mollified_axis axis[3];
} ep_mollified;

/* Of every product: the first with the same matrix of axis 3, with the same of axes 2 and 3, with all three the same; the
 * slots of its lines, its plane and its own rows; the output that is that product; the passes that want its pair, or keep
 * its lines. */
typedef struct {
    int16_t order[EP_MOLLIFIED_MOST][3];
    uint8_t line_of[EP_MOLLIFIED_MOST], pair_of[EP_MOLLIFIED_MOST], same_as[EP_MOLLIFIED_MOST];
    uint8_t pair_in[EP_MOLLIFIED_MOST], line_in[EP_MOLLIFIED_MOST];
    uint16_t line_slot[EP_MOLLIFIED_MOST], plane_slot[EP_MOLLIFIED_MOST], slot[EP_MOLLIFIED_MOST], output[EP_MOLLIFIED_MOST];
    size_t lines, planes, slots;
    unsigned lines_in;
} ep_mollified_plan;

/* The first place that row i of an axis reads. */
static inline size_t ep_mollified_start(const ep_mollified_axis *a, size_t i) {
    const size_t half = (a->width - 1) / 2, start = i < half ? 0 : i - half, last = a->size - a->width;
    return start < last ? start : last;
}

static inline void ep_mollified_plan_of(const ep_mollified *f, const int64_t *orders, ep_mollified_plan *p) {
    const size_t K = f->K;
    p->lines = p->planes = p->slots = 0, p->lines_in = 0;
    for (size_t k = 0; k < K; k++) {
        size_t same[3];
        for (size_t a = 0; a < 3; a++) p->order[k][a] = (int16_t)orders[3 * k + a];
        for (size_t a = 0; a < 3; a++) {
            size_t other = 0;
            for (; other < k; other++) {
                size_t from = a;
                while (from < 3 && p->order[other][from] == p->order[k][from]) from++;
                if (from == 3) break;
            }
            same[a] = other;
        }
        p->same_as[k] = (uint8_t)same[0], p->pair_of[k] = (uint8_t)same[1], p->line_of[k] = (uint8_t)same[2];
        p->pair_in[k] = p->line_in[k] = 0;
        p->line_slot[k] = p->plane_slot[k] = p->slot[k] = p->output[k] = EP_MOLLIFIED_NONE;
    }
    for (size_t k = 0; k < K; k++) {
        const size_t pair = p->pair_of[k];
        if (p->order[k][1] < 0 && p->order[k][2] < 0) continue;
        if (p->order[k][0] >= 0 && p->plane_slot[pair] == EP_MOLLIFIED_NONE) {
            p->plane_slot[pair] = (uint16_t)p->planes++;
            p->pair_in[pair] = EP_MOLLIFIED_KEPT;
        }
    }
    for (size_t k = 0; k < K; k++) {
        const size_t pair = p->pair_of[k], line = p->line_of[k];
        if (p->order[k][1] < 0 && p->order[k][2] < 0) continue;
        if (p->plane_slot[pair] == EP_MOLLIFIED_NONE) p->pair_in[pair] = EP_MOLLIFIED_LAST;
        if (p->order[k][1] < 0 || p->order[k][2] < 0) continue;
        if (p->line_slot[line] == EP_MOLLIFIED_NONE) p->line_slot[line] = (uint16_t)p->lines++;
        p->line_in[line] |= p->pair_in[pair];
        p->lines_in |= p->pair_in[pair];
    }
}

/* Rows of their own for products that are neither x, nor an output, nor kept as a plane; after outputs are known. */
static inline void ep_mollified_slots(const ep_mollified *f, ep_mollified_plan *p) {
    for (size_t k = 0; k < f->K; k++) {
        const int16_t *const order = p->order[k];
        const int made = order[0] >= 0 || ((order[1] >= 0 || order[2] >= 0) && p->plane_slot[p->pair_of[k]] == EP_MOLLIFIED_NONE);
        if (made && p->same_as[k] == k && p->output[k] == EP_MOLLIFIED_NONE) p->slot[k] = (uint16_t)p->slots++;
    }
}

/* Rows that are computed together, and lines that are kept of each matrix of axis 3. */
static inline size_t ep_mollified_rows(const ep_mollified *f) {
    return f->axis[1].size < EP_MOLLIFIED_ROWS ? f->axis[1].size : EP_MOLLIFIED_ROWS;
}

static inline size_t ep_mollified_lines(const ep_mollified *f) { return f->axis[1].width + ep_mollified_rows(f) - 1; }

/* Numbers of scratch. */
static inline size_t ep_mollified_numbers(const ep_mollified *f, const ep_mollified_plan *p, size_t lanes) {
    const size_t row = f->axis[2].size * lanes, plane = f->axis[1].size * row;
    return p->lines * ep_mollified_lines(f) * row + p->planes * f->axis[0].width * plane + p->slots * ep_mollified_rows(f) * row;
}
#endif
