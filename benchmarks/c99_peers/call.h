/* What every C rival is called with: the sizes, inputs and outputs of its own signature, in order. */
#ifndef BENCHMARK_CALL_H
#define BENCHMARK_CALL_H

#include <stddef.h>

struct call {
    const size_t *sizes;
    const void *const *inputs;
    void *const *outputs;
    void *scratch;
};

size_t bench_scratch_bytes(void);
int bench_rival(void *call);

#endif
