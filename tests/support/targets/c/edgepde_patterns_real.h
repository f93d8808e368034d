/* One precision of edgepde_patterns.h, which includes it twice. */
#define REAL EP_PATTERN_REAL
#define BITS EP_PATTERN_BITS
#define NAME EP_PATTERN_NAME
#define HIDDEN ((BITS)1 << EP_PATTERN_FRACTION)
#define SIGN ((BITS)1 << (8 * sizeof(BITS) - 1))
#define ONE ((BITS)EP_PATTERN_BIAS << EP_PATTERN_FRACTION)
#define INFINITE (((BITS)2 * EP_PATTERN_BIAS + 1) << EP_PATTERN_FRACTION)

static inline REAL NAME(ep_pattern_of)(BITS bits) {
    REAL x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^exponent, within the normal numbers. */
static inline REAL NAME(ep_power_of_two)(int exponent) {
    return NAME(ep_pattern_of)((BITS)(EP_PATTERN_BIAS + exponent) << EP_PATTERN_FRACTION);
}

/* A number of magnitude 2^-8 .. 2^8. */
static inline REAL NAME(ep_moderate)(uint64_t random) {
    BITS exponent = (BITS)(EP_PATTERN_BIAS - 8 + (int)((random >> 56) & 15u)) << EP_PATTERN_FRACTION;
    BITS sign = (random >> 60) & 1u ? SIGN : 0;
    return NAME(ep_pattern_of)(sign | exponent | ((BITS)random & (HIDDEN - 1)));
}

static inline REAL NAME(ep_special)(unsigned i) {
    static const BITS specials[EP_SPECIALS] = {
        0, SIGN, 1, SIGN | 1, HIDDEN - 1, SIGN | HIDDEN, HIDDEN + 1, ONE, SIGN | ONE, ONE + 1, SIGN | (ONE - 1),
        ONE + HIDDEN + HIDDEN / 2, INFINITE - 1, INFINITE, SIGN | INFINITE, INFINITE | (HIDDEN / 2),
    };
    return NAME(ep_pattern_of)(specials[i % EP_SPECIALS]);
}

/* a b is a little less than half a unit in the last place of c, an odd number: rounding twice goes the wrong way. */
static inline void NAME(ep_near_halfway)(uint64_t random, REAL *a, REAL *b, REAL *c) {
    int half = (EP_PATTERN_FRACTION + 1) / 2;
    int j = half + 3 + (int)(random % (unsigned)(EP_PATTERN_FRACTION - half - 2));
    REAL one = NAME(ep_power_of_two)(0), step = NAME(ep_power_of_two)(-j);
    *a = (one + step) * NAME(ep_power_of_two)(-half);
    *b = (one - step) * NAME(ep_power_of_two)(half - EP_PATTERN_FRACTION - 1);
    if (random & 256u) {
        *b = -*b;
    }
    *c = NAME(ep_pattern_of)(ONE | 1u | ((BITS)(random >> 9) & (HIDDEN - 1)));
}

static inline void NAME(ep_pattern)(uint32_t i, REAL *a, REAL *b, REAL *c) {
    uint64_t r = ep_random64(3 * (uint64_t)i), s = ep_random64(3 * (uint64_t)i + 1), t = ep_random64(3 * (uint64_t)i + 2);
    *a = NAME(ep_moderate)(r);
    *b = NAME(ep_moderate)(s);
    if (i < EP_TRIPLES) {
        *a = NAME(ep_special)(i);
        *b = NAME(ep_special)(i / EP_SPECIALS);
        *c = NAME(ep_special)(i / EP_SPECIALS / EP_SPECIALS);
    } else if (i < EP_TRIPLES + EP_EACH) {
        *a = NAME(ep_pattern_of)((BITS)r);
        *b = NAME(ep_pattern_of)((BITS)s);
        *c = NAME(ep_pattern_of)((BITS)t);
    } else if (i < EP_TRIPLES + 2 * EP_EACH) {
        *c = -(*a * *b);
    } else {
        NAME(ep_near_halfway)(r, a, b, c);
    }
}

static inline void NAME(ep_patterns)(uint32_t first, size_t n, REAL *a, REAL *b, REAL *c) {
    for (size_t i = 0; i < n; i++) {
        NAME(ep_pattern)(first + (uint32_t)i, a + i, b + i, c + i);
    }
}

#undef REAL
#undef BITS
#undef NAME
#undef HIDDEN
#undef SIGN
#undef ONE
#undef INFINITE
#undef EP_PATTERN_REAL
#undef EP_PATTERN_BITS
#undef EP_PATTERN_NAME
#undef EP_PATTERN_FRACTION
#undef EP_PATTERN_BIAS
