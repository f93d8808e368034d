/* The network 3-64x4-1 around one kernel, and one layer alone. `weights` are packed as the kernel reads them. */
#ifndef BENCHMARK_NETWORK_H
#define BENCHMARK_NETWORK_H

#include "tanh.h"

#define WIDTH 64
#define LAYERS 5

struct work {
    const float *weights[LAYERS];
    const float *bias[LAYERS];
    const float *x;
    float *y;
    size_t n;
};

typedef void (*kernel)(const float *w, const float *bias, const float *x, float *y, size_t K);
typedef float (*reduction)(const float *w, float bias, const float *x);

static inline void blocks(kernel run, size_t R, size_t lanes, const struct work *a, int layer, const float *x, float *y,
                          size_t K) {
    for (size_t r = 0; r < WIDTH; r += R) run(a->weights[layer] + r * K, a->bias[layer] + r, x, y + r * lanes, K);
}

/* x and y in tiles [feature][lane]. */
static inline int layer_of_tiles(kernel run, size_t R, size_t H, const struct work *a) {
    const size_t lanes = H * EP_WIDTH_F32;
    for (size_t i = 0; i < a->n; i += lanes) blocks(run, R, lanes, a, 1, a->x + i * WIDTH, a->y + i * WIDTH, WIDTH);
    return 0;
}

static inline int network_of_tiles(kernel run, kernel last, size_t R, size_t H, const struct work *a) {
    const size_t lanes = H * EP_WIDTH_F32;
    float p[WIDTH * 3 * EP_WIDTH_F32] __attribute__((aligned(64)));
    float q[WIDTH * 3 * EP_WIDTH_F32] __attribute__((aligned(64)));
    for (size_t i = 0; i < a->n; i += lanes) {
        const size_t count = a->n - i < lanes ? a->n - i : lanes;
        for (size_t lane = 0; lane < lanes; ++lane)
            for (size_t k = 0; k < 3; ++k) p[k * lanes + lane] = lane < count ? a->x[(i + lane) * 3 + k] : 0.0f;
        blocks(run, R, lanes, a, 0, p, q, 3);
        blocks(run, R, lanes, a, 1, q, p, WIDTH);
        blocks(run, R, lanes, a, 2, p, q, WIDTH);
        blocks(run, R, lanes, a, 3, q, p, WIDTH);
        last(a->weights[4], a->bias[4], p, q, WIDTH);
        memcpy(a->y + i, q, count * sizeof(float));
    }
    return 0;
}

static inline void row(kernel run, size_t V, const struct work *a, int layer, const float *x, float *y, size_t K) {
    const size_t outputs = V * EP_WIDTH_F32;
    for (size_t j = 0; j < WIDTH; j += outputs) run(a->weights[layer] + j, a->bias[layer] + j, x, y + j, K);
}

static inline int layer_of_rows(kernel run, size_t V, const struct work *a) {
    for (size_t i = 0; i < a->n; ++i) row(run, V, a, 1, a->x + i * WIDTH, a->y + i * WIDTH, WIDTH);
    return 0;
}

static inline int network_of_rows(kernel run, reduction last, size_t V, const struct work *a) {
    float p[WIDTH] __attribute__((aligned(64))), q[WIDTH] __attribute__((aligned(64)));
    for (size_t i = 0; i < a->n; ++i) {
        row(run, V, a, 0, a->x + i * 3, p, 3);
        row(run, V, a, 1, p, q, WIDTH);
        row(run, V, a, 2, q, p, WIDTH);
        row(run, V, a, 3, p, q, WIDTH);
        a->y[i] = last(a->weights[4], a->bias[4][0], q);
    }
    return 0;
}

#endif
