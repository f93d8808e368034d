/* The kernel with external linkage for both element types: test_<type>. */
#define EP_TYPE f32
#define EP_NAME mollified_f32
#include "mollified_derivative.h"
#undef EP_NAME
#undef EP_TYPE
#define EP_TYPE f64
#define EP_NAME mollified_f64
#include "mollified_derivative.h"
#undef EP_NAME
#undef EP_TYPE

size_t test_tile(void);
size_t test_tile(void) { return EP_VECTOR_BYTES ? EP_TILE : 0; }

#if EP_VECTOR_BYTES
#define TEST_LANES(name) mollified_##name##_lanes(f, x, taps_1, taps_2, taps_3, orders, combine, y, scratch);
#else
#define TEST_LANES(name)
#endif
#define TEST(name, number) \
    size_t test_scratch_##name(const ep_mollified *f, const int64_t *orders, const number *combine, int tile); \
    size_t test_scratch_##name(const ep_mollified *f, const int64_t *orders, const number *combine, int tile) { \
        ep_mollified_plan plan; \
        mollified_##name##_plan(f, orders, combine, &plan); \
        return ep_mollified_numbers(f, &plan, tile ? EP_TILE : 1); \
    } \
    void test_##name(int tile, const ep_mollified *f, const number *x, const number *taps_1, const number *taps_2, \
                     const number *taps_3, const int64_t *orders, const number *combine, number *y, number *scratch); \
    void test_##name(int tile, const ep_mollified *f, const number *x, const number *taps_1, const number *taps_2, \
                     const number *taps_3, const int64_t *orders, const number *combine, number *y, number *scratch) { \
        if (tile) { \
            TEST_LANES(name) \
        } else { \
            mollified_##name##_row(f, x, taps_1, taps_2, taps_3, orders, combine, y, scratch); \
        } \
    }
TEST(f32, float)
TEST(f64, double)
