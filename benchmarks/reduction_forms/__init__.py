"""Kernels of one layer and of one network, written once for every form of the reduction."""
