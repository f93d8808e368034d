/* mollified_derivative for ONNX Runtime, row by row. */
#include <stdlib.h>

#include "ort_room.h"

#define EP_TYPE f32
#define EP_NAME mollified_f32
#include "mollified_derivative.h"
#undef EP_NAME
#undef EP_TYPE
#define EP_TYPE f64
#define EP_NAME mollified_f64
#include "mollified_derivative.h"
#undef EP_NAME
#undef EP_TYPE

#define MOST ((double)EP_ORT_MOST_SIZE)
enum { X, TAPS, ORDERS = 4, COMBINE };

static const ep_ort_argument INPUTS[] = {
    {"x", EP_ORT_T, "BLMN"},     {"taps_1", EP_ORT_T, "ACD"}, {"taps_2", EP_ORT_T, "EFG"},
    {"taps_3", EP_ORT_T, "HIJ"}, {"orders", ORT_INT64, "KS"}, {"combine", EP_ORT_T, "OK"},
};
static const ep_ort_argument OUTPUTS[] = {{"y", EP_ORT_T, "BOLMN"}};

/* What is wrong with the orders of an axis or with its taps [count, rows, width], or NULL. */
static const char *axis_of(const ep_ort_call *call, size_t axis, size_t K, ep_mollified_axis *a) {
    static const char *const wrong[][3] = {
        {"orders: axis 1: expected -1 or the number of a matrix of taps_1", "axis 1: expected windows of places it has",
         "taps_1: expected as many rows as columns, or as the axis has places"},
        {"orders: axis 2: expected -1 or the number of a matrix of taps_2", "axis 2: expected windows of places it has",
         "taps_2: expected as many rows as columns, or as the axis has places"},
        {"orders: axis 3: expected -1 or the number of a matrix of taps_3", "axis 3: expected windows of places it has",
         "taps_3: expected as many rows as columns, or as the axis has places"},
    };
    const int64_t *const orders = call->inputs[ORDERS], *const taps = call->sizes[TAPS + axis];
    int used = 0;
    a->size = (size_t)call->sizes[X][1 + axis], a->rows = (size_t)taps[1], a->width = (size_t)taps[2];
    for (size_t k = 0; k < K; k++) {
        const int64_t q = orders[3 * k + axis];
        if (q == -1) continue;
        used = 1;
        if (q < -1 || q >= taps[0] || q > INT16_MAX) return wrong[axis][0];
    }
    if (!used) return NULL;
    if (!a->width || a->width > a->size) return wrong[axis][1];
    return a->rows == a->width || a->rows == a->size ? NULL : wrong[axis][2];
}

static const char *sizes_of(const ep_ort_call *call, ep_mollified *f) {
    double numbers = EP_ORT_SIZE(call, 'B') ? (double)EP_ORT_SIZE(call, 'B') : 1;
    f->K = EP_ORT_SIZE(call, 'K'), f->O = EP_ORT_SIZE(call, 'O');
    if (EP_ORT_SIZE(call, 'S') != 3 || !f->K || f->K > EP_MOLLIFIED_MOST)
        return "orders: expected 1 to 64 rows of three numbers";
    if (!f->O || f->O >= EP_MOLLIFIED_NONE) return "combine: expected a row for every output, 1 to 65534";
    for (size_t axis = 0; axis < 3; axis++) {
        const char *wrong = axis_of(call, axis, f->K, &f->axis[axis]);
        if (!f->axis[axis].size) return "x: expected at least one place on every axis";
        if (wrong) return wrong;
        numbers *= (double)f->axis[axis].size;
    }
    return numbers * (double)f->O > MOST ? "x: expected at most 2^28 numbers, all outputs together" : NULL;
}

#define APPLY(type, number) \
    static const char *apply_##type(const ep_ort_call *call) { \
        ep_mollified f; \
        ep_mollified_plan plan; \
        const char *wrong = sizes_of(call, &f); \
        if (wrong) return wrong; \
        const size_t count = EP_ORT_SIZE(call, 'H'), rows = f.axis[2].rows, width = f.axis[2].width; \
        const size_t places = f.axis[0].size * f.axis[1].size * f.axis[2].size; \
        const number *x = call->inputs[X], *taps = call->inputs[TAPS + 2]; \
        mollified_##type##_plan(&f, call->inputs[ORDERS], call->inputs[COMBINE], &plan); \
        const size_t need = ep_mollified_numbers(&f, &plan, 1); \
        if ((double)need > MOST) return "orders: expected fewer planes to keep"; \
        number *const scratch = malloc((need + count * rows * width) * sizeof(number)), *const turned = scratch + need; \
        if (!scratch) return "out of memory"; \
        for (size_t q = 0; q < count; q++) \
            for (size_t r = 0; r < rows; r++) \
                for (size_t j = 0; j < width; j++) \
                    turned[(q * width + j) * rows + r] = taps[(q * rows + r) * width + j]; \
        number *y = call->outputs[0]; \
        for (size_t b = 0; b < EP_ORT_SIZE(call, 'B'); b++, x += places, y += f.O * places) \
            mollified_##type##_row(&f, x, call->inputs[TAPS], call->inputs[TAPS + 1], turned, call->inputs[ORDERS], \
                                   call->inputs[COMBINE], y, scratch); \
        free(scratch); \
        return NULL; \
    }
APPLY(f32, float)
APPLY(f64, double)

static const char *compute(const ep_ort_call *call) {
    return call->t == ORT_FLOAT32 ? apply_f32(call) : apply_f64(call);
}

EP_ORT_ROOM(mollified_derivative) = {
    "mollified_derivative", EP_ORT_COUNT(INPUTS), EP_ORT_COUNT(OUTPUTS), 0, INPUTS, OUTPUTS, NULL, compute, NULL,
};
