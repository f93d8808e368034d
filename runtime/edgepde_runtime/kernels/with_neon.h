/* The end of what without_neon.h began. */
#if defined(__clang__) && defined(__arm__) && defined(__ARM_NEON)
#pragma clang attribute pop
#endif
