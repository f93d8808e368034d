/* Every operation of lanes.h on special and random patterns, one hash each.
 *
 * EDGEPDE_SWAP, EDGEPDE_UNFUSED and EDGEPDE_ROUNDED_TWICE make mistakes on purpose.
 */
#include "edgepde_hash.h"
#include "edgepde_patterns.h"
#include "edgepde_print.h"
#include "generic.h"

#define BLOCK 48
#ifdef EDGEPDE_SWAP
#define TERM(k) ((k) == 3 ? 4u : (k) == 4 ? 3u : (k))
#else
#define TERM(k) (k)
#endif

#if defined(EDGEPDE_UNFUSED)
#define FUSED(a, b, c) ((a) * (b) + (c))
#elif defined(EDGEPDE_ROUNDED_TWICE)
#define FUSED(a, b, c) ((EP_NUMBER)((double)(a) * (double)(b) + (double)(c)))
#else
#define FUSED(a, b, c) EP_(fma)(a, b, c)
#endif

#define EP_TYPE f32
#define SUFFIX "_f32"
#define BITS ep_bits_f32
#define HASH_BITS ep_hash_u32
#define AS_BITS EP_AS_U32
#define AS_REAL EP_AS_F32
#define SET_BITS ep_set_u32
#include "lanes_both.h"
#undef EP_TYPE
#undef SUFFIX
#undef BITS
#undef HASH_BITS
#undef AS_BITS
#undef AS_REAL
#undef SET_BITS

#define EP_TYPE f64
#define SUFFIX "_f64"
#define BITS ep_bits_f64
#define HASH_BITS ep_hash_u64
#define AS_BITS EP_AS_U64
#define AS_REAL EP_AS_F64
#define SET_BITS ep_set_u64
#include "lanes_both.h"

int main(void) {
    ep_print_all_f32();
    ep_print_all_f64();
    return 0;
}
