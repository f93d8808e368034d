/* The functions in double, by the vector mathematics of the C library: off by a few units of 2^-53, which is nothing
 * beside a float. Compiled with -ffast-math, and alone so. */
#include "functions.h"

#include <math.h>

#define REFERENCE(name, value) \
    void name##_reference(const double *from, double *y, size_t n) { \
        for (size_t i = 0; i < n; i++) { \
            double x = from[i]; \
            y[i] = value; \
        } \
    }

REFERENCE(tanh, tanh(x))
REFERENCE(sigmoid, 1 / (1 + exp(-x)))
REFERENCE(exp, exp(x))
REFERENCE(log, log(x))
REFERENCE(sin, sin(x))
REFERENCE(cos, cos(x))
REFERENCE(sqrt, sqrt(x))
REFERENCE(softplus, fmax(x, 0) + log1p(exp(-fabs(x))))
REFERENCE(erf, erf(x))
REFERENCE(gelu, 0.5 * x * erfc(-0.70710678118654752440 * x))
REFERENCE(gelu_tanh, x / (1 + exp(-1.5957691216057307117598 * x * (1 + 0.044715 * x * x))))
REFERENCE(sinh, sinh(x))
REFERENCE(cosh, cosh(x))
