/* Seconds of a monotonic clock; the loop that is timed stays in C. */
#ifndef BENCHMARK_CLOCK_H
#define BENCHMARK_CLOCK_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 199309L
#endif
#include <time.h>

static inline double bench_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
