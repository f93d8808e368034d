/* The library that onnxruntime loads: all rooms with a kernel, built per instruction set, chosen when registered. */
#include "ort_shim.h"

#ifdef EDGEPDE_DISPATCH_X86
#include <cpuid.h>
#endif
#if defined(__GNUC__)
#define EP_EXPORT __attribute__((visibility("default")))
#else
#define EP_EXPORT
#endif

EP_EXPORT const char *edgepde_ops_isa(void);
EP_EXPORT OrtStatus *RegisterCustomOps(OrtSessionOptions *options, const OrtApiBase *base);

#define EP_ORT_EACH(name) extern const ep_ort_room ep_ort_##name##_scalar;
#include "ort_rooms.h"
#undef EP_ORT_EACH
static const ep_ort_room *const scalar[] = {
#define EP_ORT_EACH(name) &ep_ort_##name##_scalar,
#include "ort_rooms.h"
#undef EP_ORT_EACH
};

#ifdef EDGEPDE_DISPATCH_X86
#define EP_ORT_EACH(name) extern const ep_ort_room ep_ort_##name##_avx2, ep_ort_##name##_avx512;
#include "ort_rooms.h"
#undef EP_ORT_EACH
static const ep_ort_room *const avx2[] = {
#define EP_ORT_EACH(name) &ep_ort_##name##_avx2,
#include "ort_rooms.h"
#undef EP_ORT_EACH
};
static const ep_ort_room *const avx512[] = {
#define EP_ORT_EACH(name) &ep_ort_##name##_avx512,
#include "ort_rooms.h"
#undef EP_ORT_EACH
};
#endif

enum { ROOMS = sizeof scalar / sizeof scalar[0] };

#ifdef EDGEPDE_DISPATCH_X86
/* Bit 29 of ecx of leaf 1; not every compiler's __builtin_cpu_supports knows the name. */
static int converts_halves(void) {
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx >> 29 & 1);
}
#endif

static const ep_ort_room *const *chosen(const char **isa) {
#ifdef EDGEPDE_DISPATCH_X86
    __builtin_cpu_init();
    int fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && converts_halves();
    *isa = "avx512";
    if (fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return avx512;
    *isa = "avx2";
    if (fma) return avx2;
#endif
#ifdef __aarch64__
    *isa = "neon";
#else
    *isa = "scalar";
#endif
    return scalar;
}

const char *edgepde_ops_isa(void) {
    const char *isa = 0;
    (void)chosen(&isa);
    return isa;
}

/* The custom ops must outlive every session, and there is no moment to free them: they stay for the process. */
static OrtStatus *domain_of(const OrtApi *api, OrtCustomOpDomain **domain) {
    static ep_ort_op ops[ROOMS * EP_ORT_MOST_VARIANTS];
    static OrtCustomOpDomain *shared;
    static int lock;
    OrtStatus *status = 0;
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
    }
    if (!shared) {
        const char *isa = 0;
        const ep_ort_room *const *rooms = chosen(&isa);
        OrtCustomOpDomain *made = 0;
        status = ort_create_domain(api, "edgepde", &made);
        for (size_t i = 0, next = 0; i < ROOMS; i++)
            for (size_t v = 0; v < ep_ort_variants(rooms[i]) && !status; v++, next++) {
                ops[next] = ep_ort_op_of(rooms[i], v);
                status = ort_domain_add(api, made, &ops[next].op);
            }
        if (status) ort_release_domain(api, made);
        else shared = made;
    }
    *domain = shared;
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    return status;
}

OrtStatus *RegisterCustomOps(OrtSessionOptions *options, const OrtApiBase *base) {
    const OrtApi *api = base && base->GetApi ? base->GetApi(ORT_CLAIMED_VERSION) : 0;
    if (!api) {
        api = base && base->GetApi ? base->GetApi(1) : 0;
        return api ? ort_status(api, ORT_FAIL, "edgepde: expected onnxruntime 1.16 or newer") : 0;
    }
    for (size_t i = 0; i < sizeof api->slot / sizeof api->slot[0]; i++)
        if (!api->slot[i]) return ort_status(api, ORT_FAIL, "edgepde: a function of onnxruntime's interface is missing");
    OrtCustomOpDomain *domain = 0;
    OrtStatus *status = domain_of(api, &domain);
    return status ? status : ort_add_domain(api, options, domain);
}
