/* block_low_rank_apply for ONNX Runtime: rows by tiles where there are many, else one by one. */
#include <stdlib.h>

#include "ort_room.h"

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

/* So many rows are worth a tile, however few they fill of it. */
#define FEWEST 5

static const ep_ort_argument INPUTS[] = {
    {"x", EP_ORT_T, "BN"},          {"column_groups", ORT_INT64, "GC"}, {"right", EP_ORT_H, "R"},
    {"row_groups", ORT_INT64, "MC"}, {"index", ORT_INT64, "I"},          {"left", EP_ORT_H, "L"},
};
static const ep_ort_argument OUTPUTS[] = {{"y", EP_ORT_T, "BY"}};
static const ep_ort_attribute ATTRIBUTES[] = {{"rows", 1, EP_ORT_REQUIRED, 'Y'}};

/* Whether groups [count, 3] lie in 0 .. most and have `numbers` numbers in all; the sum and the most of what they read. */
static int fit(const int64_t *groups, size_t count, size_t most, size_t numbers, size_t *sum, size_t *reads, size_t *size) {
    uint64_t own_most = 0, read_most = 0, reads_sum = 0, used = 0;
    for (size_t g = 0; g < count; g++, groups += 3) {
        const uint64_t start = (uint64_t)groups[0], own = (uint64_t)groups[1], read = (uint64_t)groups[2];
        uint64_t product;
        if (start > most || own > most - start || __builtin_mul_overflow(own, read, &product)) return 0;
        if (__builtin_add_overflow(used, product, &used) || __builtin_add_overflow(reads_sum, read, &reads_sum)) return 0;
        if (own_most < own) own_most = own;
        if (read_most < read) read_most = read;
    }
    *sum = (size_t)reads_sum, *reads = (size_t)read_most, *size = (size_t)own_most;
    return used == numbers && reads_sum < SIZE_MAX / 4;
}

/* What is wrong with groups and index; the sizes of the matrix where nothing is, and the widest of a group's rows. */
static const char *sizes_of(const ep_ort_call *call, ep_blocks *a, size_t *width) {
    const int64_t *column_groups = call->inputs[1], *index = call->inputs[4];
    size_t unused, read, rank, entries = EP_ORT_SIZE(call, 'I');
    uint64_t largest = 0;
    if (EP_ORT_SIZE(call, 'C') != 3) return "column_groups, row_groups: expected 3 numbers per group";
    a->column_groups = EP_ORT_SIZE(call, 'G'), a->row_groups = EP_ORT_SIZE(call, 'M');
    a->columns = EP_ORT_SIZE(call, 'N'), a->rows = EP_ORT_SIZE(call, 'Y');
    for (size_t g = 0; g < a->column_groups; g++)
        if (!column_groups[3 * g + 1] && column_groups[3 * g + 2])
            return "column_groups: expected no rank for a group of no columns";
    if (!fit(column_groups, a->column_groups, a->columns, EP_ORT_SIZE(call, 'R'), &a->ranks, &rank, &unused))
        return "column_groups: expected groups within the columns, with as many numbers as there are in right";
    if (!fit(call->inputs[3], a->row_groups, a->rows, EP_ORT_SIZE(call, 'L'), &read, &a->entries, &a->size))
        return "row_groups: expected groups within the rows, with as many numbers as there are in left";
    if (read != entries) return "index: expected as many entries as the groups of rows say";
    for (size_t i = 0; i < entries; i++) largest = largest > (uint64_t)index[i] ? largest : (uint64_t)index[i];
    if (entries && largest >= a->ranks + a->columns) return "index: expected places in the ranks and columns";
    *width = a->size > rank ? a->size : rank;
    return NULL;
}

