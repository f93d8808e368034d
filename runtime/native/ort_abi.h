/* The part of ONNX Runtime's C interface that a library of custom ops needs, declared by hand.
 *
 * The table of functions only ever grows at its end, so a function is its number in it; all numbers used here exist
 * since version 8 or before. Members of a custom op are read up to the version it claims: all of version 16 are here, the
 * first whose computation can report an error.
 */
#ifndef EDGEPDE_ORT_ABI_H
#define EDGEPDE_ORT_ABI_H

#include <stddef.h>
#include <stdint.h>

#define ORT_CLAIMED_VERSION 16

typedef struct OrtStatus OrtStatus;
typedef struct OrtValue OrtValue;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtCustomOpDomain OrtCustomOpDomain;
typedef struct OrtKernelInfo OrtKernelInfo;
typedef struct OrtKernelContext OrtKernelContext;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;

enum { ORT_FLOAT32 = 1, ORT_INT32 = 6, ORT_INT64 = 7, ORT_BOOL = 9, ORT_FLOAT16 = 10, ORT_FLOAT64 = 11 };
enum { ORT_FAIL = 1, ORT_INVALID_ARGUMENT = 2 };

typedef void (*OrtFunction)(void);

enum {
    ORT_CREATE_STATUS = 0,
    ORT_CREATE_CUSTOM_OP_DOMAIN = 26,
    ORT_CUSTOM_OP_DOMAIN_ADD = 27,
    ORT_ADD_CUSTOM_OP_DOMAIN = 28,
    ORT_GET_TENSOR_MUTABLE_DATA = 51,
    ORT_GET_TENSOR_ELEMENT_TYPE = 60,
    ORT_GET_DIMENSIONS_COUNT = 61,
    ORT_GET_DIMENSIONS = 62,
    ORT_GET_TENSOR_TYPE_AND_SHAPE = 65,
    ORT_KERNEL_INFO_GET_FLOAT = 85,
    ORT_KERNEL_INFO_GET_INT64 = 86,
    ORT_KERNEL_CONTEXT_GET_INPUT_COUNT = 88,
    ORT_KERNEL_CONTEXT_GET_INPUT = 90,
    ORT_KERNEL_CONTEXT_GET_OUTPUT = 91,
    ORT_RELEASE_STATUS = 93,
    ORT_RELEASE_TENSOR_TYPE_AND_SHAPE = 99,
    ORT_RELEASE_CUSTOM_OP_DOMAIN = 101,
    ORT_KERNEL_INFO_GET_INT64S = 163
};

typedef struct {
    OrtFunction slot[ORT_KERNEL_INFO_GET_INT64S + 1];
} OrtApi;

typedef struct {
    const OrtApi *(*GetApi)(uint32_t version);
    const char *(*GetVersionString)(void);
} OrtApiBase;

typedef struct OrtCustomOp OrtCustomOp;

struct OrtCustomOp {
    uint32_t version;
    void *(*CreateKernel)(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info);
    const char *(*GetName)(const OrtCustomOp *op);
    const char *(*GetExecutionProviderType)(const OrtCustomOp *op);
    int (*GetInputType)(const OrtCustomOp *op, size_t index);
    size_t (*GetInputTypeCount)(const OrtCustomOp *op);
    int (*GetOutputType)(const OrtCustomOp *op, size_t index);
    size_t (*GetOutputTypeCount)(const OrtCustomOp *op);
    void (*KernelCompute)(void *kernel, OrtKernelContext *context);
    void (*KernelDestroy)(void *kernel);
    int (*GetInputCharacteristic)(const OrtCustomOp *op, size_t index);
    int (*GetOutputCharacteristic)(const OrtCustomOp *op, size_t index);
    int (*GetInputMemoryType)(const OrtCustomOp *op, size_t index);
    int (*GetVariadicInputMinArity)(const OrtCustomOp *op);
    int (*GetVariadicInputHomogeneity)(const OrtCustomOp *op);
    int (*GetVariadicOutputMinArity)(const OrtCustomOp *op);
    int (*GetVariadicOutputHomogeneity)(const OrtCustomOp *op);
    OrtStatus *(*CreateKernelV2)(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info, void **kernel);
    OrtStatus *(*KernelComputeV2)(void *kernel, OrtKernelContext *context);
    OrtFunction later[16]; /* members of later versions: none */
};

#define ORT_CALL(api, number, type) ((type)(api)->slot[number])

static inline OrtStatus *ort_status(const OrtApi *api, int code, const char *message) {
    return ORT_CALL(api, ORT_CREATE_STATUS, OrtStatus *(*)(int, const char *))(code, message);
}

static inline void ort_release_status(const OrtApi *api, OrtStatus *status) {
    if (status) ORT_CALL(api, ORT_RELEASE_STATUS, void (*)(OrtStatus *))(status);
}

static inline OrtStatus *ort_get_float(const OrtApi *api, const OrtKernelInfo *info, const char *name, float *value) {
    return ORT_CALL(api, ORT_KERNEL_INFO_GET_FLOAT,
                    OrtStatus *(*)(const OrtKernelInfo *, const char *, float *))(info, name, value);
}

