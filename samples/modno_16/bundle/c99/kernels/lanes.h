/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes: EP_WIDTH_F32 floats or EP_WIDTH_F64 doubles that go through the same operations side by side.
 *
 * The scalar form (one lane) is the definition; wider ones give its bits, because lanes never meet. On 32-bit ARM the
 * vector unit flushes denormals, so there is one lane. A mask is an unsigned integer per lane, all ones or zero.
 */
#ifndef EDGEPDE_LANES_H
#define EDGEPDE_LANES_H

#include "arithmetic.h"

#if defined(EDGEPDE_SCALAR) || !EP_HARD_F32 || !EP_HARD_F64
#define EP_VECTOR_BYTES 0
#elif defined(__AVX512F__) && defined(__AVX512DQ__)
#define EP_VECTOR_BYTES 64
#include <immintrin.h>
#elif defined(__AVX2__)
#define EP_VECTOR_BYTES 32
#include <immintrin.h>
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
#define EP_VECTOR_BYTES 16
#include <arm_neon.h>
#else
#define EP_VECTOR_BYTES 0
#endif

#if EP_VECTOR_BYTES
#define EP_WIDTH_F32 (EP_VECTOR_BYTES / 4)
#define EP_WIDTH_F64 (EP_VECTOR_BYTES / 8)
typedef float ep_f32 __attribute__((vector_size(EP_VECTOR_BYTES)));
typedef double ep_f64 __attribute__((vector_size(EP_VECTOR_BYTES)));
typedef uint32_t ep_u32 __attribute__((vector_size(EP_VECTOR_BYTES)));
typedef uint64_t ep_u64 __attribute__((vector_size(EP_VECTOR_BYTES)));
#define EP_AS_U32(v) ((ep_u32)(v))
#define EP_AS_F32(u) ((ep_f32)(u))
#define EP_AS_U64(v) ((ep_u64)(v))
#define EP_AS_F64(u) ((ep_f64)(u))
#define EP_MASK_U32(condition) ((ep_u32)(condition))
#define EP_MASK_U64(condition) ((ep_u64)(condition))
#else
#define EP_WIDTH_F32 1
#define EP_WIDTH_F64 1
typedef float ep_f32;
typedef double ep_f64;
typedef uint32_t ep_u32;
typedef uint64_t ep_u64;
#define EP_AS_U32(v) ep_bits_f32(v)
#define EP_AS_F32(u) ep_from_bits_f32(u)
#define EP_AS_U64(v) ep_bits_f64(v)
#define EP_AS_F64(u) ep_from_bits_f64(u)
#define EP_MASK_U32(condition) ((ep_u32)0 - (ep_u32)(condition))
#define EP_MASK_U64(condition) ((ep_u64)0 - (ep_u64)(condition))
#endif

