/* sweep f32 NAME STEP: every STEP-th pattern of a finite float x > 0, and -x.
 * sweep f64 NAME COUNT SEED: doubles of all sizes, moderate ones, and neighbours of multiples of pi/4 and ln(2)/2.
 * sweep special NAME X ..: the function in float and double at numbers, in hexadecimal.
 * sweep list: the functions. Prints one line of JSON. Errors are in units of the last place of the exact value.
 */
#include "functions.h"

#include "cos.h"
#include "cosh.h"
#include "erf.h"
#include "exp.h"
#include "gelu.h"
#include "log.h"
#include "sigmoid.h"
#include "sin.h"
#include "sinh.h"
#include "softplus.h"
#include "tanh.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 2048

#define APPLY(name, side, direction) \
    static void name##_f32(const float *x, float *y) { \
        for (size_t i = 0; i < BLOCK; i += EP_WIDTH_F32) ep_store_f32(y + i, ep_##name##_f32(ep_load_f32(x + i))); \
    } \
    static void name##_f64(const double *x, double *y) { \
        for (size_t i = 0; i < BLOCK; i += EP_WIDTH_F64) ep_store_f64(y + i, ep_##name##_f64(ep_load_f64(x + i))); \
    }
FUNCTIONS(APPLY)

typedef struct {
    const char *name;
    char side, direction;
    void (*f32)(const float *, float *), (*f64)(const double *, double *);
    void (*reference)(const double *, double *, size_t);
    long double (*exact)(long double);
} function;

#define ENTRY(name, side, direction) {#name, side, direction, name##_f32, name##_f64, name##_reference, name##_exact},
static const function functions[] = {FUNCTIONS(ENTRY)};

/* above: errors above 1; astray: f(-x) not as the side says; disordered: a step the wrong way; beyond: |y| > 1 >= |exact|. */
typedef struct {
    double worst, at;
    uint64_t inputs, above, astray, disordered, beyond;
} tally;

/* |y - exact| in units of the last place of exact; infinity counts as 2^128. */
static inline double ulps_f32(float y, double exact) {
    double near = fabs(exact) < 0x1p128 ? exact : copysign(0x1p128, exact);
    double is = fabsf(y) <= FLT_MAX ? (double)y : copysign(0x1p128, (double)y);
    int64_t power = (int64_t)(ep_bits_f64(near) >> 52 & 0x7ff);
    power = power < 1023 - 126 ? 1023 - 126 : power > 1023 + 127 ? 1023 + 127 : power;
    return fabs(is - near) * ep_from_bits_f64((uint64_t)(2 * 1023 + 23 - power) << 52);
}

static double ulps_f64(double y, long double exact) {
    int power;
    if (isnan(y) || isnan(exact)) return isnan(y) && isnan(exact) ? 0 : 0x1p1000;
    if (fabsl(exact) >= 0x1p1024L) exact = copysignl(0x1p1024L, exact);
    frexpl(exact, &power);
    power = power < -1021 ? -1021 : power > 1024 ? 1024 : power;
    return (double)ldexpl(fabsl((isinf(y) ? copysignl(0x1p1024L, y) : (long double)y) - exact), 53 - power);
}

/* The vector reference finds where the error may be the worst yet, long double says how large it is there. */
static void judge_f32(const function *of, const float *x, const float *y, tally *t) {
    static double wide[BLOCK], exact[BLOCK], error[BLOCK];
    double worst = 0;
    uint64_t above = 0, beyond = 0;
    for (size_t i = 0; i < BLOCK; i++) wide[i] = x[i];
    of->reference(wide, exact, BLOCK);
    for (size_t i = 0; i < BLOCK; i++) {
        error[i] = ulps_f32(y[i], exact[i]);
        above += !(error[i] <= 1);
        beyond += fabsf(y[i]) > 1 && fabs(exact[i]) <= 1;
        worst = error[i] <= worst ? worst : error[i];
    }
    t->inputs += BLOCK;
    t->above += above;
    t->beyond += beyond;
    for (size_t i = 0; !(worst <= t->worst) && i < BLOCK; i++) {
        if (error[i] <= t->worst) continue;
        error[i] = isnan(y[i]) ? 0x1p1000 : ulps_f32(y[i], (double)of->exact(x[i]));
        if (error[i] <= t->worst) continue;
        t->worst = error[i];
        t->at = x[i];
    }
}

