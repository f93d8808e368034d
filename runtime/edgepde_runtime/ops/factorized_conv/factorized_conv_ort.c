/* factorized_conv for ONNX Runtime, row by row; factors that are halves become numbers before. */
#include <stdlib.h>

#include "ort_room.h"

#define EP_TYPE f32
#define EP_NAME factorized_f32
#include "factorized_conv.h"
#undef EP_NAME
#undef EP_TYPE
#define EP_TYPE f64
#define EP_NAME factorized_f64
#include "factorized_conv.h"
#undef EP_NAME
#undef EP_TYPE

#define MOST_AXES 3
#define MOST ((int64_t)EP_ORT_MOST_SIZE)
/* Numbers of scratch that are worth trying to have. */
#define MOST_SCRATCH 2.5e8

static const ep_ort_argument INPUTS[] = {
    {"x", EP_ORT_T, EP_ORT_ANY_RANK}, {"read", EP_ORT_H, "RS"}, {"filters", EP_ORT_H, "RK"},
    {"write", EP_ORT_H, "TR"},        {"bias", EP_ORT_T, "T"},
};
static const ep_ort_argument OUTPUTS[] = {{"y", EP_ORT_T, EP_ORT_ANY_RANK}};
static const ep_ort_attribute ATTRIBUTES[] = {
    {"kernel_shape", 2, EP_ORT_REQUIRED, 0}, {"strides", 2, EP_ORT_REQUIRED, 0}, {"pads", 2, EP_ORT_REQUIRED, 0},
    {"dilations", 2, EP_ORT_REQUIRED, 0},    {"rank", 1, EP_ORT_REQUIRED, 0},
};
enum { KERNEL, STRIDES, PADS, DILATIONS, RANK };

static int within(const ep_ort_call *call, int list, size_t count, int64_t least) {
    if (call->counts[list] != count) return 0;
    for (size_t i = 0; i < count; i++)
        if (call->lists[list][i] < least || call->lists[list][i] > MOST) return 0;
    return 1;
}

/* One axis; what is wrong with it, or NULL. */
static const char *axis_of(const ep_ort_call *call, size_t i, size_t d, ep_window *a) {
    const int64_t n = call->sizes[0][2 + i], k = call->lists[KERNEL][i], stride = call->lists[STRIDES][i];
    const int64_t apart = call->lists[DILATIONS][i], before = call->lists[PADS][i], after = call->lists[PADS][d + i];
    const int64_t reach = apart * (k - 1) + 1, wide = n + before + after;
    if (n > MOST || wide > MOST || reach > wide) return "x: expected a grid that the kernel fits into, with its zeros";
    a->size = (size_t)n, a->count = (size_t)((wide - reach) / stride + 1);
    a->kernel = (size_t)k, a->stride = (size_t)stride, a->dilation = (size_t)apart, a->pads = (size_t)before;
    return NULL;
}

static const char *sizes_of(const ep_ort_call *call, ep_factorized *f) {
    const size_t d = call->rank[0] - 2;
    int64_t columns = 0;
    if (call->rank[0] < 3 || d > MOST_AXES) return "x: expected one to three axes besides batch and channels";
    if (!within(call, KERNEL, d, 1)) return "kernel_shape: expected one number from 1 per axis";
    if (!within(call, STRIDES, d, 1)) return "strides: expected one number from 1 per axis";
    if (!within(call, PADS, 2 * d, 0)) return "pads: expected two numbers from 0 per axis";
    if (!within(call, DILATIONS, d, 1)) return "dilations: expected one number from 1 per axis";
    f->S = EP_ORT_SIZE(call, 'S'), f->R = EP_ORT_SIZE(call, 'R'), f->T = EP_ORT_SIZE(call, 'T');
    if (!f->S || !f->R || !f->T) return "read, write: expected sizes above 0";
    if (call->sizes[0][1] != (int64_t)f->S) return "read: expected as many columns as x has channels";
    if (call->integers[RANK] != (int64_t)f->R) return "rank: expected the number of rows of read";
    for (size_t i = 0; i < MOST_AXES; i++) {
        const ep_window none = {1, 1, 0, 1, 1, 0};
        f->axis[i] = none;
    }
    for (size_t i = 0; i < d; i++) {
        const char *wrong = axis_of(call, i, d, &f->axis[MOST_AXES - d + i]);
        if (wrong) return wrong;
        columns += call->lists[KERNEL][i];
    }
    if (columns != (int64_t)EP_ORT_SIZE(call, 'K')) return "filters: expected as many columns as the kernel has numbers";
    const ep_window *const a = f->axis;
    const double outputs = (double)a[0].count * (double)a[1].count * (double)a[2].count * (double)f->T;
    const double high = (double)EP_FACTORIZED_STRIP * (double)a[1].stride + (double)ep_reach(a + 1);
    const double wide = (double)EP_FACTORIZED_STRIP + (double)ep_reach(a + 2);
    if (outputs * (double)call->sizes[0][0] > (double)MOST) return "x: expected at most 2^28 outputs";
    const double kept = (double)EP_FACTORIZED_STRIP * ((double)ep_reach(a) + 2);
    if (EP_CHUNK * wide * (high * (double)(a[2].stride + 2) + kept) > MOST_SCRATCH)
        return "kernel_shape, strides: expected smaller windows";
    return NULL;
}

