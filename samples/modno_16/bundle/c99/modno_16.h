/* modno_16: a neural surrogate; model_hash aa43929ce52f2135eec5f91d1cc4ff6eea946e09a5bb21276a5bdf053bfec00f
 *
 * sensors float32 [B, 32], inside the box of all cassettes
 *     s0 .. s31: -2.295735676945311 .. 2.5188412908489917
 * frame float32 [1]: of one cassette, finite; not looked at
 * reads float32 [31]: of one cassette, finite; not looked at
 * multiplier float32 [2, 40, 16]: of one cassette, finite; not looked at
 * mixing float32 [192, 48]: of one cassette, finite; not looked at
 * basis float16 [48, 645], the bits of halves: of one cassette, finite; not looked at
 * scale float32 [1]: of one cassette, finite; not looked at
 * u float32 [B, 10, 128]
 *     error against the exact solution 0.667 (measured, no bound over the box); against the network in exact arithmetic 0.00603 (measured, no bound over the box)
 * Each cassette has a certificate of its own. What is said of errors above is for any, that is the worst.
 * A cassette's own box may be narrower than the one above. THIS CODE DOES NOT KNOW IT: flags are 0 for an input
 * that is inside the box above and outside the cassette's, for which nothing is stated and which Python refuses.
 * The caller must check inputs against the box in the cassette's certificate before a call.
 *
 * Every function returns a negative number and leaves the outputs as they were when it refuses: -1 a size is 0 or an
 * array would not fit into memory, -2 an input is NaN or infinite. Otherwise it has computed, and the value is the OR
 * of all rows' flags: 1 outside the box, 2 not converged or not finite (the row's answers are NaN), 4 residual above
 * its threshold. Arrays must not overlap, and none may be NULL.
 * Nothing is allocated or kept: scratch belongs to the caller, MODNO_16_SCRATCH_BYTES aligned to 8 bytes (64 is faster
 * where there is a vector unit). Calls with scratches of their own may run at the same time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MODNO_16_H
#define MODNO_16_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MODNO_16_MODEL_HASH "aa43929ce52f2135eec5f91d1cc4ff6eea946e09a5bb21276a5bdf053bfec00f"

/* Independent of the number of rows. */
#if defined(__x86_64__) || defined(__aarch64__)
#define MODNO_16_SCRATCH_BYTES 178688
#else
#define MODNO_16_SCRATCH_BYTES 12544
#endif

/* The whole model. */
int modno_16_run(
    size_t B,
    const float *sensors,
    const float *frame,
    const float *reads,
    const float *multiplier,
    const float *mixing,
    const uint16_t *basis,
    const float *scale,
    float *u,
    void *scratch);

/* The flags of every row, without computing; a flags array has one entry per row of its input, or is NULL. */
int modno_16_check(
    size_t B,
    const float *sensors,
    int *sensors_flags);

#ifdef __cplusplus
}
#endif

#endif
