"""How wrong are derivatives of known fields, clean and noisy, and how far is the chosen radius from the best?

Errors are relative root mean squares: away from the ends, and on the boundary band. Clean: the default kernels; the
band are their one-sided rows. Noisy: white noise of a share of the field's deviation, in the mean over draws; kernels
are chosen from the readings alone (ours); Savitzky-Golay windows and the best candidate are tuned on the answer.
Waves are the sum of sin(3 pi y) sin(2 pi x) and sin(4 pi y) sin(1.3 pi x).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from _harness import OURS, Row, say
from edgepde_runtime.ops.mollified_derivative.reference import run

from edgepde.mollifier.bank import Bank, bank
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.masks import mask
from edgepde.mollifier.radius import choose
from edgepde.mollifier.sampled import sampled
from mollifier_parts import _rivals
from mollifier_parts._fields import BUMPS, WAVES, Field, Floats, largest

SAMPLES, QUICK = 64, 24
NAMES = ("u_xx", "u_xxxx", "laplacian", "biharmonic")
LEVELS = (0.0, 0.001, 0.01, 0.05)
SEEDS = (0, 1, 2)
TARGETS = {"u_xx": (1e-6, 1e-4), "u_xxxx": (1e-6, 1e-4), "laplacian": (1e-6, 1e-4), "biharmonic": (1e-4, 3e-3)}
PARTS = ("interior", "boundary")
BAND = 8
"""One sample in so many at either end is the boundary band of noisy rows."""
BEST = "best candidate, tuned on the answer"


def rows(quick: bool) -> list[Row]:
    """Clean rows, the bound over the error, what sampled bumps do, then rows at each level of noise."""
    line = np.linspace(0, 1, QUICK if quick else SAMPLES)
    grid = Grid.of(y=line, x=line)
    made = _clean(grid, quick) + _sampled(grid)
    cases = [(WAVES, level) for level in LEVELS] + [(BUMPS, level) for level in LEVELS[2:]]
    for case, level in cases[2:3] if quick else cases:
        made += _noisy(case, grid, level, SEEDS[:1] if quick else SEEDS)
    return made


def errors(found: Floats, exact: Floats, band: int) -> tuple[float, float]:
    """Relative root mean square error away from the ends, and on a band along them."""
    inner = np.zeros(exact.shape, bool)
    inner[(slice(band, -band),) * exact.ndim] = True
    off, size = np.square(found - exact), np.square(exact)
    first, second = (float(np.sqrt(off[part].sum() / size[part].sum())) for part in (inner, ~inner))
    return first, second


def _clean(grid: Grid, quick: bool) -> list[Row]:
    """float64 against the targets, float32 beside it; the error over the bound where that is tightest."""
    made = []
    default = bank(grid, NAMES)
    u = WAVES.product(grid, (0, 0))
    found = {"float64": default.apply(u), "float32": _single(default, u)}
    bounds = default.bound(largest)
    for o, name in enumerate(NAMES):
        exact = WAVES.derivative(grid, name)
        band = min(default.taps[2].shape[2] // 2, grid.shape[0] // 3)
        for kind, y in found.items():
            goals = TARGETS[name] if kind == "float64" and not quick else (None, None)
            for part, value, goal in zip(PARTS, errors(y[o], exact, band), goals, strict=True):
                note = f"default kernels, band {band}"
                made.append(Row(f"{name}, clean, {kind}: {part}", OURS, "", value, goal, note=note))
        ratio = float((np.abs(found["float64"][o] - exact) / bounds[o]).max())
        made.append(Row(f"{name}, clean: largest error / bound", OURS, "", ratio, 1.0))
    return made


def _single(made: Bank, u: Floats) -> Floats:
    """The op in float32, as a device has it."""
    x, *taps = (v.astype(np.float32) for v in (u[None, None], *made.taps))
    y = run([x, *taps, made.orders, made.combine.astype(np.float32)], {})[0]
    return np.asarray(y[0].reshape(len(made.names), *u.shape), np.float64)


def _sampled(grid: Grid) -> list[Row]:
    """The bump's own derivative, sampled, interior only: why moments are corrected."""
    made = []
    u, spacing = WAVES.product(grid, (0, 0)), grid.axes[1].spacing
    for order, name in ((2, "u_xx"), (4, "u_xxxx")):
        exact = WAVES.derivative(grid, name)
        half = grid.shape[1] // 4
        w = sampled(order, half, spacing)
        found = np.lib.stride_tricks.sliding_window_view(u, len(w), axis=1) @ w
        off = np.square(found - exact[:, half:-half]).mean() / np.square(exact[:, half:-half]).mean()
        case = f"{name}, clean, float64: interior"
        made.append(Row(case, f"sampled bump, half {half}, as it is", "", float(np.sqrt(off))))
    return made


def _noisy(case: Field, grid: Grid, level: float, seeds: Sequence[int]) -> list[Row]:
    u = case.product(grid, (0, 0))
    band = grid.shape[0] // BAND
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    notes: dict[str, str] = {}
    for seed in seeds:
        y = u + level * u.std() * np.random.default_rng(seed).standard_normal(u.shape)
        choices = choose(y, grid, NAMES)
        own = bank(grid, NAMES, plans={name: choice.plan for name, choice in choices.items()})
        made, kept = own.apply(y), mask(own, y).keep
        for o, name in enumerate(NAMES):
            exact = case.derivative(grid, name)
            answers = {
                OURS: made[o],
                "Legendre, degree by GCV": _rivals.legendre(y, grid, name),
                "Savitzky-Golay, tuned on the answer": _rivals.savitzky_golay(y, grid, name, exact, band),
                BEST: _rivals.best(y, grid, name, case, band),
            }
            for rival, values in answers.items():
                found.setdefault((name, rival), []).append(errors(values, exact, band))
            notes[name] = f"{choices[name].reason}; {kept[o].mean():.0%} of samples kept"
        say(f"  {case.name}, noise {level:.1%}, seed {seed}")
    return _rows(f"{case.name}, noise {level:.1%}", found, notes)


def _rows(title: str, found: dict[tuple[str, str], list[tuple[float, float]]], notes: dict[str, str]) -> list[Row]:
    made = []
    means = {key: np.mean(pairs, axis=0) for key, pairs in found.items()}
    for (name, rival), pair in means.items():
        if rival == BEST:
            continue
        for part, value in zip(PARTS, pair, strict=True):
            note = notes[name] if rival == OURS and part == PARTS[0] else ""
            made.append(Row(f"{title}, {name}: {part}", rival, "", float(value), note=note))
    for name in notes:
        ratio = float(means[name, OURS][0] / means[name, BEST][0])
        made.append(Row(f"{title}, {name}: interior, over that of the {BEST}", OURS, "x", ratio))
    return made
