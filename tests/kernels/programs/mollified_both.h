/* One precision of mollified_derivative.c, which includes it twice. */
#define EP_NAME EP_(derivative)
#include "mollified_derivative.h"
#undef EP_NAME

#ifndef MOLLIFIED_SIZES
#define MOLLIFIED_SIZES
/* A uniform grid; a line whose windows are longer than a chunk, each with taps of its own. */
static const ep_mollified banks[] = {
    {7, 5, {{4, 3, 3}, {6, 5, 5}, {23, 7, 7}}},
    {7, 5, {{4, 4, 2}, {6, 6, 6}, {23, 23, 17}}},
};
static const int64_t orders[] = {-1, -1, 0, -1, -1, 1, -1, 0, 1, 1, -1, -1, 0, 1, 0, -1, 1, 0, -1, -1, -1};
#endif

static EP_NUMBER EP_(x)[INPUTS * LANES], EP_(y)[OUTPUTS * LANES], EP_(one)[INPUTS], EP_(out)[OUTPUTS];
static EP_NUMBER EP_(scratch)[SCRATCH * (EP_VECTOR_BYTES ? LANES : 1)];
static EP_NUMBER EP_(weights)[3][WEIGHTS];
/* Two products themselves, sums with zeros, one of powers of two. */
static const EP_NUMBER EP_(combine)[] = {
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, (EP_NUMBER)-0.5, 1, 2, 0, 0, 0, (EP_NUMBER)0.75, 0, 0, 3, 1,
};

/* LANES rows one by one or together; then the hash of all. */
static uint64_t EP_(derivative_hash)(const ep_mollified *f, int together) {
#define EP_GIVEN EP_(weights)[0], EP_(weights)[1], EP_(weights)[2], orders, EP_(combine)
    const size_t alone = together && (EP_VECTOR_BYTES != 0) ? 0 : LANES;
    for (size_t l = 0; l < alone; l++) {
        for (size_t i = 0; i < INPUTS; i++) EP_(one)[i] = EP_(x)[i * LANES + l];
        EP_JOIN(EP_(derivative), _row)(f, EP_(one), EP_GIVEN, EP_(out), EP_(scratch));
        for (size_t i = 0; i < OUTPUTS; i++) EP_(y)[i * LANES + l] = EP_(out)[i];
    }
#if EP_VECTOR_BYTES
    if (together) EP_JOIN(EP_(derivative), _lanes)(f, EP_(x), EP_GIVEN, EP_(y), EP_(scratch));
#endif
#undef EP_GIVEN
    return EP_(hash_array)(EP_HASH_START, EP_(y), OUTPUTS * LANES);
}

/* Between -1 and 1, whole multiples of 2^-23. */
static EP_NUMBER EP_(number)(uint32_t i) {
    return ((EP_NUMBER)(int32_t)(ep_random64(i) >> 40) - (EP_NUMBER)8388608) / (EP_NUMBER)8388608;
}

static void EP_(mollified_all)(void) {
    for (uint32_t i = 0; i < INPUTS * LANES; i++) EP_(x)[i] = EP_(number)(700000 + i);
    for (uint32_t i = 0; i < 3 * WEIGHTS; i++) EP_(weights)[i / WEIGHTS][i % WEIGHTS] = EP_(number)(800000 + i);
    PRINT("uniform_rows", EP_(derivative_hash)(banks, 0));
    PRINT("uniform_tile", EP_(derivative_hash)(banks, 1));
    PRINT("own_rows", EP_(derivative_hash)(banks + 1, 0));
    PRINT("own_tile", EP_(derivative_hash)(banks + 1, 1));
}
