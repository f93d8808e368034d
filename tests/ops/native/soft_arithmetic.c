/* The software fma and square root against the processor's, and the self test under flags that break it.
 *
 * test_triples(kind, count, seed, worst): how many of `count` triples differ; kinds 0 any bits, 1 cancellation,
 * 2 results near the smallest numbers, 3 sums near half way, 4 far apart, 5 special values. worst: the last of them.
 */
#include <string.h>

#include "selftest.h"

#ifdef __x86_64__
#include <xmmintrin.h>
#endif

static uint64_t state;

static uint64_t draw(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double power_of_two(int exponent) { return ep_from_bits_f64((uint64_t)(1023 + exponent) << 52); }

static double special_f64[10] = {0.0, -0.0, 1.0, -1.0, 0x1p-1074, -0x1p-1022, 0x1.fffffffffffffp1023};

static float special_f32[10] = {0.0f, -0.0f, 1.0f, -1.0f, 0x1p-149f, -0x1p-126f, 0x1.fffffep127f};

static void fill_special(void) {
    for (int i = 0; i < 3; i++) {
        special_f32[7 + i] = ep_from_bits_f32(0x7f800000u | (i == 1 ? 0x80000000u : i == 2 ? 0x400000u : 0));
        special_f64[7 + i] = (double)special_f32[7 + i];
    }
}

static void triple_f64(int kind, double *x) {
    uint64_t a = draw(), b = draw(), c = draw(), kept = 0x800fffffffffffffu;
    for (int i = 0; i < 3; i++) x[i] = ep_from_bits_f64(i == 0 ? a : i == 1 ? b : c);
    if (kind == 1) x[2] = -(x[0] * x[1]) * (1.0 + (double)(c % 9) * 0x1p-52 - 0x1p-50);
    if (kind == 2) {
        x[0] = ep_from_bits_f64((a & kept) | (512 + a % 20) << 52);
        x[1] = ep_from_bits_f64((b & kept) | (490 - b % 40) << 52);
        x[2] = c & 1 ? 0.0 : ep_from_bits_f64(c & 0x801fffffffffffffu);
    }
    if (kind == 3) {
        double off = a & 3 ? power_of_two(-20 - (int)(b % 33)) : 0.0;
        x[0] = (1.0 + off) * 0x1p-26 * (c & 1 ? -1.0 : 1.0);
        x[1] = (a & 4 ? 1.0 - off : a & 8 ? 1.0 + off : 1.0) * 0x1p-27;
        x[2] = 1.0 + (double)(c >> 12) * 0x1p-52;
        if (a & 16) {
            x[0] = 1.0 + 0x1p-26;
            x[1] = 1.0 + 0x1p-27;
            x[2] = (c & 1 ? -1.0 : 1.0) * power_of_two(-60 - (int)(b % 300));
        }
    }
    if (kind == 4) x[2] = x[0] * x[1] * power_of_two((int)(c % 121) - 60);
    for (int i = 0; kind == 5 && i < 3; i++) x[i] = draw() & 1 ? special_f64[draw() % 10] : x[i];
}

static void triple_f32(int kind, float *x) {
    uint32_t a = (uint32_t)draw(), b = (uint32_t)draw(), c = (uint32_t)draw(), kept = 0x807fffffu;
    for (int i = 0; i < 3; i++) x[i] = ep_from_bits_f32(i == 0 ? a : i == 1 ? b : c);
    if (kind == 1) x[2] = -(x[0] * x[1]) * (1.0f + (float)(c % 9) * 0x1p-23f - 0x1p-21f);
    if (kind == 2) {
        x[0] = ep_from_bits_f32((a & kept) | (64 + a % 20) << 23);
        x[1] = ep_from_bits_f32((b & kept) | (50 - b % 40) << 23);
        x[2] = c & 1 ? 0.0f : ep_from_bits_f32(c & 0x80ffffffu);
    }
    if (kind == 3) {
        float off = a & 3 ? (float)power_of_two(-12 - (int)(b % 12)) : 0.0f;
        x[0] = (1.0f + off) * 0x1p-12f * (c & 1 ? -1.0f : 1.0f);
        x[1] = (a & 4 ? 1.0f - off : a & 8 ? 1.0f + off : 1.0f) * 0x1p-12f;
        x[2] = 1.0f + (float)(c >> 9) * 0x1p-23f;
        if (a & 16) {
            x[0] = x[1] = 1.0f + 0x1p-12f;
            x[2] = (c & 1 ? -1.0f : 1.0f) * (float)power_of_two(-30 - (int)(b % 90));
        }
    }
    if (kind == 4) x[2] = x[0] * x[1] * (float)power_of_two((int)(c % 121) - 60);
    for (int i = 0; kind == 5 && i < 3; i++) x[i] = draw() & 1 ? special_f32[draw() % 10] : x[i];
}

static int same_f64(double a, double b) { return (a != a && b != b) || ep_bits_f64(a) == ep_bits_f64(b); }
static int same_f32(float a, float b) { return (a != a && b != b) || ep_bits_f32(a) == ep_bits_f32(b); }

long test_triples_f64(int kind, long count, uint64_t seed, double *worst);
long test_triples_f64(int kind, long count, uint64_t seed, double *worst) {
    long differ = 0;
    double x[3];
    fill_special();
    for (state = seed; count > 0; count--) {
        triple_f64(kind, x);
        if (same_f64(__builtin_fma(x[0], x[1], x[2]), ep_fma1_f64(x[0], x[1], x[2])) &&
            same_f64(__builtin_sqrt(x[0]), ep_sqrt1_f64(x[0])) && same_f64(__builtin_sqrt(-x[0]), ep_sqrt1_f64(-x[0]))) continue;
        differ++;
        memcpy(worst, x, sizeof x);
    }
    return differ;
}

long test_triples_f32(int kind, long count, uint64_t seed, double *worst);
long test_triples_f32(int kind, long count, uint64_t seed, double *worst) {
    long differ = 0;
    float x[3];
    fill_special();
    for (state = seed; count > 0; count--) {
        triple_f32(kind, x);
        if (same_f32(__builtin_fmaf(x[0], x[1], x[2]), ep_fma1_f32(x[0], x[1], x[2])) &&
            same_f32(__builtin_sqrtf(x[0]), ep_sqrt1_f32(x[0])) && same_f32(__builtin_sqrtf(-x[0]), ep_sqrt1_f32(-x[0]))) continue;
        differ++;
        for (int i = 0; i < 3; i++) worst[i] = x[i];
    }
    return differ;
}

/* The self test with the processor's control bits changed, on x86: 0x8040 flushes denormals, 0x6000 rounds to zero. */
int test_selftest(unsigned bits);
int test_selftest(unsigned bits) {
    int failed;
#ifdef __x86_64__
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | bits);
#else
    (void)bits;
#endif
    failed = ep_selftest();
#ifdef __x86_64__
    _mm_setcsr(before);
#endif
    return failed;
}