static void sweep_f32(const function *of, uint64_t step, tally *t) {
    static float x[BLOCK], minus[BLOCK], y[BLOCK], z[BLOCK];
    float last[2] = {NAN, NAN}, sign = of->direction == 'd' ? -1.0f : 1.0f;
    const uint64_t end = 0x7f800000u;
    for (uint64_t from = 1; from < end; from += BLOCK * step) {
        uint64_t differ = 0, flip = of->side == 'o' ? 0x80000000u : 0, disordered = 0;
        for (size_t i = 0; i < BLOCK; i++) {
            uint64_t pattern = from + i * step;
            x[i] = ep_from_bits_f32((uint32_t)(pattern < end ? pattern : end - 1));
            minus[i] = -x[i];
        }
        of->f32(x, y);
        of->f32(minus, z);
        judge_f32(of, x, y, t);
        for (size_t i = 0; of->side == 'p' && i < BLOCK; i++) differ += !isnan(z[i]);
        for (size_t i = 0; (of->side == 'o' || of->side == 'e') && i < BLOCK; i++) {
            differ += ep_bits_f32(y[i]) != (ep_bits_f32(z[i]) ^ flip);
        }
        t->astray += differ;
        if (of->side == ' ' || (differ && of->side != 'p')) judge_f32(of, minus, z, t);
        if (of->direction == ' ') continue;
        disordered = sign * y[0] < sign * last[0] || sign * z[0] > sign * last[1];
        for (size_t i = 1; i < BLOCK; i++) disordered += sign * y[i] < sign * y[i - 1] || sign * z[i] > sign * z[i - 1];
        t->disordered += disordered;
        last[0] = y[BLOCK - 1];
        last[1] = z[BLOCK - 1];
    }
}

static uint64_t state;

static uint64_t draw(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double input_f64(void) {
    static const double moderate[] = {1, 4, 40, 800, 1e6};
    uint64_t bits = draw(), kind = draw() % 4;
    double unit = (double)(int64_t)bits * 0x1p-63, corner;
    if (kind == 0) return ep_from_bits_f64(bits);
    if (kind == 1) return unit * moderate[draw() % 5];
    if (kind == 2) return copysign(exp2(-40 * fabs(unit)) * 2, unit);
    corner = (double)(draw() % 4096) * (draw() & 1 ? 0x1.921fb54442d18p-1 : 0x1.62e42fefa39efp-2);
    return copysign(ep_from_bits_f64(ep_bits_f64(corner) + bits % 64), unit);
}

static void sweep_f64(const function *of, uint64_t count, tally *t) {
    static double x[BLOCK], y[BLOCK], z[BLOCK], minus[BLOCK];
    for (; t->inputs < count; t->inputs += BLOCK) {
        for (size_t i = 0; i < BLOCK; i++) {
            do {
                x[i] = input_f64();
            } while (!isfinite(x[i]));
            if (of->side != ' ') x[i] = fabs(x[i]);
            minus[i] = -x[i];
        }
        of->f64(x, y);
        of->f64(minus, z);
        for (size_t i = 0; i < BLOCK; i++) {
            long double exact = of->exact(x[i]);
            double error = ulps_f64(y[i], exact);
            t->above += error > 1;
            t->beyond += fabs(y[i]) > 1 && fabsl(exact) <= 1;
            if (of->side == 'p') t->astray += !isnan(z[i]) && x[i] != 0;
            if (of->side == 'o') t->astray += ep_bits_f64(y[i]) != (ep_bits_f64(z[i]) ^ (uint64_t)1 << 63);
            if (of->side == 'e') t->astray += ep_bits_f64(y[i]) != ep_bits_f64(z[i]);
            if (error <= t->worst) continue;
            t->worst = error;
            t->at = x[i];
        }
    }
}

static void special(const function *of, int count, char **words) {
    static float x[BLOCK], y[BLOCK];
    static double wide[BLOCK], z[BLOCK];
    for (int i = 0; i < count; i++) wide[i] = x[i] = strtof(words[i], NULL);
    of->f32(x, y);
    of->f64(wide, z);
    for (int i = 0; i < count; i++) printf("%s[\"%a\", \"%a\"]%s", i ? ", " : "[", (double)y[i], z[i], i + 1 < count ? "" : "]\n");
}

int main(int count, char **words) {
    const size_t known = sizeof functions / sizeof *functions;
    tally t = {0};
    for (size_t i = 0; i < known; i++) {
        const function *of = &functions[i];
        if (count == 2) printf("%s{\"name\": \"%s\", \"side\": \"%c\", \"direction\": \"%c\"}%s\n", i ? ", " : "[", of->name,
                               of->side, of->direction, i + 1 < known ? "" : "]");
        if (count < 4 || strcmp(words[2], of->name)) continue;
        if (words[1][0] == 's') {
            special(of, count - 3, words + 3);
            break;
        }
        state = count > 4 ? strtoull(words[4], NULL, 10) : 0;
        if (words[1][1] == '3') sweep_f32(of, strtoull(words[3], NULL, 10), &t);
        else sweep_f64(of, strtoull(words[3], NULL, 10), &t);
        printf("{\"worst\": %.17g, \"at\": %.17g, \"inputs\": %" PRIu64 ", \"above\": %" PRIu64 ", \"astray\": %" PRIu64
               ", \"disordered\": %" PRIu64 ", \"beyond\": %" PRIu64 "}\n",
               t.worst, t.at, t.inputs, t.above, t.astray, t.disordered, t.beyond);
    }
    return 0;
}
