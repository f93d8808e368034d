/* The peak of fused multiply-adds: independent chains held in registers, nothing loaded. Returns fma/s of one core. */
#include "clock.h"
#include "lanes.h"

#define CHAINS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define DECLARE(i) ep_f32 acc##i = ep_set_f32((float)i);
#define STEP(i) acc##i = ep_fma_f32(acc##i, factor, summand);
#define TOTAL(i) total += acc##i;

double bench_fma_per_second(size_t steps, float *sink) {
    ep_f32 factor = ep_set_f32(sink[0]), summand = ep_set_f32(sink[1]), total = ep_set_f32(0.0f);
    CHAINS(DECLARE)
    const double began = bench_seconds();
    for (size_t i = 0; i < steps; ++i) {
        CHAINS(STEP)
    }
    const double took = bench_seconds() - began;
    CHAINS(TOTAL)
    ep_store_f32(sink, total);
    return 12.0 * EP_WIDTH_F32 * (double)steps / took;
}

int bench_nothing(void *argument) { return argument == 0; }

typedef int (*bench_call)(void *argument);

/* Seconds for `times` calls through a pointer. */
double bench_time(bench_call call, void *argument, size_t times) {
    const double began = bench_seconds();
    for (size_t i = 0; i < times; ++i) (void)call(argument);
    return bench_seconds() - began;
}
