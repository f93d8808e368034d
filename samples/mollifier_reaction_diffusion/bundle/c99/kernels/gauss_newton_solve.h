/* SPDX-License-Identifier: Apache-2.0 */
/* Damped Gauss-Newton on a polynomial residual, one problem at a time.
 *
 * Every sum is chunks of 16 consecutive terms, each a chain of fma from zero, chunk sums added in order. Lanes run over
 * rows or unknowns, so the bits do not depend on how many there are. The constraint's rows stand below the residual's.
 */
#ifndef EDGEPDE_GAUSS_NEWTON_SOLVE_H
#define EDGEPDE_GAUSS_NEWTON_SOLVE_H

#include "lanes.h"

#define EP_GAUSS_NEWTON_CHUNK 16
#define EP_GAUSS_NEWTON_UP(n) (((size_t)(n) + 7) / 8 * 8)
#define EP_GAUSS_NEWTON_COLUMNS(N) EP_GAUSS_NEWTON_UP((N) + 1)

/* Bytes of scratch, the same for every lane count. */
#define EP_GAUSS_NEWTON_SOLVE_SCRATCH(F, R, N, T, K, C) \
    (sizeof(double) * ((size_t)(F) * EP_GAUSS_NEWTON_UP(R) + EP_GAUSS_NEWTON_UP(R) + EP_GAUSS_NEWTON_UP(C) \
                       + EP_GAUSS_NEWTON_CHUNK * (size_t)(F) + 2 * EP_GAUSS_NEWTON_UP(N) \
                       + (EP_GAUSS_NEWTON_CHUNK + EP_GAUSS_NEWTON_UP(N) + 1) * EP_GAUSS_NEWTON_COLUMNS(N) \
                       + 0 * ((size_t)(T) + (size_t)(K))))

static inline size_t ep_gauss_newton_solve_scratch(size_t F, size_t R, size_t N, size_t T, size_t K, size_t C) {
    return EP_GAUSS_NEWTON_SOLVE_SCRATCH(F, R, N, T, K, C);
}

typedef struct {
    size_t F, R, N, T, K, C;
    const double *lift, *basis, *coefficients, *weights, *matrix, *target;
    const int64_t *terms;
    size_t rows, columns; /* strides of values, and of tile and normal */
    double *values;       /* [F][rows] */
    double *residual;     /* [rows], the constraint's [C] behind */
    double *slope;        /* [F][16] dr/dv of the tile's rows */
    double *tile;         /* [16][columns] rows of J | r */
    double *normal;       /* [N][columns] upper triangle of J^T J | J^T r; then of the scaled system */
    double *scale;        /* [columns] */
    double *step;         /* [N] */
    double *trial;        /* [N] */
} ep_gauss_newton;

static inline double ep_gauss_newton_abs(double x) { return ep_from_bits_f64(ep_bits_f64(x) & UINT64_C(0x7fffffffffffffff)); }

static inline int ep_gauss_newton_finite(double x) { return ep_gauss_newton_abs(x) <= DBL_MAX; }

static inline size_t ep_gauss_newton_end(size_t from, size_t n) {
    return n - from < EP_GAUSS_NEWTON_CHUNK ? n : from + EP_GAUSS_NEWTON_CHUNK;
}

static inline ep_f64 ep_gauss_newton_load(const double *p, size_t left) {
    return EP_WIDTH_F64 == 1 || left >= EP_WIDTH_F64 ? ep_load_f64(p) : ep_load_some_f64(p, left);
}

static inline double ep_gauss_newton_dot(const double *a, const double *b, size_t n) {
    double sum = 0.0;
    for (size_t from = 0; from < n; from += EP_GAUSS_NEWTON_CHUNK) {
        double chain = 0.0;
        for (size_t i = from, end = ep_gauss_newton_end(from, n); i < end; i++) chain = ep_fma1_f64(a[i], b[i], chain);
        sum += chain;
    }
    return sum;
}

/* prod_k v_terms[t,k] without factor number `left_out`, at rows r, r + 1, ... */
static inline ep_f64 ep_gauss_newton_product(const ep_gauss_newton *p, size_t t, size_t left_out, size_t r) {
    ep_f64 y = ep_set_f64(1.0);
    for (size_t k = 0; k < p->K; k++) {
        size_t f = (size_t)p->terms[t * p->K + k];
        if (k != left_out && f < p->F) y = y * ep_load_f64(p->values + f * p->rows + r);
    }
    return y;
}

