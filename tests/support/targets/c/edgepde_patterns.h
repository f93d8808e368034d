/* Inputs for identity tests: every triple of special values, random bits, cancellations, near-halfway sums.
 *
 * ep_patterns_f32(first, n, a, b, c) writes triples number first .. first + n - 1; the same on every target.
 */
#ifndef EDGEPDE_PATTERNS_H
#define EDGEPDE_PATTERNS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EP_SPECIALS 16
#define EP_TRIPLES (EP_SPECIALS * EP_SPECIALS * EP_SPECIALS)
#define EP_EACH 2048
#define EP_PATTERNS (EP_TRIPLES + 3 * EP_EACH + 3) /* no multiple of a vector's width */

/* splitmix64 of a counter. */
static inline uint64_t ep_random64(uint64_t counter) {
    uint64_t z = (counter + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#define EP_PATTERN_REAL float
#define EP_PATTERN_BITS uint32_t
#define EP_PATTERN_NAME(name) name##_f32
#define EP_PATTERN_FRACTION 23
#define EP_PATTERN_BIAS 127
#include "edgepde_patterns_real.h"

#define EP_PATTERN_REAL double
#define EP_PATTERN_BITS uint64_t
#define EP_PATTERN_NAME(name) name##_f64
#define EP_PATTERN_FRACTION 52
#define EP_PATTERN_BIAS 1023
#include "edgepde_patterns_real.h"

#endif
