/* SPDX-License-Identifier: Apache-2.0 */
/* Names of kernels that are written once for both precisions: EP_(fma) is ep_fma_f32 where EP_TYPE is f32. */
#ifndef EDGEPDE_GENERIC_H
#define EDGEPDE_GENERIC_H

#include "lanes.h"

#define EP_JOIN2(a, b) a##b
#define EP_JOIN(a, b) EP_JOIN2(a, b)
#define EP_(name) EP_JOIN(EP_JOIN(ep_, name), EP_JOIN(_, EP_TYPE))
#define EP_LANES EP_JOIN(ep_, EP_TYPE)
#define EP_WIDTH EP_JOIN(EP_WIDTH_, EP_TYPE)
#define EP_NUMBER EP_JOIN(EP_NUMBER_, EP_TYPE)
#define EP_NUMBER_f32 float
#define EP_NUMBER_f64 double
#define EP_WIDTH_f32 EP_WIDTH_F32
#define EP_WIDTH_f64 EP_WIDTH_F64

/* Rows that lie side by side where there is a vector unit. */
#define EP_TILE 16

/* The terms of one chain of a reduction; the sums of chains are added in order. */
#define EP_CHUNK 16

/* Kernels that are cut to the caller's constants, and those that must not be: unrolled for one size they would spill. */
#if EP_VECTOR_BYTES
#define EP_INLINE static inline __attribute__((always_inline))
#define EP_APART static __attribute__((noinline, unused))
#else
#define EP_INLINE static inline
#define EP_APART static inline
#endif

static inline ep_f32 ep_same_f32(ep_f32 x) { return x; }
static inline ep_f64 ep_same_f64(ep_f64 x) { return x; }

#endif
