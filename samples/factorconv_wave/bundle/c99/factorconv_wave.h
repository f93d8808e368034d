/* factorconv_wave: a neural surrogate; model_hash 30a0eeb159bd72d5aaf2cdc1f15d600495737a38acc826e4167e68c37ff7493d
 *
 * parameters float32 [M, 6], inside the box
 *     x0: 0.08 .. 0.24 m
 *     y0: 0.35 .. 0.65 m
 *     width: 0.03 .. 0.05 m
 *     frequency: 2.5 .. 3.5 kHz
 *     c_plate: 0.9 .. 1.1 m/ms
 *     c_inclusion: 0.55 .. 0.75 m/ms
 * u float32 [M, 32, 32, 32] um
 *     error against the exact solution at most 0.448 (measured); against the network in exact arithmetic at most 0.000669 (sound)
 *
 * Every function returns a negative number and leaves the outputs as they were when it refuses: -1 a size is 0 or an
 * array would not fit into memory, -2 an input is NaN or infinite. Otherwise it has computed, and the value is the OR
 * of all rows' flags: 1 outside the box, 2 not converged or not finite (the row's answers are NaN), 4 residual above
 * its threshold. Arrays must not overlap, and none may be NULL.
 * Nothing is allocated or kept: scratch belongs to the caller, FACTORCONV_WAVE_SCRATCH_BYTES aligned to 8 bytes (64 is faster
 * where there is a vector unit). Calls with scratches of their own may run at the same time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FACTORCONV_WAVE_H
#define FACTORCONV_WAVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FACTORCONV_WAVE_MODEL_HASH "30a0eeb159bd72d5aaf2cdc1f15d600495737a38acc826e4167e68c37ff7493d"

/* Independent of the number of rows. */
#if defined(__x86_64__) || defined(__aarch64__)
#define FACTORCONV_WAVE_SCRATCH_BYTES 57408
#else
#define FACTORCONV_WAVE_SCRATCH_BYTES 57408
#endif

/* The whole model. */
int factorconv_wave_run(
    size_t M,
    const float *parameters,
    float *u,
    void *scratch);

/* The flags of every row, without computing; a flags array has one entry per row of its input, or is NULL. */
int factorconv_wave_check(
    size_t M,
    const float *parameters,
    int *parameters_flags);

#ifdef __cplusplus
}
#endif

#endif
