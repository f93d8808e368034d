"""The family factorconv: convolutional simulators whose kernels are products of 1-way filters before training."""
