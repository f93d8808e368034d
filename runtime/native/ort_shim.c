/* One custom op for every room: types and sizes are checked before a kernel runs, errors are statuses. */
#include "ort_shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const OrtApi *api;
    const ep_ort_room *room;
    int t, h;
    double numbers[EP_ORT_MOST_ATTRIBUTES];
    int64_t integers[EP_ORT_MOST_ATTRIBUTES];
    int64_t lists[EP_ORT_MOST_ATTRIBUTES][EP_ORT_MOST_NUMBERS];
    size_t counts[EP_ORT_MOST_ATTRIBUTES];
} ep_ort_kernel;

static const ep_ort_room *room_of(const OrtCustomOp *op) { return ((const ep_ort_op *)op)->room; }

static const char *get_name(const OrtCustomOp *op) { return room_of(op)->name; }

static const char *get_provider(const OrtCustomOp *op) {
    (void)op;
    return NULL;
}

static int type_of(int type, int t, int h) { return type == EP_ORT_T ? t : type == EP_ORT_H ? h : type; }

static int get_input_type(const OrtCustomOp *op, size_t index) {
    return type_of(room_of(op)->inputs[index].type, ((const ep_ort_op *)op)->t, ((const ep_ort_op *)op)->h);
}

static size_t get_input_count(const OrtCustomOp *op) { return room_of(op)->input_count; }

static int get_output_type(const OrtCustomOp *op, size_t index) {
    return type_of(room_of(op)->outputs[index].type, ((const ep_ort_op *)op)->t, ((const ep_ort_op *)op)->h);
}

static size_t get_output_count(const OrtCustomOp *op) { return room_of(op)->output_count; }

static int required(const OrtCustomOp *op, size_t index) {
    (void)op;
    (void)index;
    return 0;
}

static int none(const OrtCustomOp *op) {
    (void)op;
    return 0;
}

static OrtStatus *refuse(const OrtApi *api, const ep_ort_room *room, const char *what, const char *why) {
    char text[256];
    snprintf(text, sizeof text, "edgepde.%s: %s%s%s", room->name, what, *what ? ": " : "", why);
    return ort_status(api, ORT_INVALID_ARGUMENT, text);
}

/* The node's integers, of which there must be some. */
static OrtStatus *read_list(ep_ort_kernel *kernel, const OrtKernelInfo *info, size_t i) {
    const char *name = kernel->room->attributes[i].name;
    size_t count = 0;
    OrtStatus *status = ort_get_int64s(kernel->api, info, name, NULL, &count);
    const int none = status != NULL;
    ort_release_status(kernel->api, status);
    if (none || !count || count > EP_ORT_MOST_NUMBERS)
        return refuse(kernel->api, kernel->room, name, "expected one to eight integers");
    kernel->counts[i] = count;
    return ort_get_int64s(kernel->api, info, name, kernel->lists[i], &kernel->counts[i]);
}

/* The node's value, the default where it has none, a refusal where it has one of the other kind. */
static OrtStatus *read_attribute(ep_ort_kernel *kernel, const OrtKernelInfo *info, size_t i) {
    const ep_ort_attribute *attribute = &kernel->room->attributes[i];
    if (attribute->whole == 2) return read_list(kernel, info, i);
    float number = 0.0f;
    int64_t integer = 0;
    OrtStatus *no_float = ort_get_float(kernel->api, info, attribute->name, &number);
    OrtStatus *no_integer = ort_get_int64(kernel->api, info, attribute->name, &integer);
    int is_float = no_float == NULL, is_integer = no_integer == NULL;
    ort_release_status(kernel->api, no_float);
    ort_release_status(kernel->api, no_integer);
    if (attribute->whole ? is_float : is_integer)
        return refuse(kernel->api, kernel->room, attribute->name,
                      attribute->whole ? "expected an integer" : "expected a float");
    if (!is_float && !is_integer && attribute->otherwise <= EP_ORT_REQUIRED)
        return refuse(kernel->api, kernel->room, attribute->name, "expected a value, got none");
    if (attribute->size && (integer < 0 || integer > EP_ORT_MOST_SIZE))
        return refuse(kernel->api, kernel->room, attribute->name, "expected a size of at most 2^28");
    kernel->integers[i] = is_integer ? integer : (int64_t)attribute->otherwise;
    kernel->numbers[i] = is_float ? (double)number : attribute->otherwise;
    return NULL;
}

