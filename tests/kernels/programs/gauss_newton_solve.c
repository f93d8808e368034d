/* Polynomial systems of several sizes, the size of a Burgers surrogate and hostile numbers among them. */
#include "gauss_newton_solve.h"

#include "edgepde_hash.h"
#include "edgepde_print.h"

enum { F = 4, R = 54, N = 18, T = 4, K = 2, C = 17 };

static double lift[F * R], basis[F * R * N], coefficients[T * R], weights[R], start[N], matrix[C * N], target[C];
static double solution[N], scratch[EP_GAUSS_NEWTON_SOLVE_SCRATCH(F, R, N, T, K, C) / sizeof(double)];
static uint64_t state = 1;

static uint32_t next(void) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33);
}

/* In [-1, 1), a multiple of 2^-30. */
static double number(void) { return ((double)next() - 1073741824.0) / 1073741824.0; }

static void fill(double *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = number();
}

/* v0 + v1 v2 + v3 and a source, the source put so that a small residual is left near zero. */
static void prepare(size_t r, size_t n, size_t c) {
    fill(lift, F * r);
    fill(basis, F * r * n);
    fill(coefficients, T * r);
    fill(matrix, c * n);
    fill(target, c);
    for (size_t i = 0; i < n; i++) start[i] = number() / 16.0;
    for (size_t i = 0; i < r; i++) {
        weights[i] = 1.0 + number() / 2.0;
        double sum = coefficients[i] * lift[i] + coefficients[r + i] * lift[r + i] * lift[2 * r + i];
        coefficients[3 * r + i] = number() / 1024.0 - sum - coefficients[2 * r + i] * lift[3 * r + i];
    }
}

static uint64_t solve(uint64_t hash, size_t r, size_t n, size_t c, int64_t iterations) {
    static const int64_t terms[T * K] = {0, F, 1, 2, 3, F, F, F};
    unsigned char converged = 9;
    ep_gauss_newton_solve_row(F, r, n, T, K, c, lift, basis, coefficients, weights, start, terms, matrix, target,
                              iterations, 1e-9, solution, &converged, scratch);
    return ep_hash_u64(ep_hash_array_f64(hash, solution, n), converged);
}

static uint64_t sizes(void) {
    static const unsigned char each[][3] = {{1, 1, 0}, {3, 2, 0}, {8, 3, 1}, {17, 7, 0}, {20, 8, 2}, {33, 15, 0}, {2, 4, 17}};
    uint64_t hash = EP_HASH_START;
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        prepare(each[i][0], each[i][1], each[i][2]);
        hash = solve(hash, each[i][0], each[i][1], each[i][2], 12);
    }
    return hash;
}

static uint64_t hostile(void) {
    static const uint64_t odd[] = {UINT64_C(0x7ff0000000000000), UINT64_C(0x7ff8000000000000), UINT64_C(1),
                                   UINT64_C(0x7fe1234567890123), UINT64_C(0x8000000000000000),
                                   UINT64_C(0x0010000000000000)};
    uint64_t hash = EP_HASH_START;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        double *const where[] = {lift, basis, coefficients, weights, start};
        for (size_t k = 0; k < sizeof where / sizeof where[0]; k++) {
            prepare(9, 3, 0);
            where[k][1] = ep_from_bits_f64(odd[i]);
            hash = solve(hash, 9, 3, 0, 4);
        }
    }
    return hash;
}

int main(void) {
    ep_print_line("sizes", sizes());
    prepare(R, N, 0);
    ep_print_line("burgers", solve(EP_HASH_START, R, N, 0, 20));
    ep_print_line("hostile", hostile());
    return 0;
}
