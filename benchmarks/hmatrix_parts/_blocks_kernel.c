/* The kernel of block_low_rank_apply, for one row and for tiles of rows, as the C99 target calls it. */
#define EP_INDEX int64_t
#define EP_TYPE f32
#define EP_NAME plain
#include "block_low_rank_apply.h"
#undef EP_NAME
#define EP_STORED 16
#define EP_NAME halves
#include "block_low_rank_apply.h"

size_t blocks_scratch(const ep_blocks *a);
size_t blocks_scratch(const ep_blocks *a) { return EP_BLOCKS_SCRATCH(a->ranks, a->columns, a->entries, a->size); }

/* x [B, columns], y [B, rows]; factors padded by a vector; scratch of EP_TILE + 1 times what it says, and two tiles. */
#define APPLY(name, weight) \
    void blocks_##name(size_t B, const ep_blocks *a, const float *x, const int64_t *column_groups, const weight *right, \
                       const weight *right_end, const int64_t *row_groups, const int64_t *index, const weight *left, \
                       const weight *left_end, float *y, float *scratch, float *tile); \
    void blocks_##name(size_t B, const ep_blocks *a, const float *x, const int64_t *column_groups, const weight *right, \
                       const weight *right_end, const int64_t *row_groups, const int64_t *index, const weight *left, \
                       const weight *left_end, float *y, float *scratch, float *tile) { \
        size_t b = 0; \
        TILES(name) \
        for (; b < B; b++) \
            name##_row(a, x + b * a->columns, column_groups, right, right_end, row_groups, index, left, left_end, \
                       y + b * a->rows, scratch, NULL); \
    }
#if EP_VECTOR_BYTES
#define TILES(name) \
    for (; B - b >= EP_TILE; b += EP_TILE) { \
        float *const out = tile + a->columns * EP_TILE; \
        for (size_t i = 0; i < a->columns; i++) \
            for (size_t l = 0; l < EP_TILE; l++) tile[i * EP_TILE + l] = x[(b + l) * a->columns + i]; \
        name##_lanes(a, tile, column_groups, right, right_end, row_groups, index, left, left_end, out, scratch); \
        for (size_t l = 0; l < EP_TILE; l++) \
            for (size_t i = 0; i < a->rows; i++) y[(b + l) * a->rows + i] = out[i * EP_TILE + l]; \
    }
#else
#define TILES(name)
#endif
APPLY(plain, float)
APPLY(halves, uint16_t)
