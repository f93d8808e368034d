/* The kernel with external linkage, for every element type and kind of factors: test_<type>[_half]_row and _lanes. */
#define EP_INDEX int64_t
#define EP_TYPE f32
#define EP_NAME blocks_f32
#include "block_low_rank_apply.h"
#undef EP_NAME
#define EP_STORED 16
#define EP_NAME blocks_f32_half
#include "block_low_rank_apply.h"
#undef EP_NAME
#undef EP_STORED
#undef EP_TYPE
#define EP_TYPE f64
#define EP_NAME blocks_f64
#include "block_low_rank_apply.h"
#undef EP_NAME
#define EP_STORED 16
#define EP_NAME blocks_f64_half
#include "block_low_rank_apply.h"
#undef EP_NAME
#undef EP_STORED
#undef EP_TYPE

size_t test_scratch(const ep_blocks *a);
size_t test_spare(size_t width);
size_t test_tile(void);

size_t test_scratch(const ep_blocks *a) { return EP_BLOCKS_SCRATCH(a->ranks, a->columns, a->entries, a->size); }
size_t test_spare(size_t width) { return EP_BLOCKS_SPARE(width); }
size_t test_tile(void) { return EP_VECTOR_BYTES ? EP_TILE : 0; }

#if EP_VECTOR_BYTES
#define TEST_LANES(name) \
    blocks_##name##_lanes(a, x, column_groups, right, right_end, row_groups, index, left, left_end, y, scratch);
#else
#define TEST_LANES(name)
#endif
#define TEST(name, number, weight) \
    void test_##name(int tile, const ep_blocks *a, const number *x, const int64_t *column_groups, const weight *right, \
                     const weight *right_end, const int64_t *row_groups, const int64_t *index, const weight *left, \
                     const weight *left_end, number *y, number *scratch, weight *spare); \
    void test_##name(int tile, const ep_blocks *a, const number *x, const int64_t *column_groups, const weight *right, \
                     const weight *right_end, const int64_t *row_groups, const int64_t *index, const weight *left, \
                     const weight *left_end, number *y, number *scratch, weight *spare) { \
        if (tile) { \
            TEST_LANES(name) \
        } else { \
            blocks_##name##_row(a, x, column_groups, right, right_end, row_groups, index, left, left_end, y, scratch, \
                                spare); \
        } \
    }
TEST(f32, float, float)
TEST(f32_half, float, uint16_t)
TEST(f64, double, double)
TEST(f64_half, double, uint16_t)
