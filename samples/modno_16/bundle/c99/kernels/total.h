/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of numbers that run on: chunks of 16 terms from zero, added in order from zero; four chunks side by side.
 *
 *   ep_total    sum_j x[j]
 *   ep_squares  sum_j (x[j] - shift)^2, every square in a fused multiply-add
 */
#ifndef EDGEPDE_TOTAL_H
#define EDGEPDE_TOTAL_H

#include "generic.h"

#define EP_SIDE 4

#define EP_CHAINS(NAME, NUMBER, PARAMETERS, TERM)                                                                      \
    static inline NUMBER NAME PARAMETERS {                                                                             \
        NUMBER sum = 0;                                                                                                \
        size_t j = 0;                                                                                                  \
        for (; n - j >= EP_SIDE * EP_CHUNK; j += EP_SIDE * EP_CHUNK) {                                                 \
            NUMBER a[EP_SIDE] = {0};                                                                                   \
            for (size_t k = 0; k < EP_CHUNK; k++)                                                                      \
                for (size_t c = 0; c < EP_SIDE; c++) a[c] = TERM(x[j + c * EP_CHUNK + k], a[c]);                       \
            for (size_t c = 0; c < EP_SIDE; c++) sum = sum + a[c];                                                     \
        }                                                                                                              \
        while (j < n) {                                                                                                \
            const size_t to = n - j < EP_CHUNK ? n : j + EP_CHUNK;                                                     \
            NUMBER a = 0;                                                                                              \
            for (; j < to; j++) a = TERM(x[j], a);                                                                     \
            sum = sum + a;                                                                                             \
        }                                                                                                              \
        return sum;                                                                                                    \
    }

#define EP_PLAIN(term, a) ((a) + (term))
#define EP_SQUARE_f32(term, a) ep_fma1_f32((term) - shift, (term) - shift, a)
#define EP_SQUARE_f64(term, a) ep_fma1_f64((term) - shift, (term) - shift, a)

EP_CHAINS(ep_total_f32, float, (size_t n, const float *x), EP_PLAIN)
EP_CHAINS(ep_total_f64, double, (size_t n, const double *x), EP_PLAIN)
EP_CHAINS(ep_squares_f32, float, (size_t n, const float *x, float shift), EP_SQUARE_f32)
EP_CHAINS(ep_squares_f64, double, (size_t n, const double *x, double shift), EP_SQUARE_f64)

#endif
