/* 64-bit FNV-1a over bit patterns, least significant byte first; every NaN counts as the same one.
 *
 *     uint64_t hash = EP_HASH_START;
 *     hash = ep_hash_array_f32(hash, u, B * M);
 *     ep_print_line("u", hash);
 */
#ifndef EDGEPDE_HASH_H
#define EDGEPDE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EP_HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t ep_hash_bytes(uint64_t hash, uint64_t word, int bytes) {
    for (int i = 0; i < bytes; i++) {
        hash = (hash ^ ((word >> (8 * i)) & 255u)) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static inline uint64_t ep_hash_u32(uint64_t hash, uint32_t word) { return ep_hash_bytes(hash, word, 4); }
static inline uint64_t ep_hash_u64(uint64_t hash, uint64_t word) { return ep_hash_bytes(hash, word, 8); }

static inline uint64_t ep_hash_f32(uint64_t hash, float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return ep_hash_u32(hash, (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : bits);
}

static inline uint64_t ep_hash_f64(uint64_t hash, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int is_nan = (bits & UINT64_C(0x7fffffffffffffff)) > UINT64_C(0x7ff0000000000000);
    return ep_hash_u64(hash, is_nan ? UINT64_C(0x7ff8000000000000) : bits);
}

static inline uint64_t ep_hash_array_f32(uint64_t hash, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        hash = ep_hash_f32(hash, x[i]);
    }
    return hash;
}

static inline uint64_t ep_hash_array_f64(uint64_t hash, const double *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        hash = ep_hash_f64(hash, x[i]);
    }
    return hash;
}

#endif