/* x [rows, n] into [n, EP_TILE], lanes that are no row 0; and y [m, EP_TILE] into [rows, m]. */
#define TURNS(type) \
    static void turn_##type(size_t rows, size_t n, const type *x, type *turned) { \
        for (size_t i = 0; i < n; i++) \
            for (size_t l = 0; l < EP_TILE; l++) turned[i * EP_TILE + l] = l < rows ? x[l * n + i] : 0; \
    } \
    static void turn_back_##type(size_t rows, size_t m, const type *turned, type *y) { \
        for (size_t l = 0; l < rows; l++) \
            for (size_t i = 0; i < m; i++) y[l * m + i] = turned[i * EP_TILE + l]; \
    }

#define ARGUMENTS column_groups, right, right_end, row_groups, index, left, left_end
#if EP_VECTOR_BYTES
#define BY_TILES(name, number) \
    for (; rows - b >= FEWEST; b += rows - b < EP_TILE ? rows - b : EP_TILE) { \
        const size_t some = rows - b < EP_TILE ? rows - b : EP_TILE; \
        turn_##number(some, a.columns, x + b * a.columns, tile); \
        name##_lanes(&a, tile, ARGUMENTS, tile + a.columns * EP_TILE, scratch); \
        turn_back_##number(some, a.rows, tile + a.columns * EP_TILE, y + b * a.rows); \
    }
TURNS(float)
TURNS(double)
#else
#define BY_TILES(name, number)
#endif

/* The product of one type and kind of factors. */
#define APPLY(name, number, weight) \
    static const char *apply_##name(const ep_ort_call *call) { \
        const size_t rows = EP_ORT_SIZE(call, 'B'); \
        const number *x = call->inputs[0]; \
        const weight *right = call->inputs[2], *left = call->inputs[5]; \
        const weight *right_end = right + EP_ORT_SIZE(call, 'R'), *left_end = left + EP_ORT_SIZE(call, 'L'); \
        const int64_t *column_groups = call->inputs[1], *row_groups = call->inputs[3], *index = call->inputs[4]; \
        number *y = call->outputs[0]; \
        ep_blocks a; \
        size_t width = 0, b = 0; \
        const char *wrong = sizes_of(call, &a, &width); \
        if (wrong || !rows) return wrong; \
        const size_t lanes = EP_VECTOR_BYTES && rows >= FEWEST ? EP_TILE : 1; \
        const size_t need = EP_BLOCKS_SCRATCH(a.ranks, a.columns, a.entries, a.size) * lanes; \
        const size_t tiles = lanes > 1 ? (a.columns + a.rows) * EP_TILE : 0; \
        void *memory = malloc((need + tiles) * sizeof(number) + EP_BLOCKS_SPARE(width) * sizeof(weight) + 64); \
        if (!memory) return "out of memory"; \
        number *const scratch = (number *)(void *)((char *)memory + (64 - (uintptr_t)memory % 64)); \
        number *const tile = scratch + need; \
        weight *const spare = (weight *)(void *)(tile + tiles); \
        BY_TILES(blocks_##name, number) \
        for (; b < rows; b++) \
            blocks_##name##_row(&a, x + b * a.columns, ARGUMENTS, y + b * a.rows, scratch, spare); \
        free(memory); \
        return NULL; \
    }
APPLY(f32, float, float)
APPLY(f32_half, float, uint16_t)
APPLY(f64, double, double)
APPLY(f64_half, double, uint16_t)

static const char *compute(const ep_ort_call *call) {
    const int half = call->h == ORT_FLOAT16;
    if (call->t == ORT_FLOAT32) return half ? apply_f32_half(call) : apply_f32(call);
    return half ? apply_f64_half(call) : apply_f64(call);
}

EP_ORT_ROOM(block_low_rank_apply) = {
    "block_low_rank_apply", EP_ORT_COUNT(INPUTS), EP_ORT_COUNT(OUTPUTS), EP_ORT_COUNT(ATTRIBUTES), INPUTS, OUTPUTS,
    ATTRIBUTES, compute, NULL,
};
