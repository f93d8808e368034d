/* clang puts floats on the vector unit of 32-bit ARM, which takes denormals for zero; from here to with_neon.h it may not. */
#if defined(__clang__) && defined(__arm__) && defined(__ARM_NEON)
#ifndef EDGEPDE_WITHOUT_NEON
#define EDGEPDE_WITHOUT_NEON
#endif
#pragma clang attribute push(__attribute__((target("no-neon"))), apply_to = function)
#endif
