/* The kernel with external linkage, for every element type and kind of basis: test_<type>[_half]. */
#define EP_TYPE f32
#define EP_NAME readout_f32
#include "basis_readout.h"
#undef EP_NAME
#define EP_STORED 16
#define EP_NAME readout_f32_half
#include "basis_readout.h"
#undef EP_NAME
#undef EP_STORED
#undef EP_TYPE
#define EP_TYPE f64
#define EP_NAME readout_f64
#include "basis_readout.h"
#undef EP_NAME
#define EP_STORED 16
#define EP_NAME readout_f64_half
#include "basis_readout.h"
#undef EP_NAME
#undef EP_STORED
#undef EP_TYPE

size_t test_tile(void);
size_t test_tile(void) { return EP_VECTOR_BYTES ? EP_TILE : 0; }

#if EP_VECTOR_BYTES
#define TEST_LANES(name) readout_##name##_lanes(K, N, x, w, scale, s, y);
#else
#define TEST_LANES(name)
#endif
/* how: 0 all rows at once, 1 row by row, 2 a tile of turned rows. */
#define TEST(name, number, weight) \
    void test_##name(int how, size_t B, size_t K, size_t N, const number *x, const weight *w, const number *scale, \
                     size_t s, number *y); \
    void test_##name(int how, size_t B, size_t K, size_t N, const number *x, const weight *w, const number *scale, \
                     size_t s, number *y) { \
        if (how == 2) { \
            TEST_LANES(name) \
        } else if (how == 1) { \
            for (size_t b = 0; b < B; b++) readout_##name##_row(K, N, x + b * K, w, scale, s, y + b * N); \
        } else { \
            readout_##name##_rows(B, K, N, x, w, scale, s, y); \
        } \
    }
TEST(f32, float, float)
TEST(f32_half, float, uint16_t)
TEST(f64, double, double)
TEST(f64_half, double, uint16_t)
