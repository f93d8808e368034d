"""The parts of benchmarks/hmatrix.py: every module here with rows(quick, ...) is one."""
