/* SPDX-License-Identifier: Apache-2.0 */
/* For hosts: the best build of the model for this processor, under names that are the same for every model. */
#include <string.h>

#ifdef EDGEPDE_DISPATCH_X86
#include <cpuid.h>
#endif

#include "modno_16.h"

struct edgepde_call {
    const size_t *sizes;
    const void *const *inputs;
    void *const *outputs;
    void *scratch;
    int refuse_out_of_box;
};

typedef int run_function(size_t, const float *, const float *, const float *, const float *, const float *, const uint16_t *, const float *, float *, void *);
typedef int check_function(size_t, const float *, int *);

struct build {
    const char *isa;
    run_function *run;
    check_function *check;
};

#ifdef EDGEPDE_DISPATCH_X86
run_function modno_16_run_scalar, modno_16_run_avx2, modno_16_run_avx512;
check_function modno_16_check_scalar, modno_16_check_avx2, modno_16_check_avx512;

static const struct build builds[] = {
    {"scalar", modno_16_run_scalar, modno_16_check_scalar},
    {"avx2", modno_16_run_avx2, modno_16_check_avx2},
    {"avx512", modno_16_run_avx512, modno_16_check_avx512},
};

static unsigned enabled_states(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* Asked of the processor itself: not every compiler's library fills in __builtin_cpu_supports. */
static int best(void) {
    const unsigned wide = bit_AVX512F | bit_AVX512DQ | bit_AVX512VL;
    unsigned a, b, c, d, states;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA) || !(c & bit_F16C)) return 0;
    states = enabled_states();
    if ((states & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2)) return 0;
    return (states & 0xe6) == 0xe6 && (b & wide) == wide ? 2 : 1;
}
#else
static const struct build builds[] = {
#ifdef __aarch64__
    {"neon", modno_16_run, modno_16_check},
#else
    {"scalar", modno_16_run, modno_16_check},
#endif
};

static int best(void) { return 0; }
#endif

/* -1 until the first call; every thread finds the same. */
static int chosen = -1;

static const struct build *build(void) {
    if (chosen < 0) chosen = best();
    return builds + chosen;
}

const char *edgepde_model_hash(void);
const char *edgepde_model_isa(void);
size_t edgepde_model_scratch_bytes(void);
int edgepde_model_use(const char *isa);
int edgepde_model_check(const size_t *sizes, const void *const *inputs, int *const *flags);
int edgepde_model_call(const struct edgepde_call *call);

const char *edgepde_model_hash(void) { return MODNO_16_MODEL_HASH; }

const char *edgepde_model_isa(void) { return build()->isa; }

size_t edgepde_model_scratch_bytes(void) { return MODNO_16_SCRATCH_BYTES; }

int edgepde_model_use(const char *isa) {
    for (int i = 0; i <= best(); i++)
        if (strcmp(builds[i].isa, isa) == 0) {
            chosen = i;
            return 0;
        }
    return -1;
}

int edgepde_model_check(const size_t *sizes, const void *const *inputs, int *const *flags) {
    return build()->check(sizes[0], (const float *)inputs[0], flags[0]);
}

int edgepde_model_call(const struct edgepde_call *call) {
    const struct build *const use = build();
    const size_t *const sizes = call->sizes;
    const void *const *const inputs = call->inputs;
    void *const *const outputs = call->outputs;
    if (call->refuse_out_of_box) {
        const int flags = use->check(sizes[0], (const float *)inputs[0], NULL);
        if (flags < 0) return flags;
        if (flags) return -3;
    }
    return use->run(sizes[0], (const float *)inputs[0], (const float *)inputs[1], (const float *)inputs[2], (const float *)inputs[3], (const float *)inputs[4], (const uint16_t *)inputs[5], (const float *)inputs[6], (float *)outputs[0], call->scratch);
}
