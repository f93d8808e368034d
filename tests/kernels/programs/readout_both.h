/* One precision of basis_readout.c, which includes it twice. */
#define EP_NAME EP_(plain_readout)
#include "basis_readout.h"
#undef EP_NAME
#define EP_NAME EP_(half_readout)
#define EP_STORED 16
#include "basis_readout.h"
#undef EP_NAME
#undef EP_STORED

static EP_NUMBER EP_(x)[LANES * TERMS], EP_(turned)[TERMS * LANES], EP_(y)[LANES * COLUMNS];
static EP_NUMBER EP_(basis)[TERMS * COLUMNS], EP_(widened)[TERMS * COLUMNS], EP_(scale)[COLUMNS];

#if EP_VECTOR_BYTES
static EP_NUMBER EP_(out)[COLUMNS * LANES];
#define EP_TOGETHER(name, w, scales, s) \
    EP_JOIN(EP_(name), _lanes)(K, N, EP_(turned), w, scales, s, EP_(out)); \
    for (size_t l = 0; l < LANES; l++) \
        for (size_t n = 0; n < N; n++) EP_(y)[l * N + n] = EP_(out)[n * LANES + l];
#else
#define EP_TOGETHER(name, w, scales, s) EP_JOIN(EP_(name), _rows)(LANES, K, N, EP_(x), w, scales, s, EP_(y));
#endif
#define EP_ONE(name, w, scales, s) \
    if (how == 0) \
        for (size_t l = 0; l < LANES; l++) \
            EP_JOIN(EP_(name), _row)(K, N, EP_(x) + l * K, w, scales, s, EP_(y) + l * N); \
    else if (how == 1) EP_JOIN(EP_(name), _rows)(LANES, K, N, EP_(x), w, scales, s, EP_(y)); \
    else { EP_TOGETHER(name, w, scales, s) } \
    hash = EP_(hash_array)(hash, EP_(y), LANES * N);

/* The hash of products in many sizes, with a scale per column, one and none. */
#define EP_READOUTS(name, w) \
    static uint64_t EP_JOIN(EP_(name), _of_##w)(int how) { \
        uint64_t hash = EP_HASH_START; \
        for (size_t K = 1; K <= TERMS; K += 16) \
            for (size_t N = 1; N <= COLUMNS; N += N < 20 ? 1 : 13) { \
                for (size_t l = 0; l < LANES; l++) \
                    for (size_t k = 0; k < K; k++) EP_(turned)[k * LANES + l] = EP_(x)[l * K + k]; \
                EP_ONE(name, EP_BASIS_##w, EP_(scale), 1) \
                EP_ONE(name, EP_BASIS_##w, EP_(scale) + 2, 0) \
                EP_ONE(name, EP_BASIS_##w, NULL, 0) \
            } \
        return hash; \
    }
#define EP_BASIS_basis EP_(basis)
#define EP_BASIS_widened EP_(widened)
#define EP_BASIS_halves halves
EP_READOUTS(plain_readout, basis)
EP_READOUTS(plain_readout, widened)
EP_READOUTS(half_readout, halves)
#undef EP_READOUTS
#undef EP_ONE
#undef EP_TOGETHER

/* Between -1 and 1, whole multiples of 2^-23. */
static EP_NUMBER EP_(number)(uint32_t i) {
    return ((EP_NUMBER)(int32_t)(ep_random64(i) >> 40) - (EP_NUMBER)8388608) / (EP_NUMBER)8388608;
}

static void EP_(readout_all)(void) {
    for (uint32_t i = 0; i < LANES * TERMS; i++) EP_(x)[i] = EP_(number)(400000 + i);
    for (uint32_t i = 0; i < TERMS * COLUMNS; i++) EP_(basis)[i] = EP_(number)(500000 + i);
    for (uint32_t i = 0; i < COLUMNS; i++) EP_(scale)[i] = EP_(number)(600000 + i);
    for (size_t i = 0; i < TERMS * COLUMNS; i++) {
        uint16_t few[64] = {0};
        EP_NUMBER lanes[64];
        few[0] = halves[i];
        EP_(store)(lanes, EP_(load_half)(few));
        EP_(widened)[i] = lanes[0];
    }
    PRINT("row", EP_JOIN(EP_(plain_readout), _of_basis)(0));
    PRINT("rows", EP_JOIN(EP_(plain_readout), _of_basis)(1));
    PRINT("tile", EP_JOIN(EP_(plain_readout), _of_basis)(2));
    PRINT("row_half", EP_JOIN(EP_(half_readout), _of_halves)(0));
    PRINT("rows_half", EP_JOIN(EP_(half_readout), _of_halves)(1));
    PRINT("tile_half", EP_JOIN(EP_(half_readout), _of_halves)(2));
    PRINT("widened", EP_JOIN(EP_(plain_readout), _of_widened)(0));
}
#undef EP_BASIS_basis
#undef EP_BASIS_widened
#undef EP_BASIS_halves