static inline OrtStatus *ort_get_int64(const OrtApi *api, const OrtKernelInfo *info, const char *name, int64_t *value) {
    return ORT_CALL(api, ORT_KERNEL_INFO_GET_INT64,
                    OrtStatus *(*)(const OrtKernelInfo *, const char *, int64_t *))(info, name, value);
}

/* How many there are where `values` is NULL, else the values, of which there is room for *count. */
static inline OrtStatus *ort_get_int64s(const OrtApi *api, const OrtKernelInfo *info, const char *name, int64_t *values,
                                        size_t *count) {
    return ORT_CALL(api, ORT_KERNEL_INFO_GET_INT64S,
                    OrtStatus *(*)(const OrtKernelInfo *, const char *, int64_t *, size_t *))(info, name, values, count);
}

static inline OrtStatus *ort_input_count(const OrtApi *api, const OrtKernelContext *context, size_t *count) {
    return ORT_CALL(api, ORT_KERNEL_CONTEXT_GET_INPUT_COUNT,
                    OrtStatus *(*)(const OrtKernelContext *, size_t *))(context, count);
}

static inline OrtStatus *ort_input(const OrtApi *api, const OrtKernelContext *context, size_t index,
                                   const OrtValue **value) {
    return ORT_CALL(api, ORT_KERNEL_CONTEXT_GET_INPUT,
                    OrtStatus *(*)(const OrtKernelContext *, size_t, const OrtValue **))(context, index, value);
}

static inline OrtStatus *ort_output(const OrtApi *api, OrtKernelContext *context, size_t index, const int64_t *sizes,
                                    size_t rank, OrtValue **value) {
    return ORT_CALL(api, ORT_KERNEL_CONTEXT_GET_OUTPUT,
                    OrtStatus *(*)(OrtKernelContext *, size_t, const int64_t *, size_t, OrtValue **))(
        context, index, sizes, rank, value);
}

static inline OrtStatus *ort_data(const OrtApi *api, OrtValue *value, void **data) {
    return ORT_CALL(api, ORT_GET_TENSOR_MUTABLE_DATA, OrtStatus *(*)(OrtValue *, void **))(value, data);
}

static inline OrtStatus *ort_type_and_shape(const OrtApi *api, const OrtValue *value,
                                            OrtTensorTypeAndShapeInfo **info) {
    return ORT_CALL(api, ORT_GET_TENSOR_TYPE_AND_SHAPE,
                    OrtStatus *(*)(const OrtValue *, OrtTensorTypeAndShapeInfo **))(value, info);
}

static inline void ort_release_type_and_shape(const OrtApi *api, OrtTensorTypeAndShapeInfo *info) {
    ORT_CALL(api, ORT_RELEASE_TENSOR_TYPE_AND_SHAPE, void (*)(OrtTensorTypeAndShapeInfo *))(info);
}

static inline OrtStatus *ort_element_type(const OrtApi *api, const OrtTensorTypeAndShapeInfo *info, int *type) {
    return ORT_CALL(api, ORT_GET_TENSOR_ELEMENT_TYPE,
                    OrtStatus *(*)(const OrtTensorTypeAndShapeInfo *, int *))(info, type);
}

static inline OrtStatus *ort_rank(const OrtApi *api, const OrtTensorTypeAndShapeInfo *info, size_t *rank) {
    return ORT_CALL(api, ORT_GET_DIMENSIONS_COUNT,
                    OrtStatus *(*)(const OrtTensorTypeAndShapeInfo *, size_t *))(info, rank);
}

static inline OrtStatus *ort_sizes(const OrtApi *api, const OrtTensorTypeAndShapeInfo *info, int64_t *sizes,
                                   size_t rank) {
    return ORT_CALL(api, ORT_GET_DIMENSIONS,
                    OrtStatus *(*)(const OrtTensorTypeAndShapeInfo *, int64_t *, size_t))(info, sizes, rank);
}

static inline OrtStatus *ort_create_domain(const OrtApi *api, const char *name, OrtCustomOpDomain **domain) {
    return ORT_CALL(api, ORT_CREATE_CUSTOM_OP_DOMAIN,
                    OrtStatus *(*)(const char *, OrtCustomOpDomain **))(name, domain);
}

static inline OrtStatus *ort_domain_add(const OrtApi *api, OrtCustomOpDomain *domain, const OrtCustomOp *op) {
    return ORT_CALL(api, ORT_CUSTOM_OP_DOMAIN_ADD,
                    OrtStatus *(*)(OrtCustomOpDomain *, const OrtCustomOp *))(domain, op);
}

static inline OrtStatus *ort_add_domain(const OrtApi *api, OrtSessionOptions *options, OrtCustomOpDomain *domain) {
    return ORT_CALL(api, ORT_ADD_CUSTOM_OP_DOMAIN,
                    OrtStatus *(*)(OrtSessionOptions *, OrtCustomOpDomain *))(options, domain);
}

static inline void ort_release_domain(const OrtApi *api, OrtCustomOpDomain *domain) {
    if (domain) ORT_CALL(api, ORT_RELEASE_CUSTOM_OP_DOMAIN, void (*)(OrtCustomOpDomain *))(domain);
}

#endif
