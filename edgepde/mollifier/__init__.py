"""Derivatives, residuals and inverse parameters by kernels of few taps, without automatic differentiation."""
