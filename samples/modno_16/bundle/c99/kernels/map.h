/* SPDX-License-Identifier: Apache-2.0 */
/* A lane function over arrays of one element type; included once for each, with EP_NAME, EP_TYPE, EP_OP and EP_ARITY.
 *
 *   y[i] = EP_OP(a[i * as], ...),  i = 0 .. n-1, a stride is 1, or 0 for an operand that is one number
 */
#include "generic.h"

#ifndef EDGEPDE_MAP_H
#define EDGEPDE_MAP_H
#define EP_PUT(p, s, i) (s ? EP_(load)(p + i) : EP_(set)(*p))
#define EP_SOME(p, s, i) (s ? EP_(load_some)(p + i, n - i) : EP_(set)(*p))
#if EP_VECTOR_BYTES
#define EP_LAST(statement) if (i < n) statement
#else
#define EP_LAST(statement) (void)i
#endif
#endif

#if EP_ARITY == 1
#define EP_OPERANDS const EP_NUMBER *a, size_t as
#define EP_APPLY(get, i) EP_OP(get(a, as, i))
#elif EP_ARITY == 2
#define EP_OPERANDS const EP_NUMBER *a, size_t as, const EP_NUMBER *b, size_t bs
#define EP_APPLY(get, i) EP_OP(get(a, as, i), get(b, bs, i))
#elif EP_ARITY == 3
#define EP_OPERANDS const EP_NUMBER *a, size_t as, const EP_NUMBER *b, size_t bs, const EP_NUMBER *c, size_t cs
#define EP_APPLY(get, i) EP_OP(get(a, as, i), get(b, bs, i), get(c, cs, i))
#else
#define EP_OPERANDS                                                                                                    \
    const EP_NUMBER *a, size_t as, const EP_NUMBER *b, size_t bs, const EP_NUMBER *c, size_t cs, const EP_NUMBER *d,   \
        size_t ds
#define EP_APPLY(get, i) EP_OP(get(a, as, i), get(b, bs, i), get(c, cs, i), get(d, ds, i))
#endif

EP_INLINE void EP_NAME(size_t n, EP_OPERANDS, EP_NUMBER *y) {
    size_t i = 0;
    for (; i + EP_WIDTH <= n; i += EP_WIDTH) EP_(store)(y + i, EP_APPLY(EP_PUT, i));
    EP_LAST(EP_(store_some)(y + i, EP_APPLY(EP_SOME, i), n - i));
}

#undef EP_OPERANDS
#undef EP_APPLY
