"""One module per family: rows(quick, seed, gpu) -> rows of the family's training on one CPU core and on the GPU."""