#if EP_VECTOR_BYTES == 64
static inline ep_f32 ep_set_f32(float x) { return (ep_f32)_mm512_set1_ps(x); }
static inline ep_f64 ep_set_f64(double x) { return (ep_f64)_mm512_set1_pd(x); }
static inline ep_u32 ep_set_u32(uint32_t x) { return (ep_u32)_mm512_set1_epi32((int)x); }
static inline ep_u64 ep_set_u64(uint64_t x) { return (ep_u64)_mm512_set1_epi64((long long)x); }
static inline ep_f32 ep_fma_f32(ep_f32 a, ep_f32 b, ep_f32 c) { return (ep_f32)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
static inline ep_f64 ep_fma_f64(ep_f64 a, ep_f64 b, ep_f64 c) { return (ep_f64)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c); }
static inline ep_f32 ep_sqrt_f32(ep_f32 x) { return (ep_f32)_mm512_sqrt_ps((__m512)x); }
static inline ep_f64 ep_sqrt_f64(ep_f64 x) { return (ep_f64)_mm512_sqrt_pd((__m512d)x); }
#elif EP_VECTOR_BYTES == 32
static inline ep_f32 ep_set_f32(float x) { return (ep_f32)_mm256_set1_ps(x); }
static inline ep_f64 ep_set_f64(double x) { return (ep_f64)_mm256_set1_pd(x); }
static inline ep_u32 ep_set_u32(uint32_t x) { return (ep_u32)_mm256_set1_epi32((int)x); }
static inline ep_u64 ep_set_u64(uint64_t x) { return (ep_u64)_mm256_set1_epi64x((long long)x); }
static inline ep_f32 ep_fma_f32(ep_f32 a, ep_f32 b, ep_f32 c) { return (ep_f32)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
static inline ep_f64 ep_fma_f64(ep_f64 a, ep_f64 b, ep_f64 c) { return (ep_f64)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c); }
static inline ep_f32 ep_sqrt_f32(ep_f32 x) { return (ep_f32)_mm256_sqrt_ps((__m256)x); }
static inline ep_f64 ep_sqrt_f64(ep_f64 x) { return (ep_f64)_mm256_sqrt_pd((__m256d)x); }
#elif EP_VECTOR_BYTES == 16
static inline ep_f32 ep_set_f32(float x) { return (ep_f32)vdupq_n_f32(x); }
static inline ep_f64 ep_set_f64(double x) { return (ep_f64)vdupq_n_f64(x); }
static inline ep_u32 ep_set_u32(uint32_t x) { return (ep_u32)vdupq_n_u32(x); }
static inline ep_u64 ep_set_u64(uint64_t x) { return (ep_u64)vdupq_n_u64(x); }
static inline ep_f32 ep_fma_f32(ep_f32 a, ep_f32 b, ep_f32 c) { return (ep_f32)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
static inline ep_f64 ep_fma_f64(ep_f64 a, ep_f64 b, ep_f64 c) { return (ep_f64)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b); }
static inline ep_f32 ep_sqrt_f32(ep_f32 x) { return (ep_f32)vsqrtq_f32((float32x4_t)x); }
static inline ep_f64 ep_sqrt_f64(ep_f64 x) { return (ep_f64)vsqrtq_f64((float64x2_t)x); }
#else
static inline ep_f32 ep_set_f32(float x) { return x; }
static inline ep_f64 ep_set_f64(double x) { return x; }
static inline ep_u32 ep_set_u32(uint32_t x) { return x; }
static inline ep_u64 ep_set_u64(uint64_t x) { return x; }
static inline ep_f32 ep_fma_f32(ep_f32 a, ep_f32 b, ep_f32 c) { return ep_fma1_f32(a, b, c); }
static inline ep_f64 ep_fma_f64(ep_f64 a, ep_f64 b, ep_f64 c) { return ep_fma1_f64(a, b, c); }
static inline ep_f32 ep_sqrt_f32(ep_f32 x) { return ep_sqrt1_f32(x); }
static inline ep_f64 ep_sqrt_f64(ep_f64 x) { return ep_sqrt1_f64(x); }
#endif

static inline ep_f32 ep_load_f32(const float *p) {
    ep_f32 v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

static inline ep_f64 ep_load_f64(const double *p) {
    ep_f64 v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

static inline void ep_store_f32(float *p, ep_f32 v) { __builtin_memcpy(p, &v, sizeof v); }
static inline void ep_store_f64(double *p, ep_f64 v) { __builtin_memcpy(p, &v, sizeof v); }

/* The first n < EP_WIDTH lanes, the others 0; and back. */
#if EP_VECTOR_BYTES == 64
#define EP_FIRST(n) ((1u << (n)) - 1u)
static inline ep_f32 ep_load_some_f32(const float *p, size_t n) { return (ep_f32)_mm512_maskz_loadu_ps((__mmask16)EP_FIRST(n), p); }
static inline ep_f64 ep_load_some_f64(const double *p, size_t n) { return (ep_f64)_mm512_maskz_loadu_pd((__mmask8)EP_FIRST(n), p); }
static inline void ep_store_some_f32(float *p, ep_f32 v, size_t n) { _mm512_mask_storeu_ps(p, (__mmask16)EP_FIRST(n), (__m512)v); }
static inline void ep_store_some_f64(double *p, ep_f64 v, size_t n) { _mm512_mask_storeu_pd(p, (__mmask8)EP_FIRST(n), (__m512d)v); }
#elif EP_VECTOR_BYTES == 32
static inline __m256i ep_first_f32(size_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __m256i ep_first_f64(size_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)n), _mm256_setr_epi64x(0, 1, 2, 3));
}

