/* One precision of stored.c, which includes it twice. */
#define EP_ACT EP_(same)
#define EP_ACTS 0
#define EP_NAME EP_(half)
#define EP_STORED 16
#include "dense.h"
#undef EP_NAME
#undef EP_STORED
#define EP_NAME EP_(byte)
#define EP_STORED 8
#include "dense.h"
#undef EP_NAME
#undef EP_STORED
#define EP_NAME EP_(plain)
#include "dense.h"
#undef EP_NAME
#undef EP_ACT
#undef EP_ACTS

/* What a half stands for, from its definition: powers of two and whole numbers are exact. */
static EP_NUMBER EP_(number_of_half)(uint16_t half) {
    const int power = half >> 10 & 31, fraction = half & 1023;
    EP_NUMBER y = (EP_NUMBER)(power ? 1024 + fraction : fraction);
    for (int i = power ? power : 1; i < 25; i++) y = y / 2;
    for (int i = 25; i < power; i++) y = y * 2;
    return half >> 15 ? -y : y;
}

static uint64_t EP_(hash_lanes)(uint64_t hash, EP_LANES lanes) {
    EP_NUMBER each[EP_WIDTH];
    EP_(store)(each, lanes);
    for (size_t i = 0; i < EP_WIDTH; i++) hash = EP_(hash)(hash, each[i]);
    return hash;
}

static uint64_t EP_(every_half)(void) {
    uint64_t hash = EP_HASH_START;
    for (uint32_t first = 0; first < HALVES; first += EP_WIDTH) {
        BITS each[EP_WIDTH];
        LANE_BITS bits;
        for (uint32_t i = 0; i < EP_WIDTH; i++) each[i] = first + i;
        __builtin_memcpy(&bits, each, sizeof bits);
        hash = EP_(hash_lanes)(hash, EP_(of_half)(bits));
    }
    return hash;
}

static uint64_t EP_(loaded_halves)(void) {
    uint64_t hash = EP_HASH_START;
    for (uint32_t first = 0; first < HALVES; first += EP_WIDTH) {
        uint16_t each[EP_WIDTH];
        for (uint32_t i = 0; i < EP_WIDTH; i++) each[i] = (uint16_t)(first + i);
        hash = EP_(hash_lanes)(hash, EP_(load_half)(each));
    }
    return hash;
}

static uint64_t EP_(loaded_bytes)(void) {
    uint64_t hash = EP_HASH_START;
    for (int first = -128; first < 128; first += (int)EP_WIDTH) {
        int8_t each[EP_WIDTH];
        for (int i = 0; i < (int)EP_WIDTH; i++) each[i] = (int8_t)(first + i);
        hash = EP_(hash_lanes)(hash, EP_(load_byte)(each));
    }
    return hash;
}

/* Hashes of TILE rows through a layer one by one, and side by side where there are lanes. */
#if EP_VECTOR_BYTES
#define TOGETHER(layer, ...) EP_JOIN(EP_(layer), _lanes)(TERMS, OUTPUTS, EP_(wide), __VA_ARGS__, EP_(bias), EP_(side))
#else
#define TOGETHER(layer, ...) memcpy(EP_(side), EP_(turned), sizeof EP_(side))
#endif
#define LAYER(name, layer, ...)                                                                                 \
    static uint64_t EP_(name)(void) {                                                                           \
        uint64_t hash = EP_HASH_START;                                                                          \
        for (size_t l = 0; l < EP_TILE; l++) {                                                                  \
            EP_NUMBER y[OUTPUTS];                                                                               \
            EP_JOIN(EP_(layer), _row)(TERMS, OUTPUTS, EP_(rows) + l * TERMS, __VA_ARGS__, EP_(bias), y);        \
            for (size_t o = 0; o < OUTPUTS; o++) EP_(turned)[o * EP_TILE + l] = y[o];                           \
        }                                                                                                       \
        TOGETHER(layer, __VA_ARGS__);                                                                           \
        for (size_t i = 0; i < OUTPUTS * EP_TILE; i++)                                                          \
            hash = EP_(hash)(EP_(hash)(hash, EP_(turned)[i]), EP_(side)[i]);                                    \
        return hash;                                                                                            \
    }

static EP_NUMBER EP_(rows)[EP_TILE * TERMS], EP_(wide)[EP_TILE * TERMS], EP_(bias)[OUTPUTS + 15];
static EP_NUMBER EP_(scale)[OUTPUTS + 15], EP_(meant)[PADDED];
static EP_NUMBER EP_(turned)[OUTPUTS * EP_TILE], EP_(side)[OUTPUTS * EP_TILE];

LAYER(layer_half, half, halves, OUTPUTS)
LAYER(layer_byte, byte, bytes, OUTPUTS, EP_(scale))
LAYER(layer_plain, plain, EP_(meant), OUTPUTS)

static void EP_(prepare)(void) {
    for (size_t l = 0; l < EP_TILE; l++)
        for (size_t k = 0; k < TERMS; k++)
            EP_(wide)[k * EP_TILE + l] = EP_(rows)[l * TERMS + k] = EP_(moderate)(ep_random64(l * TERMS + k));
    for (size_t o = 0; o < OUTPUTS; o++) EP_(bias)[o] = EP_(moderate)(ep_random64(10000 + o));
    for (size_t o = 0; o < OUTPUTS; o++) EP_(scale)[o] = EP_(moderate)(ep_random64(20000 + o));
}

static uint64_t EP_(layer_plain_half)(void) {
    for (size_t i = 0; i < TERMS * OUTPUTS; i++) EP_(meant)[i] = EP_(number_of_half)(halves[i]);
    return EP_(layer_plain)();
}

static uint64_t EP_(layer_plain_byte)(void) {
    for (size_t i = 0; i < TERMS * OUTPUTS; i++) EP_(meant)[i] = (EP_NUMBER)bytes[i] * EP_(scale)[i % OUTPUTS];
    return EP_(layer_plain)();
}

static void EP_(print_all)(void) {
    EP_(prepare)();
    PRINT("of_half", EP_(every_half)());
    PRINT("load_half", EP_(loaded_halves)());
    PRINT("load_byte", EP_(loaded_bytes)());
    PRINT("dense_half", EP_(layer_half)());
    PRINT("plain_half", EP_(layer_plain_half)());
    PRINT("dense_byte", EP_(layer_byte)());
    PRINT("plain_byte", EP_(layer_plain_byte)());
}

#undef LAYER
#undef TOGETHER