/* values, residual and cost at c. */
static inline double ep_gauss_newton_evaluate(const ep_gauss_newton *p, const double *c) {
    for (size_t f = 0; f < p->F; f++)
        for (size_t r = 0; r < p->R; r++)
            p->values[f * p->rows + r] =
                p->lift[f * p->R + r] + ep_gauss_newton_dot(p->basis + (f * p->R + r) * p->N, c, p->N);
    for (size_t r = 0; r < p->R; r += EP_WIDTH_F64) {
        ep_f64 sum = ep_set_f64(0.0);
        for (size_t from = 0; from < p->T; from += EP_GAUSS_NEWTON_CHUNK) {
            ep_f64 chain = ep_set_f64(0.0);
            for (size_t t = from, end = ep_gauss_newton_end(from, p->T); t < end; t++)
                chain = ep_fma_f64(ep_gauss_newton_load(p->coefficients + t * p->R + r, p->R - r),
                                   ep_gauss_newton_product(p, t, p->K, r), chain);
            sum = sum + chain;
        }
        ep_store_f64(p->residual + r, ep_gauss_newton_load(p->weights + r, p->R - r) * sum);
    }
    double *q = p->residual + p->rows;
    for (size_t i = 0; i < p->C; i++) q[i] = ep_gauss_newton_dot(p->matrix + i * p->N, c, p->N) - p->target[i];
    return ep_gauss_newton_dot(p->residual, p->residual, p->R) + ep_gauss_newton_dot(q, q, p->C);
}

/* weights dr/dv_f at rows r, r + 1, ... by the product rule. */
static inline ep_f64 ep_gauss_newton_slope(const ep_gauss_newton *p, size_t f, size_t r) {
    ep_f64 sum = ep_set_f64(0.0);
    for (size_t from = 0; from < p->T * p->K; from += EP_GAUSS_NEWTON_CHUNK) {
        ep_f64 chain = ep_set_f64(0.0);
        for (size_t i = from, end = ep_gauss_newton_end(from, p->T * p->K); i < end; i++) {
            if ((size_t)p->terms[i] != f) continue;
            size_t t = i / p->K;
            chain = ep_fma_f64(ep_gauss_newton_load(p->coefficients + t * p->R + r, p->R - r),
                               ep_gauss_newton_product(p, t, i % p->K, r), chain);
        }
        sum = sum + chain;
    }
    return sum * ep_gauss_newton_load(p->weights + r, p->R - r);
}

/* The tile: rows first ... end - 1 of J | r. */
static inline void ep_gauss_newton_rows(const ep_gauss_newton *p, size_t first, size_t end) {
    for (size_t f = 0; f < p->F; f++)
        for (size_t r = first; r < end; r += EP_WIDTH_F64)
            ep_store_f64(p->slope + f * EP_GAUSS_NEWTON_CHUNK + (r - first), ep_gauss_newton_slope(p, f, r));
    for (size_t r = first; r < end; r++) {
        double *row = p->tile + (r - first) * p->columns;
        for (size_t n = 0; n < p->N; n += EP_WIDTH_F64) {
            ep_f64 sum = ep_set_f64(0.0);
            for (size_t from = 0; from < p->F; from += EP_GAUSS_NEWTON_CHUNK) {
                ep_f64 chain = ep_set_f64(0.0);
                for (size_t f = from, last = ep_gauss_newton_end(from, p->F); f < last; f++)
                    chain = ep_fma_f64(ep_set_f64(p->slope[f * EP_GAUSS_NEWTON_CHUNK + (r - first)]),
                                       ep_gauss_newton_load(p->basis + (f * p->R + r) * p->N + n, p->N - n), chain);
                sum = sum + chain;
            }
            ep_store_f64(row + n, sum);
        }
        row[p->N] = p->residual[r];
    }
}

