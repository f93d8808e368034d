/* mollifier_heat: a neural surrogate; model_hash b7e20026e67c509fc28942b0397bb91bd03025ffaf312254d4207f21488e84b0
 *
 * readings float32 [M, 26896], inside the box
 *     g0 .. g26895: 0.0007178604602813693 .. 1.0168476283550263
 * lam float32 [M, 41, 41]
 *     error against the exact solution at most 0.0064 (measured); against the network in exact arithmetic at most 9.93e-08 (measured)
 * band float32 [M, 41, 41]
 *     a diagnostic
 * residual float32 [M]
 *     a diagnostic, flag 4 above 0.016136595979332924
 *
 * Every function returns a negative number and leaves the outputs as they were when it refuses: -1 a size is 0 or an
 * array would not fit into memory, -2 an input is NaN or infinite. Otherwise it has computed, and the value is the OR
 * of all rows' flags: 1 outside the box, 2 not converged or not finite (the row's answers are NaN), 4 residual above
 * its threshold. Arrays must not overlap, and none may be NULL.
 * Nothing is allocated or kept: scratch belongs to the caller, MOLLIFIER_HEAT_SCRATCH_BYTES aligned to 8 bytes (64 is faster
 * where there is a vector unit). Calls with scratches of their own may run at the same time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOLLIFIER_HEAT_H
#define MOLLIFIER_HEAT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOLLIFIER_HEAT_MODEL_HASH "b7e20026e67c509fc28942b0397bb91bd03025ffaf312254d4207f21488e84b0"

/* Independent of the number of rows. */
#if defined(__x86_64__) || defined(__aarch64__)
#define MOLLIFIER_HEAT_SCRATCH_BYTES 655680
#else
#define MOLLIFIER_HEAT_SCRATCH_BYTES 655680
#endif

/* The whole model. */
int mollifier_heat_run(
    size_t M,
    const float *readings,
    float *lam,
    float *band,
    float *residual,
    void *scratch);

/* The flags of every row, without computing; a flags array has one entry per row of its input, or is NULL. */
int mollifier_heat_check(
    size_t M,
    const float *readings,
    int *readings_flags);

#ifdef __cplusplus
}
#endif

#endif
