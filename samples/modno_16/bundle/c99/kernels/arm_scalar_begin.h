/* SPDX-License-Identifier: Apache-2.0 */
/* The vector units of 32-bit ARM take denormals for zero, and compilers use them unasked: clang NEON, gcc and clang Helium.
 * From here to arm_scalar_end.h they may not. */
#if defined(__arm__) && defined(__clang__) && defined(__ARM_NEON)
#pragma clang attribute push(__attribute__((target("no-neon"))), apply_to = function)
#elif defined(__arm__) && defined(__clang__) && defined(__ARM_FEATURE_MVE)
#pragma clang attribute push(__attribute__((target("no-mve"))), apply_to = function)
#elif defined(__ARM_FEATURE_MVE)
#pragma GCC push_options
#pragma GCC optimize("no-tree-vectorize", "no-tree-slp-vectorize")
#endif
#if defined(__arm__) && !defined(EDGEPDE_ARM_SCALAR)
#define EDGEPDE_ARM_SCALAR
#endif