static inline ep_f32 ep_load_some_f32(const float *p, size_t n) { return (ep_f32)_mm256_maskload_ps(p, ep_first_f32(n)); }
static inline ep_f64 ep_load_some_f64(const double *p, size_t n) { return (ep_f64)_mm256_maskload_pd(p, ep_first_f64(n)); }
static inline void ep_store_some_f32(float *p, ep_f32 v, size_t n) { _mm256_maskstore_ps(p, ep_first_f32(n), (__m256)v); }
static inline void ep_store_some_f64(double *p, ep_f64 v, size_t n) { _mm256_maskstore_pd(p, ep_first_f64(n), (__m256d)v); }
#else
static inline ep_f32 ep_load_some_f32(const float *p, size_t n) {
    ep_f32 v = ep_set_f32(0.0f);
    __builtin_memcpy(&v, p, n * sizeof *p);
    return v;
}

static inline ep_f64 ep_load_some_f64(const double *p, size_t n) {
    ep_f64 v = ep_set_f64(0.0);
    __builtin_memcpy(&v, p, n * sizeof *p);
    return v;
}

static inline void ep_store_some_f32(float *p, ep_f32 v, size_t n) { __builtin_memcpy(p, &v, n * sizeof *p); }
static inline void ep_store_some_f64(double *p, ep_f64 v, size_t n) { __builtin_memcpy(p, &v, n * sizeof *p); }
#endif

/* mask ? a : b, lane by lane. */
static inline ep_f32 ep_pick_f32(ep_u32 mask, ep_f32 a, ep_f32 b) {
    return EP_AS_F32((mask & EP_AS_U32(a)) | (~mask & EP_AS_U32(b)));
}

static inline ep_f64 ep_pick_f64(ep_u64 mask, ep_f64 a, ep_f64 b) {
    return EP_AS_F64((mask & EP_AS_U64(a)) | (~mask & EP_AS_U64(b)));
}