static OrtStatus *create(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info, void **made) {
    ep_ort_kernel *kernel = calloc(1, sizeof *kernel);
    *made = NULL;
    if (!kernel) return ort_status(api, ORT_FAIL, "edgepde: out of memory");
    kernel->api = api;
    kernel->room = room_of(op);
    kernel->t = ((const ep_ort_op *)op)->t;
    kernel->h = ((const ep_ort_op *)op)->h;
    for (size_t i = 0; i < kernel->room->attribute_count; i++) {
        OrtStatus *status = read_attribute(kernel, info, i);
        if (status) {
            free(kernel);
            return status;
        }
    }
    *made = kernel;
    return NULL;
}

static void destroy(void *kernel) { free(kernel); }

/* Type, rank and sizes of an input against its declaration; letters met for the first time get their size. */
static OrtStatus *check_shape(const ep_ort_kernel *kernel, const OrtTensorTypeAndShapeInfo *info, size_t input,
                              ep_ort_call *call, unsigned char *known) {
    const OrtApi *api = kernel->api;
    const ep_ort_argument *argument = &kernel->room->inputs[input];
    const int any = !strcmp(argument->shape, EP_ORT_ANY_RANK);
    int64_t *const sizes = call->sizes[input];
    size_t rank = 0, expected = strlen(argument->shape);
    int type = 0;
    const int wanted = type_of(argument->type, kernel->t, kernel->h);
    OrtStatus *status = ort_element_type(api, info, &type);
    if (status || (status = ort_rank(api, info, &rank))) return status;
    char why[128];
    if (any && rank <= EP_ORT_MOST_RANK) expected = rank;
    if (type != wanted || rank != expected) {
        snprintf(why, sizeof why, "expected element type %d and %u axes, got type %d and %u axes", wanted, (unsigned)expected,
                 type, (unsigned)rank);
        return refuse(api, kernel->room, argument->name, why);
    }
    if ((status = ort_sizes(api, info, sizes, rank))) return status;
    call->rank[input] = rank;
    for (size_t axis = 0; axis < rank; axis++) {
        if (sizes[axis] < 0 || (uint64_t)sizes[axis] > SIZE_MAX / 64)
            return refuse(api, kernel->room, argument->name, "a size is out of range");
        if (any) continue;
        size_t letter = (size_t)(argument->shape[axis] - 'A');
        if (!known[letter]) call->size[letter] = (size_t)sizes[axis];
        known[letter] = 1;
        if (call->size[letter] == (size_t)sizes[axis]) continue;
        snprintf(why, sizeof why, "expected %c = %llu as before, got %llu", argument->shape[axis],
                 (unsigned long long)call->size[letter], (unsigned long long)sizes[axis]);
        return refuse(api, kernel->room, argument->name, why);
    }
    return NULL;
}

static OrtStatus *read_input(const ep_ort_kernel *kernel, OrtKernelContext *context, size_t i, ep_ort_call *call,
                             unsigned char *known) {
    const OrtApi *api = kernel->api;
    const OrtValue *value = NULL;
    OrtTensorTypeAndShapeInfo *info = NULL;
    void *data = NULL;
    OrtStatus *status = ort_input(api, context, i, &value);
    if (status) return status;
    if (!value) return refuse(api, kernel->room, kernel->room->inputs[i].name, "expected a tensor, got none");
    if ((status = ort_type_and_shape(api, value, &info))) return status;
    status = check_shape(kernel, info, i, call, known);
    ort_release_type_and_shape(api, info);
    if (status || (status = ort_data(api, (OrtValue *)value, &data))) return status;
    call->inputs[i] = data;
    return NULL;
}

