/* @title@: a neural surrogate; model_hash @hash@
 *
@inputs@
@outputs@
 *
 * Every function returns a negative number and leaves the outputs as they were when it refuses: -1 a size is 0 or an
 * array would not fit into memory, -2 an input is NaN or infinite. Otherwise it has computed, and the value is the OR
 * of all rows' flags: 1 outside the box, 2 not converged or not finite (the row's answers are NaN), 4 residual above
 * its threshold. Arrays must not overlap, and none may be NULL.
 * Nothing is allocated or kept: scratch belongs to the caller, @upper@_SCRATCH_BYTES aligned to 8 bytes (64 is faster
 * where there is a vector unit). Calls with scratches of their own may run at the same time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef @upper@_H
#define @upper@_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define @upper@_MODEL_HASH "@hash@"

/* Independent of the number of rows. */
#if defined(__x86_64__) || defined(__aarch64__)
#define @upper@_SCRATCH_BYTES @most@
#else
#define @upper@_SCRATCH_BYTES @single@
#endif

@declarations@
/* The flags of every row, without computing; a flags array has one entry per row of its input, or is NULL. */
@check@

#ifdef __cplusplus
}
#endif

#endif