/* normal += tile^T tile, upper triangle, in blocks of four unknowns. */
static inline void ep_gauss_newton_add(const ep_gauss_newton *p, size_t count) {
    size_t s = p->columns;
    for (size_t n = 0; n < p->N; n += 4) {
        double *to = p->normal + n * s;
        for (size_t m = n / EP_WIDTH_F64 * EP_WIDTH_F64; m <= p->N; m += EP_WIDTH_F64) {
            ep_f64 a = ep_set_f64(0.0), b = a, c = a, d = a;
            const double *row = p->tile;
            for (size_t i = 0; i < count; i++, row += s) {
                ep_f64 x = ep_load_f64(row + m);
                a = ep_fma_f64(ep_set_f64(row[n]), x, a);
                b = ep_fma_f64(ep_set_f64(row[n + 1]), x, b);
                c = ep_fma_f64(ep_set_f64(row[n + 2]), x, c);
                d = ep_fma_f64(ep_set_f64(row[n + 3]), x, d);
            }
            ep_store_f64(to + m, ep_load_f64(to + m) + a);
            ep_store_f64(to + s + m, ep_load_f64(to + s + m) + b);
            ep_store_f64(to + 2 * s + m, ep_load_f64(to + 2 * s + m) + c);
            ep_store_f64(to + 3 * s + m, ep_load_f64(to + 3 * s + m) + d);
        }
    }
}

static inline void ep_gauss_newton_normal(const ep_gauss_newton *p) {
    __builtin_memset(p->normal, 0, sizeof(double) * EP_GAUSS_NEWTON_UP(p->N) * p->columns);
    for (size_t first = 0; first < p->R; first += EP_GAUSS_NEWTON_CHUNK) {
        size_t end = ep_gauss_newton_end(first, p->R);
        ep_gauss_newton_rows(p, first, end);
        ep_gauss_newton_add(p, end - first);
    }
    for (size_t first = 0; first < p->C; first += EP_GAUSS_NEWTON_CHUNK) {
        size_t end = ep_gauss_newton_end(first, p->C);
        for (size_t i = first; i < end; i++) {
            double *row = p->tile + (i - first) * p->columns;
            __builtin_memcpy(row, p->matrix + i * p->N, sizeof(double) * p->N);
            row[p->N] = p->residual[p->rows + i];
        }
        ep_gauss_newton_add(p, end - first);
    }
}

/* step = -(H + damping diag H)^-1 g on H scaled to unit diagonal; whether every unknown has a positive diagonal. */
static inline int ep_gauss_newton_step(const ep_gauss_newton *p, double damping) {
    size_t N = p->N, s = p->columns;
    int determined = 1;
    for (size_t n = 0; n < N; n++) {
        double diagonal = p->normal[n * s + n];
        if (!(diagonal > 0.0)) determined = 0;
        p->scale[n] = diagonal > 0.0 ? 1.0 / ep_sqrt1_f64(diagonal) : 1.0;
    }
    p->scale[N] = -1.0;
    for (size_t n = 0; n < N; n++) {
        double *row = p->normal + n * s;
        double shift = row[n] <= 0.0 ? damping + 1.0 : damping;
        for (size_t m = n / EP_WIDTH_F64 * EP_WIDTH_F64; m <= N; m += EP_WIDTH_F64)
            ep_store_f64(row + m, ep_load_f64(row + m) * ep_set_f64(p->scale[n]) * ep_load_f64(p->scale + m));
        row[n] += shift;
    }
    for (size_t k = 0; k < N; k++) {
        double *pivot = p->normal + k * s;
        pivot[k] = 1.0 / pivot[k];
        for (size_t i = k + 1; i < N; i++) {
            double *row = p->normal + i * s;
            ep_f64 factor = ep_set_f64(-(pivot[i] * pivot[k]));
            for (size_t m = i / EP_WIDTH_F64 * EP_WIDTH_F64; m <= N; m += EP_WIDTH_F64)
                ep_store_f64(row + m, ep_fma_f64(factor, ep_load_f64(pivot + m), ep_load_f64(row + m)));
        }
    }
    for (size_t j = N; j-- > 0;) {
        double x = p->normal[j * s + N] * p->normal[j * s + j];
        for (size_t i = 0; i < j; i++)
            p->normal[i * s + N] = ep_fma1_f64(-p->normal[i * s + j], x, p->normal[i * s + N]);
        p->step[j] = x * p->scale[j];
    }
    return determined;
}

