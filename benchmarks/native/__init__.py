"""What the benchmarks of C code share: building per instruction set, a clock in C, one core."""
