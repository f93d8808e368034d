/* Every half and every byte as numbers, and layers of double with weights stored so: one hash each.
 *
 * Lines "plain" are the same layers with what the weights mean, and have the hashes of "dense".
 */
#include "edgepde_hash.h"
#include "edgepde_patterns.h"
#include "edgepde_print.h"
#include "generic.h"
#include "stored.h"

#define HALVES 65536
#define TERMS 35
#define OUTPUTS 21
#define PADDED (TERMS * OUTPUTS + 15)

static uint16_t halves[PADDED];
static int8_t bytes[PADDED];

#define EP_TYPE f32
#define BITS uint32_t
#define LANE_BITS ep_u32
#define PRINT(name, hash) ep_print_line(name "_f32", hash)
#include "stored_both.h"
#undef EP_TYPE
#undef BITS
#undef LANE_BITS
#undef PRINT

#define EP_TYPE f64
#define BITS uint64_t
#define LANE_BITS ep_u64
#define PRINT(name, hash) ep_print_line(name "_f64", hash)
#include "stored_both.h"

int main(void) {
    for (uint32_t i = 0; i < PADDED; i++) {
        halves[i] = (uint16_t)(ep_random64(i) & 0xbbffu); /* below 1, some below 2^-14 */
        bytes[i] = (int8_t)((int)(ep_random64(PADDED + i) % 255u) - 127);
    }
    ep_print_all_f32();
    ep_print_all_f64();
    return 0;
}
