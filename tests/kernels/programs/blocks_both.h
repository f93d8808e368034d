/* One precision of block_low_rank_apply.c, which includes it twice. */
#define EP_NAME EP_(plain_blocks)
#include "block_low_rank_apply.h"
#undef EP_NAME
#define EP_NAME EP_(half_blocks)
#define EP_STORED 16
#include "block_low_rank_apply.h"
#undef EP_NAME
#undef EP_STORED

static EP_NUMBER EP_(x)[COLUMNS * LANES], EP_(y)[ROWS * LANES], EP_(one)[COLUMNS], EP_(out)[ROWS];
static EP_NUMBER EP_(scratch)[(RANKS + COLUMNS + 400) * LANES], EP_(factors)[2][GROUPS * MOST];

/* Products of LANES rows, one by one or together; then the hash of all. */
#define EP_PRODUCTS(name, weight, right, left) \
    static uint64_t EP_JOIN(EP_(name), _products)(int together) { \
        const ep_blocks a = {GROUPS, GROUPS, COLUMNS, ROWS, ranks, most_entries, most_rows}; \
        const weight *const right_end = (right) + right_count + 16, *const left_end = (left) + left_count + 16; \
        if (together && EP_VECTOR_BYTES) { \
            EP_TOGETHER(name, right, left) \
        } else { \
            for (size_t l = 0; l < LANES; l++) { \
                for (size_t i = 0; i < COLUMNS; i++) EP_(one)[i] = EP_(x)[i * LANES + l]; \
                EP_JOIN(EP_(name), _row)(&a, EP_(one), column_groups, right, right_end, row_groups, places, left, left_end, \
                                         EP_(out), EP_(scratch), NULL); \
                for (size_t i = 0; i < ROWS; i++) EP_(y)[i * LANES + l] = EP_(out)[i]; \
            } \
        } \
        return EP_(hash_array)(EP_HASH_START, EP_(y), ROWS * LANES); \
    }
#if EP_VECTOR_BYTES
#define EP_TOGETHER(name, right, left) \
    EP_JOIN(EP_(name), _lanes)(&a, EP_(x), column_groups, right, right_end, row_groups, places, left, left_end, EP_(y), \
                               EP_(scratch));
#else
#define EP_TOGETHER(name, right, left)
#endif
EP_PRODUCTS(plain_blocks, EP_NUMBER, EP_(factors)[0], EP_(factors)[1])
EP_PRODUCTS(half_blocks, uint16_t, halves[0], halves[1])
#undef EP_PRODUCTS
#undef EP_TOGETHER

/* Between -1 and 1, whole multiples of 2^-23. */
static EP_NUMBER EP_(number)(uint32_t i) {
    return ((EP_NUMBER)(int32_t)(ep_random64(i) >> 40) - (EP_NUMBER)8388608) / (EP_NUMBER)8388608;
}

static void EP_(blocks_all)(void) {
    for (uint32_t i = 0; i < COLUMNS * LANES; i++) EP_(x)[i] = EP_(number)(400000 + i);
    for (uint32_t i = 0; i < GROUPS * MOST; i++) {
        EP_(factors)[0][i] = EP_(number)(500000 + i);
        EP_(factors)[1][i] = EP_(number)(600000 + i);
    }
    PRINT("rows", EP_JOIN(EP_(plain_blocks), _products)(0));
    PRINT("tile", EP_JOIN(EP_(plain_blocks), _products)(1));
    PRINT("rows_half", EP_JOIN(EP_(half_blocks), _products)(0));
    PRINT("tile_half", EP_JOIN(EP_(half_blocks), _products)(1));
}
