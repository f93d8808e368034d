"""Quadratic polynomials in the coordinates s of boxes, s in [-1, 1]^d: coefficients [B, M, n], M = (d+1)(d+2)/2.

The order of the coefficients is 1, s_1 .. s_d, then s_i s_j for i <= j with j running fastest.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

FEW = 6


def quadratic_pairs(d: int) -> list[tuple[int, int]]:
    """The pairs (i, j), i <= j, in the order of the quadratic coefficients."""
    return [(i, j) for i in range(d) for j in range(i, d)]


def dimension(poly: Tensor) -> int:
    """d of coefficients [B, M, n]."""
    m, d = poly.shape[1], 0
    while (d + 1) * (d + 2) // 2 < m:
        d += 1
    return d


def identity(centre: Tensor, radius: Tensor) -> Tensor:
    """x_i = centre_i + radius_i s_i for boxes [B, d]: coefficients [B, M, d], exact."""
    b, d = centre.shape
    poly = centre.new_zeros(b, (d + 1) * (d + 2) // 2, d)
    poly[:, 0] = centre
    for i in range(d):
        poly[:, 1 + i, i] = radius[:, i]
    return poly


def outer(left: Tensor, right: Tensor) -> Tensor:
    """The quadratic coefficients [B, P, n] of the product of two linear forms [B, d, n]."""
    d = left.shape[1]
    made = left.new_empty(left.shape[0], d * (d + 1) // 2, left.shape[2])
    for p, (i, j) in enumerate(quadratic_pairs(d)):
        torch.mul(left[:, i], right[:, j], out=made[:, p])
        if i != j:
            made[:, p].addcmul_(left[:, j], right[:, i])
    return made


def square(form: Tensor) -> Tensor:
    """The quadratic coefficients [B, P, n] of the square of a linear form [B, d, n]."""
    d = form.shape[1]
    made = form.new_empty(form.shape[0], d * (d + 1) // 2, form.shape[2])
    doubled = form * 2.0
    for p, (i, j) in enumerate(quadratic_pairs(d)):
        torch.mul(form[:, i], form[:, j] if i == j else doubled[:, j], out=made[:, p])
    return made


def sizes(poly: Tensor) -> tuple[Tensor, Tensor]:
    """(L, Q) [B, n]: sums of |linear| and of |quadratic| coefficients, outward where they are many."""
    d = dimension(poly)
    magnitude = poly[:, 1:].abs()
    L, Q = magnitude[:, :d].sum(dim=1), magnitude[:, d:].sum(dim=1)
    return (L, Q) if d <= FEW else (L * outward(d), Q * outward(d * (d + 1) // 2))


def outward(terms: int) -> float:
    """1 + more than the relative error of a sum of that many numbers >= 0 in float64."""
    return 1.0 + 2.0**-52 * (terms + 2)


def extremes(poly: Tensor) -> tuple[Tensor, Tensor]:
    """(low, high) [B, n] that enclose the polynomial on [-1, 1]^d; exact where there are no mixed terms.

    Each axis by itself: g s + q s^2 has its extremes at s = -1, 1 or, where |g| < 2 |q|, at -g / (2 q).
    """
    d = dimension(poly)
    low, high = poly[:, 0].clone(), poly[:, 0].clone()
    for p, (i, j) in enumerate(quadratic_pairs(d)):
        q = poly[:, 1 + d + p]
        if i != j:
            low, high = low - q.abs(), high + q.abs()
            continue
        g = poly[:, 1 + i].abs()
        vertex = torch.where(g < 2.0 * q.abs(), -(g * g) / (4.0 * q), torch.zeros_like(q))
        low = low + torch.minimum(q - g, torch.where(q > 0.0, vertex, q - g))
        high = high + torch.maximum(q + g, torch.where(q < 0.0, vertex, q + g))
    return low, high


def cubic(coefficients: Tensor) -> Tensor:
    """The coefficients [..., C] of s_i s_j s_k, i <= j <= k, from those [..., d, P] of s_i times quadratic ones."""
    index, count = _places(coefficients.shape[-2])
    made = coefficients.new_zeros((*coefficients.shape[:-2], count))
    return made.index_add_(made.dim() - 1, torch.tensor(index, device=made.device), coefficients.flatten(-2))


@lru_cache
def _places(d: int) -> tuple[list[int], int]:
    """Where each s_i times a quadratic monomial belongs among the cubic ones, and how many these are."""
    places: dict[tuple[int, ...], int] = {}
    pairs = quadratic_pairs(d)
    return [places.setdefault(tuple(sorted((i, *p))), len(places)) for i in range(d) for p in pairs], len(places)
