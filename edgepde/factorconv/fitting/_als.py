"""Alternating least squares for canonical sums, many tensors at once, with terms kept from cancelling."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

STARTS = 3
LARGE = 1 << 24  # entries times rank, from which one start is all
SWEEPS = 25  # at each level of the weight
LEVELS = (1e-6, 1e-9)  # weights of sum |factors|^2, of tensors of norm 1; large ones end in 0
HEAVY = ((1e-4,), (1e-3,), (1e-2,), (10.0,))  # for tensors whose terms cancel at all of these; the last ends in 0
CANCELLING = 10.0  # sqrt(sum_r |K_r|^2) / |K| above this is not taken
SETTLED = 1e-9


class Target(ABC):
    """Tensors [N, n_1, .., n_m] to be approached."""

    sizes: tuple[int, ...]
    squares: Tensor
    entries: int  # that one term is compared with

    @abstractmethod
    def against(self, mode: int, others: Sequence[Tensor]) -> Tensor:
        """[N, n_mode, R]: the tensors multiplied by factors [N, n_a, R] of all other modes."""


@final
class Dense(Target):
    """Tensors by their entries."""

    def __init__(self, tensors: Tensor) -> None:
        self.tensors, self.sizes = tensors, tuple(tensors.shape[1:])
        self.squares, self.entries = tensors.flatten(1).square().sum(dim=1), tensors.numel()

    def against(self, mode: int, others: Sequence[Tensor]) -> Tensor:
        """The longest of the other modes first."""
        letters = [chr(ord("a") + m) for m in range(len(self.sizes))]
        rest = sorted((m for m in range(len(self.sizes)) if m != mode), key=lambda m: -self.sizes[m])
        held, made = letters, self.tensors
        for at, m in enumerate(rest):
            left = [letter for letter in held if letter != letters[m]]
            rank = "" if at == 0 else "r"
            made = torch.einsum(f"n{''.join(held)}{rank},n{letters[m]}r->n{''.join(left)}r", made, others[m])
            held = left
        return made if rest else made.unsqueeze(-1)


@final
class Sums(Target):
    """Tensors that are canonical sums themselves: factors [N, n_a, R'] of each mode."""

    def __init__(self, factors: Sequence[Tensor]) -> None:
        self.factors, self.sizes = list(factors), tuple(f.shape[1] for f in factors)
        self.squares = _products(self.factors, self.factors).sum(dim=(1, 2))
        self.entries = sum(f.numel() for f in self.factors)

    def against(self, mode: int, others: Sequence[Tensor]) -> Tensor:
        """By inner products of the factors of all other modes."""
        rest = [m for m in range(len(self.sizes)) if m != mode]
        cross = _products([self.factors[m] for m in rest], [others[m] for m in rest])
        return self.factors[mode] @ cross


def best(target: Target, rank: int, seed: int, starts: Sequence[Sequence[Tensor]] = ()) -> list[Tensor]:
    """Factors [N, n_a, R] of the sums nearest to the targets, of several starts, whose terms do not cancel.

    Every start goes through smaller and smaller weights of sum |factors|^2; the nearest of all that came by and has
    sqrt(sum_r |K_r|^2) <= 10 |K| is taken, for each of the N tensors by itself. The same seed gives the same factors.
    """
    modes = len(target.sizes)
    scale = target.squares.sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    draw = torch.Generator().manual_seed(seed)
    random = STARTS if target.entries * rank <= LARGE else 1
    unit = scale[:, None, None] ** (1.0 / modes)
    found = [torch.zeros(len(scale), n, rank, dtype=torch.float64) for n in target.sizes]
    least = torch.full_like(scale, math.inf)
    plans: list[tuple[list[Tensor], tuple[float, ...]]] = (
        [(list(start), LEVELS) for start in starts] + [([], LEVELS)] * random + [([], heavy) for heavy in HEAVY]
    )
    for start, levels in plans:
        if levels is not LEVELS and bool(least.isfinite().all()):
            break
        factors = [f.clone() for f in start] or [
            torch.randn(f.shape, generator=draw, dtype=torch.float64) * unit for f in found
        ]
        for weight in levels:
            errors = _settled(target, factors, weight, scale)
            better = errors < least
            found = [torch.where(better[:, None, None], f, kept) for f, kept in zip(factors, found, strict=True)]
            least = torch.where(better, errors, least)
    return found


def _settled(target: Target, factors: list[Tensor], weight: float, scale: Tensor) -> Tensor:
    """Improve factors in place at one weight; relative squared errors [N], infinite where terms cancel."""
    modes = len(factors)
    weights = weight * scale ** (2.0 - 2.0 / modes)
    eye = torch.eye(factors[0].shape[2], dtype=torch.float64)
    before = torch.full_like(scale, math.inf)
    errors = before
    for _ in range(SWEEPS):
        for mode in range(modes):
            seen = target.against(mode, factors)
            rest = [f for m, f in enumerate(factors) if m != mode]
            gram = _products(rest, rest) + weights[:, None, None] * eye
            factors[mode] = torch.linalg.solve(gram, seen.mT).mT
        grams = _products(factors, factors)
        squares = grams.sum(dim=(1, 2))
        errors = ((target.squares - 2 * (seen * factors[-1]).sum(dim=(1, 2)) + squares) / scale**2).clamp_min(0.0)
        if bool((before - errors <= SETTLED * (1 + errors)).all()):
            break
        before = errors
    terms = grams.diagonal(dim1=1, dim2=2).sum(dim=1)
    return torch.where(terms > CANCELLING**2 * squares, math.inf, errors)


def _products(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    """[N, R, R']: products over all modes of the inner products of columns."""
    made = left[0].mT @ right[0]
    for a, b in zip(left[1:], right[1:], strict=True):
        made = made * (a.mT @ b)
    return made
