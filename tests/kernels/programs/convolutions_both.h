/* One precision of convolutions.c, which includes it twice. */
#define EP_NAME EP_(whole_conv)
#include "convolve.h"
#undef EP_NAME
#define EP_NAME EP_(whole_factors)
#include "factorized_conv.h"
#undef EP_NAME
#define EP_STORED 16
#define EP_NAME EP_(half_conv)
#include "convolve.h"
#undef EP_NAME
#define EP_NAME EP_(half_factors)
#include "factorized_conv.h"
#undef EP_NAME
#undef EP_STORED

#ifndef CONVOLUTIONS_SIZES
#define CONVOLUTIONS_SIZES
/* Two groups of 3 channels to 4; then what is behind every second output of an axis in a transposed one. */
static const ep_convolution plain[] = {
    {3, 4, {{2, -1, 2, 2, 4, 2, 0, 1, 2, 0}, {3, -2, 1, 1, 5, 5, 0, 1, 5, 0}, {4, -1, 1, 2, 9, 4, 0, 1, 4, 0}}},
};
static const ep_convolution spread[] = {
    {2, 3, {{2, 0, -1, 1, 4, 4, 0, 2, 8, 0}, {2, 0, -1, 1, 5, 5, 0, 2, 10, 0}, {2, 0, -1, 1, 9, 9, 0, 2, 18, 0}}},
    {2, 3, {{2, 1, -1, 1, 4, 4, 1, 2, 8, 0}, {1, 0, 0, 1, 5, 5, 1, 2, 10, 0}, {3, 1, -1, 1, 9, 9, 1, 2, 18, 0}}},
};
static const ep_factorized factored = {6, 19, 5, {{4, 4, 3, 1, 1, 1}, {5, 3, 2, 2, 2, 1}, {9, 9, 5, 1, 1, 2}}};
static const ep_factorized picture = {6, 7, 3, {{4, 4, 0, 1, 1, 0}, {5, 5, 3, 1, 1, 1}, {9, 4, 3, 2, 1, 0}}};
#endif

static EP_NUMBER EP_(x)[INPUTS * LANES], EP_(y)[OUTPUTS * LANES], EP_(one)[INPUTS], EP_(out)[OUTPUTS];
static EP_NUMBER EP_(scratch)[SCRATCH * (EP_VECTOR_BYTES ? LANES : 1)] __attribute__((aligned(64)));
static EP_NUMBER EP_(weights)[3][WEIGHTS], EP_(bias)[8];

/* LANES rows of `outputs` numbers, one by one or together; then the hash of all. */
#define EP_HASHED(name, outputs, row, lanes) \
    static uint64_t EP_JOIN(EP_(name), _hash)(int together) { \
        for (size_t i = 0; i < OUTPUTS; i++) EP_(out)[i] = 3; \
        for (size_t i = 0; i < OUTPUTS * LANES; i++) EP_(y)[i] = 3; \
        if (together && EP_VECTOR_BYTES) { \
            const EP_NUMBER *const x = EP_(x); \
            EP_NUMBER *const y = EP_(y); \
            lanes; \
        } else { \
            for (size_t l = 0; l < LANES; l++) { \
                const EP_NUMBER *const x = EP_(one); \
                EP_NUMBER *const y = EP_(out); \
                for (size_t i = 0; i < INPUTS; i++) EP_(one)[i] = EP_(x)[i * LANES + l]; \
                row; \
                for (size_t i = 0; i < (outputs); i++) EP_(y)[i * LANES + l] = EP_(out)[i]; \
            } \
        } \
        return EP_(hash_array)(EP_HASH_START, EP_(y), (outputs) * LANES); \
    }
#if EP_VECTOR_BYTES
#define EP_TOGETHER(call) call
#else
#define EP_TOGETHER(call) ((void)x, (void)y)
#endif
#define EP_CONV(form, groups, count, parts, w) \
    EP_JOIN(EP_(form), _row)(groups, count, parts, x, w, EP_(bias), y, EP_(scratch)), \
    EP_TOGETHER(EP_JOIN(EP_(form), _lanes)(groups, count, parts, x, w, EP_(bias), y, EP_(scratch)))
#define EP_FACTORS(form, sizes, w) \
    EP_JOIN(EP_(form), _row)(&sizes, x, w[0], w[1], w[2], EP_(bias), y, EP_(scratch)), \
    EP_TOGETHER(EP_JOIN(EP_(form), _lanes)(&sizes, x, w[0], w[1], w[2], EP_(bias), y, EP_(scratch)))
#define EP_EXPANDED(name, outputs, calls) EP_HASHED(name, outputs, calls)
EP_EXPANDED(conv, 8 * 2 * 5 * 4, EP_CONV(whole_conv, 2, 1, plain, EP_(weights)[0]))
EP_EXPANDED(conv_half, 8 * 2 * 5 * 4, EP_CONV(half_conv, 2, 1, plain, halves[0]))
EP_EXPANDED(transposed, 3 * 8 * 10 * 18, EP_CONV(whole_conv, 1, 2, spread, EP_(weights)[1]))
EP_EXPANDED(transposed_half, 3 * 8 * 10 * 18, EP_CONV(half_conv, 1, 2, spread, halves[1]))
EP_EXPANDED(factored, 5 * 4 * 3 * 9, EP_FACTORS(whole_factors, factored, EP_(weights)))
EP_EXPANDED(factored_half, 5 * 4 * 3 * 9, EP_FACTORS(half_factors, factored, halves))
EP_EXPANDED(picture, 3 * 4 * 5 * 4, EP_FACTORS(whole_factors, picture, EP_(weights)))
EP_EXPANDED(picture_half, 3 * 4 * 5 * 4, EP_FACTORS(half_factors, picture, halves))
#undef EP_HASHED
#undef EP_TOGETHER
#undef EP_CONV
#undef EP_FACTORS
#undef EP_EXPANDED

/* Between -1 and 1, whole multiples of 2^-23. */
static EP_NUMBER EP_(number)(uint32_t i) {
    return ((EP_NUMBER)(int32_t)(ep_random64(i) >> 40) - (EP_NUMBER)8388608) / (EP_NUMBER)8388608;
}

static void EP_(convolutions_all)(void) {
    for (uint32_t i = 0; i < INPUTS * LANES; i++) EP_(x)[i] = EP_(number)(400000 + i);
    for (uint32_t i = 0; i < 3 * WEIGHTS; i++) EP_(weights)[i / WEIGHTS][i % WEIGHTS] = EP_(number)(500000 + i);
    for (uint32_t i = 0; i < 8; i++) EP_(bias)[i] = EP_(number)(600000 + i);
#define EP_PRINTED(name) \
    PRINT(#name "_rows", EP_JOIN(EP_(name), _hash)(0)); \
    PRINT(#name "_tile", EP_JOIN(EP_(name), _hash)(1));
    EP_PRINTED(conv)
    EP_PRINTED(conv_half)
    EP_PRINTED(transposed)
    EP_PRINTED(transposed_half)
    EP_PRINTED(factored)
    EP_PRINTED(factored_half)
    EP_PRINTED(picture)
    EP_PRINTED(picture_half)
#undef EP_PRINTED
}
