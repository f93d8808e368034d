/* s2gpt_burgers: a neural surrogate; model_hash 5891182676ec3378a0c8f28e618aff8a846265e44a80b7a7872af110e2b2820f
 *
 * parameters float64 [B, 1], inside the box
 *     nu: 0.005 .. 1.0 m^2/s
 * points float32 [M, 2], inside the box
 *     x: -1.0 .. 1.0 m
 *     t: 0.0 .. 1.0 s
 * u float32 [B, M] m/s
 *     error against the exact solution at most 0.00113 (measured); against the network in exact arithmetic at most 9.81e-06 (measured)
 * residual float64 [B]
 *     a diagnostic, flag 4 above 0.053
 *
 * Every function returns a negative number and leaves the outputs as they were when it refuses: -1 a size is 0 or an
 * array would not fit into memory, -2 an input is NaN or infinite. Otherwise it has computed, and the value is the OR
 * of all rows' flags: 1 outside the box, 2 not converged or not finite (the row's answers are NaN), 4 residual above
 * its threshold. Arrays must not overlap, and none may be NULL.
 * Nothing is allocated or kept: scratch belongs to the caller, S2GPT_BURGERS_SCRATCH_BYTES aligned to 8 bytes (64 is faster
 * where there is a vector unit). Calls with scratches of their own may run at the same time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef S2GPT_BURGERS_H
#define S2GPT_BURGERS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define S2GPT_BURGERS_MODEL_HASH "5891182676ec3378a0c8f28e618aff8a846265e44a80b7a7872af110e2b2820f"

/* Independent of the number of rows. */
#if defined(__x86_64__) || defined(__aarch64__)
#define S2GPT_BURGERS_SCRATCH_BYTES 55424
#else
#define S2GPT_BURGERS_SCRATCH_BYTES 55424
#endif

/* The whole model. */
int s2gpt_burgers_run(
    size_t B,
    size_t M,
    const double *parameters,
    const float *points,
    float *u,
    double *residual,
    void *scratch);

/* Numbers per row of coefficients. */
#define S2GPT_BURGERS_COEFFICIENTS 18

/* The solve alone: once per row of parameters. */
int s2gpt_burgers_coefficients(
    size_t B,
    const double *parameters,
    double *coefficients,
    double *residual,
    void *scratch);

/* The field from coefficients of the same parameters: as often as wanted. */
int s2gpt_burgers_field(
    size_t B,
    size_t M,
    const double *parameters,
    const float *points,
    const double *coefficients,
    float *u,
    void *scratch);

/* The flags of every row, without computing; a flags array has one entry per row of its input, or is NULL. */
int s2gpt_burgers_check(
    size_t B,
    size_t M,
    const double *parameters,
    const float *points,
    int *parameters_flags,
    int *points_flags);

#ifdef __cplusplus
}
#endif

#endif
