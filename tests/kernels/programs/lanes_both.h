/* One precision of lanes.c, which includes it twice. */
#define OPERATION(name, masks, value)                                                                  \
    static uint64_t EP_(each_##name)(void) {                                                           \
        EP_NUMBER x[BLOCK], y[BLOCK], z[BLOCK], out[BLOCK];                                            \
        uint64_t hash = EP_HASH_START;                                                                 \
        for (uint32_t first = 0; first < EP_PATTERNS; first += BLOCK) {                                \
            size_t n = EP_PATTERNS - first < BLOCK ? EP_PATTERNS - first : BLOCK, i = 0;               \
            EP_(patterns)(first, n, x, y, z);                                                          \
            for (; i + EP_WIDTH <= n; i += EP_WIDTH) {                                                 \
                EP_LANES a = EP_(load)(x + i), b = EP_(load)(y + i), c = EP_(load)(z + i);             \
                (void)a, (void)b, (void)c;                                                             \
                EP_(store)(out + i, value);                                                            \
            }                                                                                          \
            if (i < n) {                                                                               \
                EP_LANES a = EP_(load_some)(x + i, n - i), b = EP_(load_some)(y + i, n - i);           \
                EP_LANES c = EP_(load_some)(z + i, n - i);                                             \
                (void)a, (void)b, (void)c;                                                             \
                EP_(store_some)(out + i, value, n - i);                                                \
            }                                                                                          \
            for (i = 0; i < n; i++) {                                                                  \
                hash = masks ? HASH_BITS(hash, BITS(out[i])) : EP_(hash)(hash, out[i]);                \
            }                                                                                          \
        }                                                                                              \
        return hash;                                                                                   \
    }

/* c + sum of w_k a over k = 0 .. 15, one chain in the order of k. */
static EP_LANES EP_(chain)(EP_LANES a, EP_LANES c) {
    for (unsigned k = 0; k < 16; k++) {
        c = FUSED(EP_(set)(EP_(moderate)(ep_random64(TERM(k)))), a, c);
    }
    return c;
}

OPERATION(set, 0, EP_(set)(x[0]))
OPERATION(add, 0, a + b)
OPERATION(subtract, 0, a - b)
OPERATION(multiply, 0, a * b)
OPERATION(divide, 0, a / b)
OPERATION(fma, 0, FUSED(a, b, c))
OPERATION(sqrt, 0, EP_(sqrt)(a))
OPERATION(negate, 0, AS_REAL(AS_BITS(a) ^ SET_BITS(BITS(-(EP_NUMBER)0))))
OPERATION(less, 1, AS_REAL(EP_(less)(a, b)))
OPERATION(equal, 1, AS_REAL(EP_(equal)(a, b)))
OPERATION(pick, 0, EP_(pick)(EP_(less)(a, b), c, a))
OPERATION(chain, 0, EP_(chain)(a, c))

#define PRINT(name) ep_print_line(#name SUFFIX, EP_(each_##name)())
static void EP_(print_all)(void) {
    PRINT(set);
    PRINT(add);
    PRINT(subtract);
    PRINT(multiply);
    PRINT(divide);
    PRINT(fma);
    PRINT(sqrt);
    PRINT(negate);
    PRINT(less);
    PRINT(equal);
    PRINT(pick);
    PRINT(chain);
}

#undef PRINT
#undef OPERATION
