/* SPDX-License-Identifier: Apache-2.0 */
/* The end of what arm_scalar_begin.h began. */
#if defined(__arm__) && defined(__clang__) && (defined(__ARM_NEON) || defined(__ARM_FEATURE_MVE))
#pragma clang attribute pop
#elif defined(__ARM_FEATURE_MVE)
#pragma GCC pop_options
#endif