static OrtStatus *make_output(const ep_ort_kernel *kernel, OrtKernelContext *context, size_t i, ep_ort_call *call) {
    const char *shape = kernel->room->outputs[i].shape;
    int64_t sizes[EP_ORT_MOST_RANK];
    size_t rank = strlen(shape);
    OrtValue *value = NULL;
    if (!strcmp(shape, EP_ORT_ANY_RANK)) {
        const char *wrong = kernel->room->shape(call, sizes, &rank);
        if (wrong) return refuse(kernel->api, kernel->room, "", wrong);
    } else {
        for (size_t axis = 0; axis < rank; axis++) sizes[axis] = (int64_t)EP_ORT_SIZE(call, shape[axis]);
    }
    OrtStatus *status = ort_output(kernel->api, context, i, sizes, rank, &value);
    if (status) return status;
    return ort_data(kernel->api, value, &call->outputs[i]);
}

#ifdef EDGEPDE_TEST_MARKER
/* Adds 1 to the first output, so that a test sees which implementation ran. */
static void mark(const ep_ort_kernel *kernel, const ep_ort_call *call) {
    const ep_ort_argument *first = &kernel->room->outputs[0];
    const int type = type_of(first->type, kernel->t, kernel->h);
    size_t count = 1, rank = 0;
    int64_t sizes[EP_ORT_MOST_RANK];
    if (strcmp(first->shape, EP_ORT_ANY_RANK)) {
        for (const char *letter = first->shape; *letter; letter++) count *= EP_ORT_SIZE(call, *letter);
    } else {
        kernel->room->shape(call, sizes, &rank);
        for (size_t axis = 0; axis < rank; axis++) count *= (size_t)sizes[axis];
    }
    for (size_t i = 0; i < count; i++) {
        if (type == ORT_FLOAT64) ((double *)call->outputs[0])[i] += 1.0;
        if (type == ORT_FLOAT32) ((float *)call->outputs[0])[i] += 1.0f;
    }
}
#endif

static OrtStatus *compute(void *made, OrtKernelContext *context) {
    const ep_ort_kernel *kernel = made;
    const ep_ort_room *room = kernel->room;
    ep_ort_call call;
    unsigned char known[26] = {0};
    size_t count = 0;
    memset(&call, 0, sizeof call);
    call.numbers = kernel->numbers;
    call.integers = kernel->integers;
    call.lists = kernel->lists;
    call.counts = kernel->counts;
    call.t = kernel->t;
    call.h = kernel->h;
    for (size_t i = 0; i < room->attribute_count; i++)
        if (room->attributes[i].size) EP_ORT_SIZE(&call, room->attributes[i].size) = (size_t)kernel->integers[i];
    OrtStatus *status = ort_input_count(kernel->api, context, &count);
    if (status) return status;
    if (count != room->input_count) return refuse(kernel->api, room, "", "another number of inputs than declared");
    for (size_t i = 0; i < room->input_count; i++)
        if ((status = read_input(kernel, context, i, &call, known))) return status;
    for (size_t i = 0; i < room->output_count; i++)
        if ((status = make_output(kernel, context, i, &call))) return status;
    const char *wrong = room->compute(&call);
    if (wrong) return refuse(kernel->api, room, "", wrong);
#ifdef EDGEPDE_TEST_MARKER
    mark(kernel, &call);
#endif
    return NULL;
}

/* For a runtime that does not know the members that report errors; none that is supported. */
static void *create_plain(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info) {
    void *kernel = NULL;
    ort_release_status(api, create(op, api, info, &kernel));
    return kernel;
}

static void compute_plain(void *kernel, OrtKernelContext *context) {
    if (kernel) ort_release_status(((const ep_ort_kernel *)kernel)->api, compute(kernel, context));
}

static int has_type(const ep_ort_room *room, int type) {
    for (size_t i = 0; i < room->input_count; i++)
        if (room->inputs[i].type == type) return 1;
    return 0;
}

size_t ep_ort_variants(const ep_ort_room *room) {
    return (has_type(room, EP_ORT_T) ? 2 : 1) * (has_type(room, EP_ORT_H) ? 2 : 1);
}

ep_ort_op ep_ort_op_of(const ep_ort_room *room, size_t variant) {
    const int t = variant % 2 ? ORT_FLOAT64 : ORT_FLOAT32;
    ep_ort_op made = {
        {ORT_CLAIMED_VERSION, create_plain, get_name, get_provider, get_input_type, get_input_count, get_output_type,
         get_output_count, compute_plain, destroy, required, required, required, none, none, none, none, create, compute,
         {0}},
        room, t, variant / 2 ? ORT_FLOAT16 : t};
    return made;
}
