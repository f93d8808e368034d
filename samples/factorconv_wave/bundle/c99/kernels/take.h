/* SPDX-License-Identifier: Apache-2.0 */
/* Elements by computed indices: y[o, j, i, l] = data[o, index[j, l], i, l].
 *
 * data [outer, size, inner], one for all lanes or one per lane (`wide`); index [picks], likewise (`spread`). An index from
 * the end is negative; one outside gives NaN, or 0 for integers, and never reads outside.
 */
#ifndef EDGEPDE_TAKE_H
#define EDGEPDE_TAKE_H

#include "arithmetic.h"

#define EP_TAKE(NAME, NUMBER, INDEX, NOTHING)                                                                          \
    static inline void NAME(size_t L, size_t outer, size_t size, size_t picks, size_t inner, const NUMBER *data,       \
                            const INDEX *index, int wide, int spread, NUMBER *y) {                                     \
        const size_t lanes = wide ? L : 1;                                                                             \
        for (size_t o = 0; o < outer; o++)                                                                             \
            for (size_t j = 0; j < picks; j++)                                                                         \
                for (size_t l = 0; l < L; l++) {                                                                       \
                    const INDEX given = index[spread ? j * L + l : j];                                                 \
                    const INDEX from = given < 0 ? (INDEX)(given + (INDEX)size) : given;                               \
                    const int inside = from >= 0 && (size_t)from < size;                                               \
                    const NUMBER *p = data + ((o * size + (inside ? (size_t)from : 0)) * inner) * lanes;               \
                    NUMBER *q = y + (o * picks + j) * inner * L + l;                                                   \
                    for (size_t i = 0; i < inner; i++) q[i * L] = inside ? p[i * lanes + (wide ? l : 0)] : NOTHING;    \
                }                                                                                                      \
    }

EP_TAKE(ep_take_f32_i64, float, int64_t, ep_from_bits_f32(0x7fc00000u))
EP_TAKE(ep_take_f32_i32, float, int32_t, ep_from_bits_f32(0x7fc00000u))
EP_TAKE(ep_take_f64_i64, double, int64_t, ep_from_bits_f64(0x7ff8000000000000u))
EP_TAKE(ep_take_f64_i32, double, int32_t, ep_from_bits_f64(0x7ff8000000000000u))
EP_TAKE(ep_take_i64_i64, int64_t, int64_t, 0)
EP_TAKE(ep_take_i64_i32, int64_t, int32_t, 0)
EP_TAKE(ep_take_i32_i64, int32_t, int64_t, 0)
EP_TAKE(ep_take_i32_i32, int32_t, int32_t, 0)

#endif
