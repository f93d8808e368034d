"""Convolution with kernels that are sums of products of 1-way filters."""

from .schema import OP

__all__ = ["OP"]