static const char *shape(const ep_ort_call *call, int64_t *sizes, size_t *rank) {
    ep_factorized f;
    const char *wrong = sizes_of(call, &f);
    if (wrong) return wrong;
    *rank = call->rank[0];
    sizes[0] = call->sizes[0][0], sizes[1] = (int64_t)f.T;
    for (size_t i = 2; i < *rank; i++) sizes[i] = (int64_t)f.axis[MOST_AXES - *rank + i].count;
    return NULL;
}

/* Halves as numbers. */
#define NUMBERS(type, number) \
    static number *numbers_##type(size_t n, const uint16_t *w, number *to) { \
        size_t i = 0; \
        for (; i + EP_WIDTH_##type <= n; i += EP_WIDTH_##type) ep_store_##type(to + i, ep_load_half_##type(w + i)); \
        if (i < n) { \
            uint16_t few[EP_WIDTH_##type] = {0}; \
            __builtin_memcpy(few, w + i, (n - i) * sizeof *w); \
            ep_store_some_##type(to + i, ep_load_half_##type(few), n - i); \
        } \
        return to + n; \
    }
NUMBERS(f32, float)
NUMBERS(f64, double)

#define APPLY(type, number) \
    static const char *apply_##type(const ep_ort_call *call) { \
        ep_factorized f; \
        const char *wrong = sizes_of(call, &f); \
        const size_t rows = (size_t)call->sizes[0][0], K = EP_ORT_SIZE(call, 'K'); \
        if (wrong || !rows) return wrong; \
        const int half = call->h == ORT_FLOAT16; \
        const size_t need = ep_factorized_scratch(&f, 1, 0), more = half ? f.R * (f.S + K + f.T) : 0; \
        void *memory = malloc((need + more) * sizeof(number) + 64); \
        if (!memory) return "out of memory"; \
        number *const scratch = (number *)(void *)((char *)memory + (64 - (uintptr_t)memory % 64)); \
        const number *x = call->inputs[0], *read = call->inputs[1], *filters = call->inputs[2], *write = call->inputs[3]; \
        if (half) { \
            number *next = scratch + need; \
            read = next, next = numbers_##type(f.R * f.S, call->inputs[1], next); \
            filters = next, next = numbers_##type(f.R * K, call->inputs[2], next); \
            write = next, numbers_##type(f.T * f.R, call->inputs[3], next); \
        } \
        number *y = call->outputs[0]; \
        for (size_t b = 0; b < rows; b++) { \
            factorized_##type##_row(&f, x, read, filters, write, call->inputs[4], y, scratch); \
            x += f.S * f.axis[0].size * f.axis[1].size * f.axis[2].size; \
            y += f.T * f.axis[0].count * f.axis[1].count * f.axis[2].count; \
        } \
        free(memory); \
        return NULL; \
    }
APPLY(f32, float)
APPLY(f64, double)

static const char *compute(const ep_ort_call *call) {
    return call->t == ORT_FLOAT32 ? apply_f32(call) : apply_f64(call);
}

EP_ORT_ROOM(factorized_conv) = {
    "factorized_conv", EP_ORT_COUNT(INPUTS), EP_ORT_COUNT(OUTPUTS), EP_ORT_COUNT(ATTRIBUTES), INPUTS, OUTPUTS,
    ATTRIBUTES, compute, shape,
};