/* a < b ? a : b and a > b ? a : b, so that NaN in b stays. */
#if EP_VECTOR_BYTES == 64
static inline ep_f32 ep_lesser_f32(ep_f32 a, ep_f32 b) { return (ep_f32)_mm512_min_ps((__m512)a, (__m512)b); }
static inline ep_f64 ep_lesser_f64(ep_f64 a, ep_f64 b) { return (ep_f64)_mm512_min_pd((__m512d)a, (__m512d)b); }
static inline ep_f32 ep_larger_f32(ep_f32 a, ep_f32 b) { return (ep_f32)_mm512_max_ps((__m512)a, (__m512)b); }
static inline ep_f64 ep_larger_f64(ep_f64 a, ep_f64 b) { return (ep_f64)_mm512_max_pd((__m512d)a, (__m512d)b); }
#elif EP_VECTOR_BYTES == 32
static inline ep_f32 ep_lesser_f32(ep_f32 a, ep_f32 b) { return (ep_f32)_mm256_min_ps((__m256)a, (__m256)b); }
static inline ep_f64 ep_lesser_f64(ep_f64 a, ep_f64 b) { return (ep_f64)_mm256_min_pd((__m256d)a, (__m256d)b); }
static inline ep_f32 ep_larger_f32(ep_f32 a, ep_f32 b) { return (ep_f32)_mm256_max_ps((__m256)a, (__m256)b); }
static inline ep_f64 ep_larger_f64(ep_f64 a, ep_f64 b) { return (ep_f64)_mm256_max_pd((__m256d)a, (__m256d)b); }
#elif EP_VECTOR_BYTES == 16
static inline ep_f32 ep_lesser_f32(ep_f32 a, ep_f32 b) { return ep_pick_f32(EP_MASK_U32(a < b), a, b); }
static inline ep_f64 ep_lesser_f64(ep_f64 a, ep_f64 b) { return ep_pick_f64(EP_MASK_U64(a < b), a, b); }
static inline ep_f32 ep_larger_f32(ep_f32 a, ep_f32 b) { return ep_pick_f32(EP_MASK_U32(a > b), a, b); }
static inline ep_f64 ep_larger_f64(ep_f64 a, ep_f64 b) { return ep_pick_f64(EP_MASK_U64(a > b), a, b); }
#else
static inline ep_f32 ep_lesser_f32(ep_f32 a, ep_f32 b) { return a < b ? a : b; }
static inline ep_f64 ep_lesser_f64(ep_f64 a, ep_f64 b) { return a < b ? a : b; }
static inline ep_f32 ep_larger_f32(ep_f32 a, ep_f32 b) { return a > b ? a : b; }
static inline ep_f64 ep_larger_f64(ep_f64 a, ep_f64 b) { return a > b ? a : b; }
#endif

/* Whether a lane of a mask is set. */
#if EP_VECTOR_BYTES == 64
static inline int ep_any_u32(ep_u32 mask) { return _mm512_movepi32_mask((__m512i)mask) != 0; }
static inline int ep_any_u64(ep_u64 mask) { return _mm512_movepi64_mask((__m512i)mask) != 0; }
#elif EP_VECTOR_BYTES == 32
static inline int ep_any_u32(ep_u32 mask) { return _mm256_movemask_ps((__m256)mask) != 0; }
static inline int ep_any_u64(ep_u64 mask) { return _mm256_movemask_pd((__m256d)mask) != 0; }
#elif EP_VECTOR_BYTES == 16
static inline int ep_any_u32(ep_u32 mask) { return vmaxvq_u32((uint32x4_t)mask) != 0; }
static inline int ep_any_u64(ep_u64 mask) { return vmaxvq_u32((uint32x4_t)mask) != 0; }
#else
static inline int ep_any_u32(ep_u32 mask) { return mask != 0; }
static inline int ep_any_u64(ep_u64 mask) { return mask != 0; }
#endif

/* x without its sign, and its sign alone. */
static inline ep_f32 ep_magnitude_f32(ep_f32 x) { return EP_AS_F32(EP_AS_U32(x) & ep_set_u32(0x7fffffffu)); }
static inline ep_f64 ep_magnitude_f64(ep_f64 x) { return EP_AS_F64(EP_AS_U64(x) & ep_set_u64(0x7fffffffffffffffu)); }
static inline ep_u32 ep_signbit_f32(ep_f32 x) { return EP_AS_U32(x) & ep_set_u32(0x80000000u); }
static inline ep_u64 ep_signbit_f64(ep_f64 x) { return EP_AS_U64(x) & ep_set_u64(0x8000000000000000u); }

static inline ep_u32 ep_less_f32(ep_f32 a, ep_f32 b) { return EP_MASK_U32(a < b); }
static inline ep_u64 ep_less_f64(ep_f64 a, ep_f64 b) { return EP_MASK_U64(a < b); }
static inline ep_u32 ep_equal_f32(ep_f32 a, ep_f32 b) { return EP_MASK_U32(a == b); }
static inline ep_u64 ep_equal_f64(ep_f64 a, ep_f64 b) { return EP_MASK_U64(a == b); }

#endif
