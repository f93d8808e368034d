"""Inverse problems without a network: a coefficient lambda(y, x) from noisy readings on a grid."""
