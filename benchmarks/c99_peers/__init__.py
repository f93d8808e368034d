"""The peers of the C99 target in an environment of their own, and one interleaved contest."""
