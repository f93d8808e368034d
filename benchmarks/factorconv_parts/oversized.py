"""The paper's own regime: a deliberately over-sized dense net of 3-D kernels, k = 5, and its factorised twin.

Both from one description, which the form alone tells apart; equal passes. At the twin's rate the dense net does not
learn (relative error 0.97 after 4 passes), so it gets a quarter of it. The twin's rank is 2 min(S, T) per layer.
The best small member that the tool would take instead is in the part `parameters`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from _harness import OURS, Row

from edgepde.factorconv.description import Generator
from edgepde.factorconv.training import Fit

from ._rivals import ALLOWED, RATE
from ._study import SEEDS, Data, Trained, obtain, obtain_data

CASE, ERROR, TARGET, LEAST = "over-sized", "relative L2", 7.0, 5_000_000
HIDDEN = (64, 16)
COARSE, CHANNELS, QUICK_CHANNELS = (4, 2, 2), (176, 48, 16), (12, 8, 4)
FIT, QUICK_FIT = Fit(6, 10, RATE), Fit(1, 8, RATE)
DENSE_RATE = RATE / 4


def rows(quick: bool, runs: Path) -> list[Row]:
    """One seed."""
    data, fit = obtain_data(runs, quick), QUICK_FIT if quick else FIT
    return list(_rows(runs, data, QUICK_CHANNELS if quick else CHANNELS, fit, quick))


def description(data: Data, channels: tuple[int, ...], form: str) -> Generator:
    """Convolutions over (t, y, x) on grids that end at half the frames and a quarter of each side."""
    t, y, x = data.train.grid
    coarse = tuple(c * n // 32 for c, n in zip(COARSE, (t, y, x), strict=True))
    return Generator(
        kernel=5,
        form=form,
        rank=None,
        parameters=len(data.train.names),
        times=t,
        rows=y,
        columns=x,
        dimension=3,
        hidden=HIDDEN,
        coarse=coarse,
        channels=channels,
    )


def _rows(runs: Path, data: Data, channels: tuple[int, ...], fit: Fit, quick: bool) -> Iterator[Row]:
    seed = SEEDS[0]
    found: dict[str, Trained] = {}
    for form, how in (("shared", fit), ("dense", replace(fit, rate=DENSE_RATE))):
        found[form] = obtain(runs, data, f"oversized-{form}", description(data, channels, form), how, seed)
    dense, twin = found["dense"], found["shared"]
    if not quick and dense.parameters < LEAST:
        raise AssertionError(f"expected at least {LEAST} numbers, got {dense.parameters}")
    yield Row(CASE, "dense", ERROR, dense.test, note=dense.words)
    yield Row(CASE, "factorised twin", ERROR, twin.test, None if quick else ALLOWED * dense.test, note=twin.words)
    within = twin.test <= ALLOWED * dense.test
    ratio = dense.parameters / twin.parameters
    note = f"{ratio:.1f} x fewer at {twin.test / dense.test:.3f} of its error, equal passes"
    yield Row(
        f"{CASE}, at 1.05 x", OURS, "x fewer", ratio if within else None, None if quick else TARGET, ">=", note=note
    )
