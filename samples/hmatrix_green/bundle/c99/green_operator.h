/* green_operator: a neural surrogate; model_hash cd7288453a24d2402feaf5d500d4b29737c3081519e64c4dec97db429474b3a3
 *
 * f float32 [M, 2064], inside the box
 *     f0 .. f2063: -1.0 .. 1.0 MW/m^3
 * u float32 [M, 2064] K
 *     error against the exact solution at most 0.0455 (measured); against the network in exact arithmetic at most 0.00897 (sound)
 *
 * Every function returns a negative number and leaves the outputs as they were when it refuses: -1 a size is 0 or an
 * array would not fit into memory, -2 an input is NaN or infinite. Otherwise it has computed, and the value is the OR
 * of all rows' flags: 1 outside the box, 2 not converged or not finite (the row's answers are NaN), 4 residual above
 * its threshold. Arrays must not overlap, and none may be NULL.
 * Nothing is allocated or kept: scratch belongs to the caller, GREEN_OPERATOR_SCRATCH_BYTES aligned to 8 bytes (64 is faster
 * where there is a vector unit). Calls with scratches of their own may run at the same time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef GREEN_OPERATOR_H
#define GREEN_OPERATOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GREEN_OPERATOR_MODEL_HASH "cd7288453a24d2402feaf5d500d4b29737c3081519e64c4dec97db429474b3a3"

/* Independent of the number of rows. */
#if defined(__x86_64__) || defined(__aarch64__)
#define GREEN_OPERATOR_SCRATCH_BYTES 588864
#else
#define GREEN_OPERATOR_SCRATCH_BYTES 36864
#endif

/* The whole model. */
int green_operator_run(
    size_t M,
    const float *f,
    float *u,
    void *scratch);

/* The flags of every row, without computing; a flags array has one entry per row of its input, or is NULL. */
int green_operator_check(
    size_t M,
    const float *f,
    int *f_flags);

#ifdef __cplusplus
}
#endif

#endif
