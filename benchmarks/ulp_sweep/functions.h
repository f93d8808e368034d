/* What is swept: X(kernel, side, direction).
 * side: 'o'dd, 'e'ven, 'p'ositive x only (NaN below 0), ' ' neither; direction: 'u'p, 'd'own, ' ' not monotone.
 */
#ifndef ULP_SWEEP_FUNCTIONS_H
#define ULP_SWEEP_FUNCTIONS_H

#include <stddef.h>

#define FUNCTIONS(X) \
    X(tanh, 'o', 'u') \
    X(sigmoid, ' ', ' ') \
    X(exp, ' ', 'u') \
    X(log, 'p', 'u') \
    X(sin, 'o', ' ') \
    X(cos, 'e', ' ') \
    X(sqrt, 'p', 'u') \
    X(softplus, ' ', ' ') \
    X(erf, 'o', 'u') \
    X(gelu, ' ', ' ') \
    X(gelu_tanh, ' ', ' ') \
    X(sinh, 'o', 'u') \
    X(cosh, 'e', ' ')

#define DECLARE_REFERENCE(name, side, direction) \
    void name##_reference(const double *x, double *y, size_t n); \
    long double name##_exact(long double x);
FUNCTIONS(DECLARE_REFERENCE)

#endif
