/* The kernel with external linkage; with EDGEPDE_TEST_PROGRAM a program that runs it on exactly sized allocations. */
#include "gauss_newton_solve.h"

size_t test_scratch(size_t F, size_t R, size_t N, size_t T, size_t K, size_t C);
void test_row(size_t F, size_t R, size_t N, size_t T, size_t K, size_t C, const double *lift, const double *basis,
              const double *coefficients, const double *weights, const double *start, const int64_t *terms,
              const double *matrix, const double *target, int64_t max_iterations, double tolerance, double *solution,
              unsigned char *converged, void *scratch);

enum { BURGERS = EP_GAUSS_NEWTON_SOLVE_SCRATCH(4, 54, 18, 3, 2, 0) };
extern const size_t test_burgers_scratch;
const size_t test_burgers_scratch = BURGERS;

size_t test_scratch(size_t F, size_t R, size_t N, size_t T, size_t K, size_t C) {
    return ep_gauss_newton_solve_scratch(F, R, N, T, K, C);
}

void test_row(size_t F, size_t R, size_t N, size_t T, size_t K, size_t C, const double *lift, const double *basis,
              const double *coefficients, const double *weights, const double *start, const int64_t *terms,
              const double *matrix, const double *target, int64_t max_iterations, double tolerance, double *solution,
              unsigned char *converged, void *scratch) {
    ep_gauss_newton_solve_row(F, R, N, T, K, C, lift, basis, coefficients, weights, start, terms, matrix, target,
                              max_iterations, tolerance, solution, converged, scratch);
}

#ifdef EDGEPDE_TEST_PROGRAM
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 1;

static uint64_t next(void) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 33;
}

static double number(int hostile) {
    static const double odd[] = {0.0, -0.0, 1e300, -1e200, 1e-300, 5e-324};
    uint64_t pick = next();
    if (hostile && pick % 16 == 0) return ep_from_bits_f64(UINT64_C(0x7ff0000000000000) | (pick & 1) << 63 | (pick & 2));
    if (hostile && pick % 16 < 7) return odd[pick % 16 - 1];
    return (double)next() / 1073741824.0 - 1.0;
}

static double *numbers(size_t count, int hostile) {
    double *x = malloc(count ? count * sizeof *x : 1);
    for (size_t i = 0; x && i < count; i++) x[i] = number(hostile);
    return x;
}

int main(void) {
    unsigned rows = 0, reached = 0;
    for (unsigned k = 0; k < 400; k++) {
        size_t F = 1 + next() % 4, R = 1 + next() % 36, N = 1 + next() % 19, T = 1 + next() % 4, K = 1 + next() % 3;
        size_t C = next() % 18, need = ep_gauss_newton_solve_scratch(F, R, N, T, K, C);
        int hostile = k % 2 != 0;
        double *x[] = {numbers(F * R, hostile), numbers(F * R * N, hostile), numbers(T * R, hostile), numbers(R, hostile),
                       numbers(N, hostile),     numbers(C * N, hostile),     numbers(C, hostile),     numbers(N, 0)};
        int64_t *terms = malloc(T * K * sizeof *terms);
        unsigned char *converged = malloc(1);
        void *scratch = malloc(need);
        if (!terms || !converged || !scratch) return 1;
        for (size_t i = 0; i < T * K; i++) terms[i] = (int64_t)(next() % (F + 1)) - (k % 50 == 49);
        test_row(F, R, N, T, K, C, x[0], x[1], x[2], x[3], x[4], terms, x[5], x[6], 8, 1e-9, x[7], converged, scratch);
        rows++;
        reached += *converged;
        for (size_t i = 0; i < sizeof x / sizeof *x; i++) free(x[i]);
        free(terms);
        free(converged);
        free(scratch);
    }
    printf("rows: %u, converged: %u\n", rows, reached);
    return 0;
}
#endif
