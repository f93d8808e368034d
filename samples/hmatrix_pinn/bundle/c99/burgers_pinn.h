/* burgers_pinn: a neural surrogate; model_hash 17b354e408684677da7dc79753d7ac11ad8786ecf8ce5850361f83fff61dd8f7
 *
 * x float32 [M, 2], inside the box
 *     x: -1.0 .. 1.0 m
 *     t: 0.0 .. 1.0 s
 * u float32 [M, 1] m/s
 *     error against the exact solution at most 0.00254 (measured); against the network in exact arithmetic at most 0.000897 (sound)
 *
 * Every function returns a negative number and leaves the outputs as they were when it refuses: -1 a size is 0 or an
 * array would not fit into memory, -2 an input is NaN or infinite. Otherwise it has computed, and the value is the OR
 * of all rows' flags: 1 outside the box, 2 not converged or not finite (the row's answers are NaN), 4 residual above
 * its threshold. Arrays must not overlap, and none may be NULL.
 * Nothing is allocated or kept: scratch belongs to the caller, BURGERS_PINN_SCRATCH_BYTES aligned to 8 bytes (64 is faster
 * where there is a vector unit). Calls with scratches of their own may run at the same time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef BURGERS_PINN_H
#define BURGERS_PINN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BURGERS_PINN_MODEL_HASH "17b354e408684677da7dc79753d7ac11ad8786ecf8ce5850361f83fff61dd8f7"

/* Independent of the number of rows. */
#if defined(__x86_64__) || defined(__aarch64__)
#define BURGERS_PINN_SCRATCH_BYTES 4096
#else
#define BURGERS_PINN_SCRATCH_BYTES 384
#endif

/* The whole model. */
int burgers_pinn_run(
    size_t M,
    const float *x,
    float *u,
    void *scratch);

/* The flags of every row, without computing; a flags array has one entry per row of its input, or is NULL. */
int burgers_pinn_check(
    size_t M,
    const float *x,
    int *x_flags);

#ifdef __cplusplus
}
#endif

#endif
