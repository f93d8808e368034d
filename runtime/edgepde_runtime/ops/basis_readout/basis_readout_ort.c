/* basis_readout for ONNX Runtime. */
#include "ort_room.h"

#define EP_TYPE f32
#define EP_NAME readout_f32
#include "basis_readout.h"
#undef EP_NAME
#define EP_STORED 16
#define EP_NAME readout_f32_half
#include "basis_readout.h"
#undef EP_NAME
#undef EP_STORED
#undef EP_TYPE
#define EP_TYPE f64
#define EP_NAME readout_f64
#include "basis_readout.h"
#undef EP_NAME
#define EP_STORED 16
#define EP_NAME readout_f64_half
#include "basis_readout.h"
#undef EP_NAME
#undef EP_STORED
#undef EP_TYPE

static const ep_ort_argument INPUTS[] = {
    {"coefficients", EP_ORT_T, "BK"}, {"basis", EP_ORT_H, "KN"}, {"scale", EP_ORT_T, "S"}};
static const ep_ort_argument OUTPUTS[] = {{"y", EP_ORT_T, "BN"}};

static const char *compute(const ep_ort_call *call) {
    const size_t B = EP_ORT_SIZE(call, 'B'), K = EP_ORT_SIZE(call, 'K'), N = EP_ORT_SIZE(call, 'N');
    const size_t S = EP_ORT_SIZE(call, 'S'), step = S == N;
    if (!K || !N) return "basis: expected rows and columns";
    if (S != 1 && S != N) return "scale: expected one number, or one per column of the basis";
#define RUN(name, number, weight) \
    readout_##name##_rows(B, K, N, (const number *)call->inputs[0], (const weight *)call->inputs[1], \
                          (const number *)call->inputs[2], step, (number *)call->outputs[0])
    if (call->t == ORT_FLOAT32 && call->h == ORT_FLOAT16) RUN(f32_half, float, uint16_t);
    else if (call->t == ORT_FLOAT32) RUN(f32, float, float);
    else if (call->h == ORT_FLOAT16) RUN(f64_half, double, uint16_t);
    else RUN(f64, double, double);
    return NULL;
}

EP_ORT_ROOM(basis_readout) = {
    "basis_readout", EP_ORT_COUNT(INPUTS), EP_ORT_COUNT(OUTPUTS), 0, INPUTS, OUTPUTS, NULL, compute, NULL,
};
