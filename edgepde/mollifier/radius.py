"""Radius and degree of every kernel, and where to smooth, from the readings alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgepde.mollifier.candidates import Candidates, candidates, pilot, reference
from edgepde.mollifier.filling import filled
from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.kernels import PROFILE
from edgepde.mollifier.names import Index, combination
from edgepde.mollifier.noise import estimate
from edgepde.mollifier.settings import Plan, Setting

Floats = NDArray[np.float64]
ENDS = 8
"""A kernel of its own for one row in so many at either end of an axis."""
SWEEPS = 2


@final
@dataclass(frozen=True)
class Choice:
    """Kernels of one name: `plan` for bank(plans=..), the rest says what it is.

    half, degree: by axis, of the highest product; half 0 is a reading as it is, None the whole line. smoothing: axes
    with an order-0 kernel. noise, error: of the output away from the ends, in its unit, root mean squares: what noise
    leaves there, and with the bias that the readings show. scale: of the derivative itself; refused: noise exceeds it.
    """

    name: str
    plan: Plan
    half: dict[str, int | None]
    degree: dict[str, int]
    smoothing: tuple[str, ...]
    noise: float
    bound: float
    scale: float
    reason: str

    @property
    def refused(self) -> bool:
        """Whether noise leaves nothing of the derivative."""
        return not self.noise < self.scale


def choose(
    values: Floats,
    grid: Grid,
    names: Sequence[str],
    noise: float | None = None,
    widest: int | None = None,
    profile: str = PROFILE,
) -> dict[str, Choice]:
    """For every name the kernels of least estimated error for fields [..., n_1..n_d] like these.

    noise: standard deviation of the readings, by default estimated. widest: the largest half width.

    With a reference A_0 of little bias (`candidates.reference`) and white noise of deviation s, a candidate A has

      E |A y - A_0 y|^2 - s^2 |A - A_0|_F^2 + s^2 |A|_F^2  =  |bias|^2 + s^2 |A|_F^2

    up to A_0's bias; its least is taken, axis by axis with the other axes as they stand, twice round, and then once
    more for the rows at either end of an axis.
    """
    field = filled(grid.fits(values), grid)
    study = _Study(field.reshape(-1, *grid.shape), grid, noise, widest, profile)
    return {name: study.name(name) for name in dict.fromkeys(names)}


@final
class _Study:
    """What the choices for a field share."""

    def __init__(self, fields: Floats, grid: Grid, noise: float | None, widest: int | None, profile: str) -> None:
        self.fields, self.grid, self.widest, self.profile = fields, grid, widest, profile
        self.noise = estimate(fields, grid) if noise is None else noise
        self.noise = max(self.noise, 2.0**-52 * float(np.abs(fields).max()))
        self.known: dict[tuple[int, int], Candidates] = {}
        self.found: dict[Index, _Product] = {}
        self.pilots = [
            pilot(np.moveaxis(fields, 1 + a, -1).reshape(-1, axis.size), self.noise, self.candidates(a, 0))
            for a, axis in enumerate(grid.axes)
        ]

    def candidates(self, a: int, order: int) -> Candidates:
        """Those of an axis, made once."""
        if (a, order) not in self.known:
            self.known[a, order] = candidates(self.grid.axes[a], order, self.widest, self.profile)
        return self.known[a, order]

    def product(self, orders: Index) -> _Product:
        """The choice for one product."""
        if orders not in self.found:
            self.found[orders] = _Product(self, orders)
            self.found[orders].settle()
        return self.found[orders]

    def name(self, name: str) -> Choice:
        """The choice for a name."""
        total = combination(name, self.grid.letters)
        parts = [(c, self.product(orders)) for c, orders in total]
        plan = {orders: tuple(part.settings) for (_, orders), (_, part) in zip(total, parts, strict=True)}
        noise = sum(abs(c) * part.loudness for c, part in parts)
        bound = sum(abs(c) * part.risk for c, part in parts)
        made = np.sum([c * part.values for c, part in parts], axis=0)
        scale = math.sqrt(max(float(np.mean(made[self.middle()] ** 2)) - noise**2, 0.0))
        own = max(parts, key=lambda entry: sum(entry[1].orders))[1]
        inner = dict(zip(self.grid.letters, own.settings, strict=True))
        return Choice(
            name,
            plan,
            {a: 0 if one is None else one.half for a, one in inner.items()},
            {a: 0 if one is None else one.degree for a, one in inner.items()},
            tuple(a for a, one in inner.items() if one is not None and one.order == 0),
            noise,
            bound,
            scale,
            _reason(self, own, noise, bound, scale),
        )

    def middle(self) -> tuple[slice, ...]:
        """Samples away from the ends of all axes."""
        return (slice(None), *(slice(_ends(axis), axis.size - _ends(axis)) for axis in self.grid.axes))


@final
class _Product:
    """One product of kernels, chosen axis by axis."""

    def __init__(self, study: _Study, orders: Index) -> None:
        self.study, self.orders = study, orders
        axes = study.grid.axes
        first = [reference(axis, k, p) for axis, k, p in zip(axes, orders, study.pilots, strict=True)]
        self.reference = [one.on(axis).matrix(axis.size) for one, axis in zip(first, axes, strict=True)]
        self.settings: list[Setting | None] = list(first)
        self.matrices = list(self.reference)
        self.target = _applied(study.fields, self.reference)
        self.risk = self.loudness = math.inf

    def settle(self) -> None:
        """Sweep over the axes, those that only smooth first; then their ends."""
        axes = sorted(range(len(self.orders)), key=lambda a: self.orders[a] > 0)
        for _ in range(SWEEPS):
            for a in axes:
                own = self.study.candidates(a, self.orders[a])
                q = int(np.argmin(self._risks(a, own, self._inner(a))))
                self.settings[a], self.matrices[a] = own.settings[q], own.matrices[q]
        self._judge()
        for a in axes:
            self._ends(a)

    def _ends(self, a: int) -> None:
        """Another kernel for the ends of an axis, where it promises less there."""
        axis, inner = self.study.grid.axes[a], self.settings[a]
        rows = _ends(axis)
        own = self.study.candidates(a, self.orders[a])
        ends = np.minimum(np.arange(axis.size), np.arange(axis.size)[::-1]) < rows
        q = int(np.argmin(self._risks(a, own, ends)))
        outer = own.settings[q]
        if inner is None or outer is None or outer == inner or not rows:
            return
        self.settings[a] = replace(inner, edge=outer, rows=rows)
        self.matrices[a] = np.where(ends[:, None], own.matrices[q], self.matrices[a])

    def _inner(self, a: int) -> NDArray[np.bool_]:
        axis = self.study.grid.axes[a]
        there = np.zeros(axis.size, bool)
        there[_ends(axis) : axis.size - _ends(axis)] = True
        return there

    def _risks(self, a: int, own: Candidates, rows: NDArray[np.bool_]) -> Floats:
        """Mean square error of every candidate along an axis, on some of its rows and the middle of other axes."""
        d = len(self.orders)
        others = [b for b in range(d) if b != a]
        inner = {b: self._inner(b) for b in others}
        fixed = [np.eye(n)[:0] if b == a else self.matrices[b][inner[b]] for b, n in enumerate(self.study.grid.shape)]
        part = np.moveaxis(_applied(self.study.fields, fixed, skip=a), 1 + a, -1)
        target = _cut(self.target, a, inner)[..., rows]
        before, matrices = self.reference[a][rows], own.matrices[:, rows]
        mine = math.prod(float((self.matrices[b][inner[b]] ** 2).sum()) for b in others)
        its = math.prod(float((self.reference[b][inner[b]] ** 2).sum()) for b in others)
        both = math.prod(float((self.matrices[b][inner[b]] * self.reference[b][inner[b]]).sum()) for b in others)
        loud = own.squares[:, rows].sum(1) * mine
        apart = loud + float((before**2).sum()) * its - 2 * np.einsum("qij,ij->q", matrices, before) * both
        fields = len(self.study.fields)
        square = np.array([np.square(part @ one.T - target).sum() for one in matrices]) / fields
        noise = self.study.noise**2
        return np.asarray((square + noise * (loud - apart)) / (target.size / fields))

    def _judge(self) -> None:
        """Error and noise in the middle, of the choice as it stands."""
        a = max(range(len(self.orders)), key=lambda b: self.orders[b])
        own = Candidates((self.settings[a],), self.matrices[a][None])
        rows = [m[self._inner(b)] for b, m in enumerate(self.matrices)]
        self.loudness = self.study.noise * math.prod(math.sqrt(float((m**2).sum(1).mean())) for m in rows)
        self.risk = math.sqrt(max(float(self._risks(a, own, self._inner(a))[0]), self.loudness**2))

    @cached_property
    def values(self) -> Floats:
        """What the choice makes of the fields."""
        return _applied(self.study.fields, self.matrices)


def _ends(axis: Axis) -> int:
    return axis.size // ENDS


def _applied(fields: Floats, matrices: Sequence[Floats], skip: int | None = None) -> Floats:
    for a, matrix in enumerate(matrices):
        if a != skip:
            fields = np.moveaxis(np.moveaxis(fields, 1 + a, -1) @ matrix.T, -1, 1 + a)
    return fields


def _cut(values: Floats, a: int, inner: Mapping[int, NDArray[np.bool_]]) -> Floats:
    """The middle of all axes but a, which comes last."""
    for b, there in inner.items():
        values = np.compress(there, values, axis=1 + b)
    return np.moveaxis(values, 1 + a, -1)


def _reason(study: _Study, own: _Product, noise: float, bound: float, scale: float) -> str:
    words = []
    for letter, one in zip(study.grid.letters, own.settings, strict=True):
        if one is None:
            words.append(f"{letter}: readings as they are")
        else:
            words.append(f"{letter}: {'whole line' if one.half is None else f'half {one.half}'}, degree {one.degree}")
    lost = "; noise exceeds the derivative" if not noise < scale else ""
    return f"{'; '.join(words)}; noise {noise:.2g}, error {bound:.2g} of {scale:.2g}{lost}"
