/* gauss_newton_solve for ONNX Runtime: the tensors of a batch, row by row through the kernel. */
#include <stdlib.h>

#include "gauss_newton_solve.h"
#include "ort_room.h"

#define MOST_SCRATCH 1073741824.0

static const ep_ort_argument INPUTS[] = {
    {"lift", ORT_FLOAT64, "BFR"},
    {"basis", ORT_FLOAT64, "FRN"},
    {"coefficients", ORT_FLOAT64, "BTR"},
    {"weights", ORT_FLOAT64, "BR"},
    {"start", ORT_FLOAT64, "BN"},
    {"terms", ORT_INT64, "TK"},
    {"constraint_matrix", ORT_FLOAT64, "CN"},
    {"constraint_target", ORT_FLOAT64, "BC"},
};
static const ep_ort_argument OUTPUTS[] = {
    {"solution", ORT_FLOAT64, "BN"},
    {"converged", ORT_BOOL, "B"},
};
static const ep_ort_attribute ATTRIBUTES[] = {
    {"max_iterations", 1, 20, 0},
    {"tolerance", 0, 1e-9, 0},
};

static const char *compute(const ep_ort_call *call) {
    size_t B = EP_ORT_SIZE(call, 'B'), F = EP_ORT_SIZE(call, 'F'), R = EP_ORT_SIZE(call, 'R');
    size_t N = EP_ORT_SIZE(call, 'N'), T = EP_ORT_SIZE(call, 'T'), K = EP_ORT_SIZE(call, 'K');
    size_t C = EP_ORT_SIZE(call, 'C');
    const double *lift = call->inputs[0], *basis = call->inputs[1], *coefficients = call->inputs[2];
    const double *weights = call->inputs[3], *start = call->inputs[4];
    const int64_t *terms = call->inputs[5];
    const double *matrix = call->inputs[6], *target = call->inputs[7];
    double *solution = call->outputs[0];
    unsigned char *converged = call->outputs[1];
    if (!B) return NULL;
    for (size_t i = 0; i < T * K; i++)
        if (terms[i] < 0 || (uint64_t)terms[i] > F) return "terms: expected factor numbers 0 to F";
    double guess = (F + 1.0) * (R + 32.0) + C + (N + 48.0) * (N + 16.0);
    if (guess * sizeof(double) > MOST_SCRATCH) return "expected sizes that need at most 1 GiB of scratch memory";
    void *memory = malloc(EP_GAUSS_NEWTON_SOLVE_SCRATCH(F, R, N, T, K, C) + 64);
    if (!memory) return "out of memory";
    void *scratch = (char *)memory + (64 - (uintptr_t)memory % 64);
    for (size_t b = 0; b < B; b++)
        ep_gauss_newton_solve_row(F, R, N, T, K, C, lift + b * F * R, basis, coefficients + b * T * R, weights + b * R,
                                  start + b * N, terms, matrix, target + b * C, call->integers[0], call->numbers[1],
                                  solution + b * N, converged + b, scratch);
    free(memory);
    return NULL;
}

EP_ORT_ROOM(gauss_newton_solve) = {
    "gauss_newton_solve", EP_ORT_COUNT(INPUTS), EP_ORT_COUNT(OUTPUTS), EP_ORT_COUNT(ATTRIBUTES), INPUTS, OUTPUTS,
    ATTRIBUTES, compute, NULL,
};
