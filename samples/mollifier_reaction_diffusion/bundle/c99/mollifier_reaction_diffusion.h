/* mollifier_reaction_diffusion: a neural surrogate; model_hash faa534af9214707044a54b74f0c06b830ad0c64e1332aebab066ab4d67a91921
 *
 * readings float32 [M, 26896], inside the box
 *     g0 .. g26895: -0.5315027311444283 .. 0.5320139899849892
 * lam float32 [M, 41, 41]
 *     error against the exact solution at most 0.529 (measured); against the network in exact arithmetic at most 7.42e-07 (measured)
 * band float32 [M, 41, 41]
 *     a diagnostic
 * residual float32 [M]
 *     a diagnostic, flag 4 above 0.3267538547515869
 *
 * Every function returns a negative number and leaves the outputs as they were when it refuses: -1 a size is 0 or an
 * array would not fit into memory, -2 an input is NaN or infinite. Otherwise it has computed, and the value is the OR
 * of all rows' flags: 1 outside the box, 2 not converged or not finite (the row's answers are NaN), 4 residual above
 * its threshold. Arrays must not overlap, and none may be NULL.
 * Nothing is allocated or kept: scratch belongs to the caller, MOLLIFIER_REACTION_DIFFUSION_SCRATCH_BYTES aligned to 8 bytes (64 is faster
 * where there is a vector unit). Calls with scratches of their own may run at the same time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MOLLIFIER_REACTION_DIFFUSION_H
#define MOLLIFIER_REACTION_DIFFUSION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOLLIFIER_REACTION_DIFFUSION_MODEL_HASH "faa534af9214707044a54b74f0c06b830ad0c64e1332aebab066ab4d67a91921"

/* Independent of the number of rows. */
#if defined(__x86_64__) || defined(__aarch64__)
#define MOLLIFIER_REACTION_DIFFUSION_SCRATCH_BYTES 968320
#else
#define MOLLIFIER_REACTION_DIFFUSION_SCRATCH_BYTES 968320
#endif

/* The whole model. */
int mollifier_reaction_diffusion_run(
    size_t M,
    const float *readings,
    float *lam,
    float *band,
    float *residual,
    void *scratch);

/* The flags of every row, without computing; a flags array has one entry per row of its input, or is NULL. */
int mollifier_reaction_diffusion_check(
    size_t M,
    const float *readings,
    int *readings_flags);

#ifdef __cplusplus
}
#endif

#endif
