"""u_t = lambda D[u] + source[u] in cosines on a square without flux at its edges, and how u moves with its causes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from ..grid import Axis, Grid
from ..names import TIME, combination
from .exponential import Exponential
from .statement import Piece, Statement

Array = NDArray[np.float64]


@final
class Evolution:
    """The statement in m_y x m_x cosines, products taken at as many even places, exponential Runge-Kutta in time.

    State: coefficients v [m_y, m_x]; `steps` per frame. mean: the lambda whose linear operator is integrated exactly.
    InputError for a statement that is not u_t = .. with even derivatives in space, lambda on all of space, zero flux.
    """

    def __init__(self, statement: Statement, grid: Grid, modes: tuple[int, int], mean: float, steps: int) -> None:
        check(statement, grid)
        self.statement, self.grid, self.modes, self.mean = statement, grid, modes, mean
        axes = [axis for axis in grid.axes if axis.name != TIME]
        self.nodes = [np.linspace(a.values[0], a.values[-1], m) for a, m in zip(axes, modes, strict=True)]
        self.up: list[Array] = [cosines(a, m, x) for a, m, x in zip(axes, modes, self.nodes, strict=True)]
        self.down: list[Array] = [np.asarray(np.linalg.inv(line), dtype=np.float64) for line in self.up]
        self.waves = [-((np.pi * np.arange(m) / a.length) ** 2) for a, m in zip(axes, modes, strict=True)]
        linear = sum((self._exact(p) for p in statement.source if p.linear), np.zeros(modes))
        linear = linear + mean * sum((self._exact(p) for p in statement.operator if p.linear), np.zeros(modes))
        y, x = np.meshgrid(*self.nodes, indexing="ij")
        self.mesh = {axes[0].name: y, axes[1].name: x}
        times = grid.axis(TIME).values
        self.schemes = [Exponential(linear, dt / steps) for dt in np.diff(times)]
        self.steps = steps

    def run(self, first: Array, lam: Array) -> Array:
        """v [T, m_y, m_x] from v at the first time with lambda at the nodes."""
        frames, v = [first], first
        for scheme in self.schemes:
            for _ in range(self.steps):
                v = scheme.step(v, lambda w: self._rate(w, lam))
            frames.append(v)
        return np.stack(frames)

    def slopes(self, first: Array, lam: Array, by_lam: Array, by_first: Array) -> tuple[Array, Array]:
        """v [T, m_y, m_x] and its changes [T, K, m_y, m_x] by those of lambda and of the first v, [K, m_y, m_x]."""
        v, dv = first, by_first
        frames, moved = [v], [dv]
        for scheme in self.schemes:
            for _ in range(self.steps):
                both = scheme.step(np.concatenate([v[None], dv]), lambda w: self._both(w, lam, by_lam))
                v, dv = both[0], both[1:]
            frames.append(v)
            moved.append(dv)
        return np.stack(frames), np.stack(moved)

    def values(self, v: Array) -> Array:
        """Coefficients [.., m_y, m_x] to values at the nodes."""
        return _both_sides(self.up, v)

    def coefficients(self, values: Array) -> Array:
        """Values at the nodes to coefficients."""
        return _both_sides(self.down, values)

    def _exact(self, piece: Piece) -> Array:
        """The number that a linear piece multiplies every coefficient by."""
        return float(piece.powers[1]) * self._factor(piece)  # type: ignore[arg-type]

    def _factor(self, piece: Piece) -> Array:
        total = np.zeros(self.modes)
        for factor, orders in combination(piece.derivative, self.grid.letters):
            y, x = orders[-2:]
            total += factor * np.multiply.outer(self.waves[0] ** (y // 2), self.waves[1] ** (x // 2))
        return total

    def _rate(self, v: Array, lam: Array) -> Array:
        return self._both(v[None], lam, np.zeros((0, *self.modes)))[0]

    def _both(self, w: Array, lam: Array, by_lam: Array) -> Array:
        """What is not integrated exactly, of v = w[0], and its change by dv = w[1:] and by lambda."""
        u = self.values(w)
        operator, exact = self._operator(w, u)
        inner = lam * operator - self.mean * exact
        inner[1:] += by_lam * operator[0]
        outer = np.zeros_like(w)
        for piece in self.statement.source:
            if piece.linear:
                continue
            value = _power(piece.coefficients(self.mesh), u)
            if piece.derivative == "u":
                inner += value
            else:
                outer += self._factor(piece) * self.coefficients(value)
        return self.coefficients(inner) + outer

    def _operator(self, w: Array, u: Array) -> tuple[Array, Array]:
        """D[u] and its linear pieces alone, at the nodes, each with its change."""
        exact, total = np.zeros_like(w), np.zeros_like(w)
        linear = [piece for piece in self.statement.operator if piece.linear]
        if linear:
            exact = self.values(sum((self._exact(piece) for piece in linear), np.zeros(self.modes)) * w)
        for piece in self.statement.operator:
            if not piece.linear:
                value = _power(piece.coefficients(self.mesh), u)
                if piece.derivative != "u":
                    value = self.values(self._factor(piece) * self.coefficients(value))
                total += value
        return total + exact, exact


def check(statement: Statement, grid: Grid) -> None:
    """InputError saying why a statement cannot be solved forwards."""
    where = f"statement {statement.name}: solver"
    if [p.derivative for p in statement.left] != ["u_t"] or statement.left[0].powers != (0.0, 1.0):
        raise InputError(f"{where}: expected left = u_t, got {[p.derivative for p in statement.left]}")
    if statement.boundary != "zero-flux":
        raise InputError(f"{where}: expected boundary zero-flux, got {statement.boundary!r}")
    space = grid.letters.replace(TIME, "")
    if len(space) != 2 or statement.over != space or grid.letters[0] != TIME:
        raise InputError(f"{where}: expected axes t and two of space, lambda over both, got {grid.letters!r}")
    for piece in (*statement.operator, *statement.source):
        for _, orders in combination(piece.derivative, grid.letters):
            if orders[0] or any(k % 2 for k in orders):
                raise InputError(f"{where}: expected even derivatives in space, got {piece.derivative}")


def cosines(axis: Axis, count: int, places: Array) -> Array:
    """cos(pi k s) at places [n], s from 0 to 1 along the axis: [n, count]."""
    s = (places - axis.values[0]) / axis.length
    made: Array = np.cos(np.pi * np.outer(s, np.arange(count)))
    return made


def _both_sides(lines: Sequence[Array], x: Array) -> Array:
    return np.asarray(lines[0] @ (x @ lines[1].T))


def _power(coefficients: Sequence[float | Array], u: Array) -> Array:
    """g(u[0]) and g'(u[0]) u[1:]."""
    g, slope = np.zeros_like(u[0]), np.zeros_like(u[0])
    for c in reversed(coefficients):
        slope = slope * u[0] + g
        g = g * u[0] + c
    made = slope * u
    made[0] = g
    return made
