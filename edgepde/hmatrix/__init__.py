"""Hierarchical matrices: layers as dense and low-rank blocks, each with its true error."""