/* Whether |step|_inf <= tolerance (1 + |c|_inf). */
static inline int ep_gauss_newton_small(const ep_gauss_newton *p, const double *c, double tolerance) {
    double largest = 0.0;
    for (size_t n = 0; n < p->N; n++)
        if (ep_gauss_newton_abs(c[n]) > largest) largest = ep_gauss_newton_abs(c[n]);
    for (size_t n = 0; n < p->N; n++)
        if (!(ep_gauss_newton_abs(p->step[n]) <= tolerance * (1.0 + largest))) return 0;
    return 1;
}

static inline int ep_gauss_newton_iterate(const ep_gauss_newton *p, int64_t iterations, double tolerance, double *c) {
    double damping = 1e-14, cost = ep_gauss_newton_evaluate(p, c);
    int done = 0;
    /* A cost that is not a number stays so: no step is ever taken. */
    for (; iterations > 0 && !done && cost == cost; iterations--) {
        ep_gauss_newton_normal(p);
        int determined = ep_gauss_newton_step(p, damping);
        for (size_t n = 0; n < p->N; n++) p->trial[n] = c[n] + p->step[n];
        double reached = ep_gauss_newton_evaluate(p, p->trial);
        done = determined && damping <= 1e-6 && ep_gauss_newton_finite(cost) && ep_gauss_newton_small(p, c, tolerance);
        if (reached <= cost) {
            __builtin_memcpy(c, p->trial, sizeof(double) * p->N);
            cost = reached;
            damping = damping * 1e-2 < 1e-14 ? 1e-14 : damping * 1e-2;
        } else {
            if (!done) ep_gauss_newton_evaluate(p, c);
            damping = damping * 1e2 < 1e-4 ? 1e-4 : damping * 1e2;
        }
    }
    for (size_t n = 0; n < p->N; n++) done = done && ep_gauss_newton_finite(c[n]);
    return done;
}

/* Shapes without the batch: lift [F,R], basis [F,R,N], coefficients [T,R], weights [R], start [N], terms [T,K],
 * constraint_matrix [C,N], constraint_target [C], solution [N]; scratch aligned like a double, of the bytes above.
 * With a factor number outside 0 ... F the solution is NaN and converged 0. */
static inline void ep_gauss_newton_solve_row(size_t F, size_t R, size_t N, size_t T, size_t K, size_t C,
                                             const double *lift, const double *basis, const double *coefficients,
                                             const double *weights, const double *start, const int64_t *terms,
                                             const double *constraint_matrix, const double *constraint_target,
                                             int64_t max_iterations, double tolerance, double *solution,
                                             unsigned char *converged, void *scratch) {
    ep_gauss_newton p = {F, R, N, T, K, C, lift, basis, coefficients, weights, constraint_matrix, constraint_target,
                         terms, EP_GAUSS_NEWTON_UP(R), EP_GAUSS_NEWTON_COLUMNS(N), 0, 0, 0, 0, 0, 0, 0, 0};
    p.values = (double *)scratch;
    p.residual = p.values + F * p.rows;
    p.slope = p.residual + p.rows + EP_GAUSS_NEWTON_UP(C);
    p.tile = p.slope + F * EP_GAUSS_NEWTON_CHUNK;
    p.normal = p.tile + EP_GAUSS_NEWTON_CHUNK * p.columns;
    p.scale = p.normal + EP_GAUSS_NEWTON_UP(N) * p.columns;
    p.step = p.scale + p.columns;
    p.trial = p.step + EP_GAUSS_NEWTON_UP(N);
    __builtin_memset(scratch, 0, EP_GAUSS_NEWTON_SOLVE_SCRATCH(F, R, N, T, K, C));
    *converged = 0;
    for (size_t i = 0; i < T * K; i++)
        if (terms[i] < 0 || (uint64_t)terms[i] > F) {
            for (size_t n = 0; n < N; n++) solution[n] = ep_from_bits_f64(UINT64_C(0x7ff8000000000000));
            return;
        }
    if (N) __builtin_memcpy(solution, start, sizeof(double) * N);
    *converged = (unsigned char)ep_gauss_newton_iterate(&p, max_iterations, tolerance, solution);
}

#endif
