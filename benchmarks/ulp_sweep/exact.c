/* The functions in long double, by the C library: judges the double kernels, and the reference of the float ones. */
#include "functions.h"

#include <math.h>

long double tanh_exact(long double x) { return tanhl(x); }
long double sigmoid_exact(long double x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
long double exp_exact(long double x) { return expl(x); }
long double log_exact(long double x) { return logl(x); }
long double sin_exact(long double x) { return sinl(x); }
long double cos_exact(long double x) { return cosl(x); }
long double sqrt_exact(long double x) { return sqrtl(x); }
long double softplus_exact(long double x) { return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))); }
long double erf_exact(long double x) { return erfl(x); }
long double sinh_exact(long double x) { return sinhl(x); }
long double cosh_exact(long double x) { return coshl(x); }

/* x erfc(y) / 2 at y = -x / sqrt(2) in two parts: by the value at the first and the slope there */
long double gelu_exact(long double x) {
    const long double root = 0x1.6a09e667f3bcc908p-1L, root_low = 0x1.65f626cdd52afa7cp-66L;
    const long double slope = 1.12837916709551257389615890312154517L;
    long double y = -x * root, low = fmal(-x, root, -y) - x * root_low;
    return 0.5L * x * (erfcl(y) - slope * expl(-y * y) * low);
}

/* x / (1 + exp(-u)), u = x (a + b x^2) in two parts */
long double gelu_tanh_exact(long double x) {
    const long double a = 0x1.9884533d436508d0p+0L, a_low = 0x1.f9678a017571c5fep-65L;
    const long double b = 0x1.2444f2a4d8b4af4ap-4L, b_low = -0x1.087453a38e0f2cd2p-70L;
    long double square = x * x, square_low = fmal(x, x, -square), product = b * square;
    long double low = fmal(b, square, -product) + b * square_low + b_low * square + a_low;
    long double sum = a + product, back = sum - a, u;
    low += (a - (sum - back)) + (product - back);
    u = x * sum;
    low = fmal(x, sum, -u) + x * low;
    return x / (1 + expl(-u) * (1 - low));
}
