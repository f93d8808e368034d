/* SPDX-License-Identifier: Apache-2.0 */
/* Weights stored in fewer bits, read into lanes: halves (IEEE-754 binary16) and bytes. Every conversion is exact.
 *
 * ep_of_half_<type>(bits) takes the 16 bits of a half per lane. ep_load_half_<type>(p), ep_load_byte_<type>(p) read as
 * many as there are lanes. Instructions that convert halves keep those below 2^-14, whatever the mode.
 */
#ifndef EDGEPDE_STORED_H
#define EDGEPDE_STORED_H

#include "lanes.h"

/* Exponent and fraction moved into place; a half below 2^-14 is 1.f * 2^-14 - 2^-14 = 0.f * 2^-14. */
static inline ep_f32 ep_of_half_f32(ep_u32 bits) {
    const ep_u32 size = bits & ep_set_u32(0x7fffu), apart = size << 13, step = ep_set_u32(112u << 23);
    const ep_u32 beyond = EP_MASK_U32(size > ep_set_u32(0x7bffu)), below = EP_MASK_U32(size < ep_set_u32(0x0400u));
    const ep_f32 usual = EP_AS_F32(apart + step + (beyond & step));
    const ep_f32 small = EP_AS_F32(apart + ep_set_u32(113u << 23)) - ep_set_f32(0x1p-14f);
    return EP_AS_F32(EP_AS_U32(ep_pick_f32(below, small, usual)) | ((bits & ep_set_u32(0x8000u)) << 16));
}

static inline ep_f64 ep_of_half_f64(ep_u64 bits) {
    const ep_u64 size = bits & ep_set_u64(0x7fffu), apart = size << 42, step = ep_set_u64(UINT64_C(1008) << 52);
    const ep_u64 beyond = EP_MASK_U64(size > ep_set_u64(0x7bffu)), below = EP_MASK_U64(size < ep_set_u64(0x0400u));
    const ep_f64 usual = EP_AS_F64(apart + step + (beyond & step));
    const ep_f64 small = EP_AS_F64(apart + ep_set_u64(UINT64_C(1009) << 52)) - ep_set_f64(0x1p-14);
    return EP_AS_F64(EP_AS_U64(ep_pick_f64(below, small, usual)) | ((bits & ep_set_u64(0x8000u)) << 48));
}

#if EP_VECTOR_BYTES == 64
static inline ep_f32 ep_load_half_f32(const uint16_t *p) {
    return (ep_f32)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline ep_f64 ep_load_half_f64(const uint16_t *p) {
    const __m512 wide = _mm512_cvtph_ps(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p)));
    return (ep_f64)_mm512_cvtps_pd(_mm512_castps512_ps256(wide));
}

static inline ep_f32 ep_load_byte_f32(const int8_t *p) {
    return (ep_f32)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}

static inline ep_f64 ep_load_byte_f64(const int8_t *p) {
    return (ep_f64)_mm512_cvtepi64_pd(_mm512_cvtepi8_epi64(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
#elif EP_VECTOR_BYTES == 32
#ifdef __F16C__
static inline ep_f32 ep_load_half_f32(const uint16_t *p) {
    return (ep_f32)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline ep_f64 ep_load_half_f64(const uint16_t *p) {
    return (ep_f64)_mm256_cvtps_pd(_mm_cvtph_ps(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
#else
static inline ep_f32 ep_load_half_f32(const uint16_t *p) {
    return ep_of_half_f32((ep_u32)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}

static inline ep_f64 ep_load_half_f64(const uint16_t *p) {
    return ep_of_half_f64((ep_u64)_mm256_cvtepu16_epi64(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
#endif

static inline ep_f32 ep_load_byte_f32(const int8_t *p) {
    return (ep_f32)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}

static inline ep_f64 ep_load_byte_f64(const int8_t *p) {
    int32_t four;
    __builtin_memcpy(&four, p, sizeof four);
    return (ep_f64)_mm256_cvtepi32_pd(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(four)));
}
#elif EP_VECTOR_BYTES == 16
static inline ep_f32 ep_load_half_f32(const uint16_t *p) {
    return (ep_f32)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

static inline ep_f64 ep_load_half_f64(const uint16_t *p) {
    const ep_u64 two = {p[0], p[1]};
    return ep_of_half_f64(two);
}

static inline ep_f32 ep_load_byte_f32(const int8_t *p) {
    uint64_t four = 0;
    __builtin_memcpy(&four, p, 4);
    return (ep_f32)vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(four)))));
}

static inline ep_f64 ep_load_byte_f64(const int8_t *p) {
    const ep_f64 two = {p[0], p[1]};
    return two;
}
#else
static inline ep_f32 ep_load_half_f32(const uint16_t *p) { return ep_of_half_f32(*p); }
static inline ep_f64 ep_load_half_f64(const uint16_t *p) { return ep_of_half_f64(*p); }
static inline ep_f32 ep_load_byte_f32(const int8_t *p) { return (float)*p; }
static inline ep_f64 ep_load_byte_f64(const int8_t *p) { return (double)*p; }
#endif

#endif
