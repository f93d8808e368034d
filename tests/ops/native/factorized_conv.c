/* The kernel with external linkage, for every element type and kind of factors: test_<type>[_half]. */
#define EP_TYPE f32
#define EP_NAME conv_f32
#include "factorized_conv.h"
#undef EP_NAME
#define EP_STORED 16
#define EP_NAME conv_f32_half
#include "factorized_conv.h"
#undef EP_NAME
#undef EP_STORED
#undef EP_TYPE
#define EP_TYPE f64
#define EP_NAME conv_f64
#include "factorized_conv.h"
#undef EP_NAME
#define EP_STORED 16
#define EP_NAME conv_f64_half
#include "factorized_conv.h"
#undef EP_NAME
#undef EP_STORED
#undef EP_TYPE

size_t test_scratch(const ep_factorized *f, int tile, int stored);
size_t test_tile(void);

size_t test_scratch(const ep_factorized *f, int tile, int stored) {
    return ep_factorized_scratch(f, tile ? EP_TILE : 1, stored);
}
size_t test_tile(void) { return EP_VECTOR_BYTES ? EP_TILE : 0; }

#if EP_VECTOR_BYTES
#define TEST_LANES(name) conv_##name##_lanes(f, x, read, filters, write, bias, y, scratch);
#else
#define TEST_LANES(name)
#endif
#define TEST(name, number, weight) \
    void test_##name(int tile, const ep_factorized *f, const number *x, const weight *read, const weight *filters, \
                     const weight *write, const number *bias, number *y, number *scratch); \
    void test_##name(int tile, const ep_factorized *f, const number *x, const weight *read, const weight *filters, \
                     const weight *write, const number *bias, number *y, number *scratch) { \
        if (tile) { \
            TEST_LANES(name) \
        } else { \
            conv_##name##_row(f, x, read, filters, write, bias, y, scratch); \
        } \
    }
TEST(f32, float, float)
TEST(f32_half, float, uint16_t)
TEST(f64, double, double)
TEST(f64_half, double, uint16_t)
