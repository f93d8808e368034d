"""Trained in the format from scratch, at equal storage: blocks against low rank, small dense nets, and compressing."""

from __future__ import annotations

from _harness import Row

from hmatrix_parts import _learned_field, _learned_operator


def rows(quick: bool, seed: int = 0) -> list[Row]:
    """A field of Burgers by a wide tanh net; two solution operators from pairs of right-hand sides and solutions."""
    return [*_learned_operator.rows(quick, seed), *_learned_field.rows(quick, seed)]
