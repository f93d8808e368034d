/* SPDX-License-Identifier: Apache-2.0 */
/* Scalar IEEE-754 arithmetic every kernel stands on: round to nearest, no excess precision, one fused multiply-add. */
#ifndef EDGEPDE_ARITHMETIC_H
#define EDGEPDE_ARITHMETIC_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __FAST_MATH__
#error "EdgePDE kernels need IEEE-754 arithmetic: compile without -ffast-math and -Ofast"
#endif
#if defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#error "EdgePDE kernels need sums in their own order: compile without -fassociative-math and -freciprocal-math"
#endif
#if FLT_EVAL_METHOD != 0
#error "EdgePDE kernels need float and double to be evaluated in their own precision (on i386: -msse2 -mfpmath=sse)"
#endif
#if ((defined(__arm__) && defined(__clang__) && defined(__ARM_NEON)) || defined(__ARM_FEATURE_MVE)) && !defined(EDGEPDE_ARM_SCALAR)
#error "this vector unit flushes denormals: put arm_scalar_begin.h before the kernels and arm_scalar_end.h at the end, or compile with -fno-vectorize -fno-slp-vectorize (gcc: -fno-tree-vectorize -fno-tree-slp-vectorize) and -DEDGEPDE_ARM_SCALAR"
#endif
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

/* EP_HARD_F32, EP_HARD_F64: the processor has fma and sqrt instructions of that precision. */
#if defined(__FMA__) || defined(__aarch64__) || (defined(__riscv_flen) && __riscv_flen >= 64)
#define EP_HARD_F32 1
#define EP_HARD_F64 1
#elif defined(__ARM_FEATURE_FMA) && defined(__ARM_FP)
#define EP_HARD_F32 ((__ARM_FP & 4) != 0)
#define EP_HARD_F64 ((__ARM_FP & 8) != 0)
#else
#define EP_HARD_F32 0
#define EP_HARD_F64 0
#endif
#ifdef EDGEPDE_SOFT
#undef EP_HARD_F32
#undef EP_HARD_F64
#define EP_HARD_F32 0
#define EP_HARD_F64 0
#endif

static inline uint32_t ep_bits_f32(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float ep_from_bits_f32(uint32_t bits) {
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t ep_bits_f64(double x) {
    uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double ep_from_bits_f64(uint64_t bits) {
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

#if EP_HARD_F32
static inline float ep_fma1_f32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline float ep_sqrt1_f32(float x) { return __builtin_sqrtf(x); }
#else
#include "soft_f32.h"
#endif

#if EP_HARD_F64
static inline double ep_fma1_f64(double a, double b, double c) { return __builtin_fma(a, b, c); }
static inline double ep_sqrt1_f64(double x) { return __builtin_sqrt(x); }
#else
#include "soft_f64.h"
#endif

#endif
