"""How many numbers does a factorised simulator need at the error of the smallest good dense one?

The dense rival is the smallest of a width sweep (first seed) within 2 % of the best validation error. Error: mean over
test cases of |u - FE| / |FE| over the whole zone. A member is the smallest of at most the rival's validation error; its
ratio counts where its error on test cases, of a draw nothing was chosen on, is at most 1.05 times the rival's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from _harness import OURS, Row

from ._rivals import (
    ALLOWED,
    FULL,
    QUICK,
    Plan,
    decoder,
    filters,
    generator,
    modulated,
    pod,
    shared,
    smallest_good,
    sweep,
)
from ._study import SEEDS, Data, Trained, obtain, obtain_data

ERROR, FEWER, CASE = "relative L2", "x fewer", "parameters"
TARGET_FACTORISED, TARGET_BEST, TARGET_LONG = 3.0, 7.0, 4.0
LONG, LONGEST_WIDTH = 10, 48
"""Ten times its own passes are given to a net of at most this width: the rival's would take a quarter of an hour."""


def rows(quick: bool, runs: Path, long: bool) -> list[Row]:
    """Three seeds, then the rows of one: the same layout with dense kernels, rivals, dense nets trained for longer."""
    plan, data = QUICK if quick else FULL, obtain_data(runs, quick)
    found = sweep(runs, data, plan, SEEDS[0])
    width = plan.widths[smallest_good(found)]
    made = [Row(f"{CASE}, dense sweep", t.name, ERROR, t.test, note=t.words) for t in found]
    for seed in SEEDS[:1] if quick else SEEDS:
        made += list(_seed(runs, data, plan, width, seed, quick))
    made += list(_layout(runs, data, plan))
    return made + list(_others(runs, data, plan, width)) + list(_longer(runs, data, plan, width, quick, long))


def _seed(runs: Path, data: Data, plan: Plan, width: int, seed: int, quick: bool) -> Iterator[Row]:
    rival = obtain(runs, data, f"dense-{width}", generator(data, width), plan.fit, seed)
    case = f"{CASE}, seed {seed}"
    yield Row(case, f"dense rival, width {width}", ERROR, rival.test, note=rival.words)
    thin = filters(runs, data, plan, seed, rival.validation)
    yield Row(case, thin.name, ERROR, thin.test, ALLOWED * rival.test, note=thin.words)
    yield _fewer(f"{case}, 1-way filters at 1.05 x", thin, rival, None if quick else TARGET_FACTORISED)
    mine = decoder(runs, data, plan, seed, rival.validation)
    yield Row(case, "decoder", ERROR, mine.test, ALLOWED * rival.test, note=mine.words)
    yield _fewer(f"{case}, best member at 1.05 x", mine, rival, None if quick else TARGET_BEST)


def _layout(runs: Path, data: Data, plan: Plan) -> Iterator[Row]:
    """The modulated generator of several widths with dense kernels, and the factorised one of the same error."""
    seed, case = SEEDS[0], f"{CASE}, the same layout"
    for width in plan.widths_modulated:
        made = shared(runs, data, plan, width, seed)
        yield Row(case, made.name, ERROR, made.test, note=made.words)
    for width in plan.widths_layout:
        dense = obtain(runs, data, f"dense modulated-{width}", modulated(data, width, "dense"), plan.modulated, seed)
        yield Row(case, dense.name, ERROR, dense.test, note=dense.words)
        mine = filters(runs, data, plan, seed, dense.validation)
        yield _fewer(f"{case}, {mine.name} against {dense.name}", mine, dense, None)


def _longer(runs: Path, data: Data, plan: Plan, width: int, quick: bool, long: bool) -> Iterator[Row]:
    """The rival given ten times the decoder's seconds, and a dense net ten times its own."""
    seed, fit = SEEDS[0], plan.fit
    rival = obtain(runs, data, f"dense-{width}", generator(data, width), fit, seed)
    mine = decoder(runs, data, plan, seed, rival.validation)
    passes = max(1, round(LONG * mine.seconds / rival.seconds * fit.epochs))
    asked = (
        ("10 x the decoder's seconds", width, passes, True),
        ("10 x its own passes", min(width, LONGEST_WIDTH), LONG * fit.epochs, long or quick),
    )
    for text, wide, count, run in asked:
        case = f"{CASE}, dense net given {text}"
        if not run:
            yield Row(case, f"dense, width {wide}", ERROR, None, note=f"not run: --long trains it for {count} passes")
            continue
        longer = obtain(runs, data, f"dense-{wide}-longer", generator(data, wide), replace(fit, epochs=count), seed)
        member = decoder(runs, data, plan, seed, longer.validation)
        yield Row(case, f"dense, width {wide}", ERROR, longer.test, note=longer.words)
        yield Row(case, "decoder", ERROR, member.test, ALLOWED * longer.test, note=member.words)
        target = TARGET_LONG if text.endswith("seconds") and not quick else None
        yield _fewer(f"{case}, best member at 1.05 x", member, longer, target)


def _others(runs: Path, data: Data, plan: Plan, width: int) -> Iterator[Row]:
    """A dense net as thin as the decoder is small, the recipe's generator of 1-way filters, POD with an MLP."""
    seed = SEEDS[0]
    rival = obtain(runs, data, f"dense-{width}", generator(data, width), plan.fit, seed)
    mine = decoder(runs, data, plan, seed, rival.validation)
    case = f"{CASE}, rivals"
    thin = max((w for w in range(2, width) if _size(data, w) <= mine.parameters), default=2)
    small = obtain(runs, data, f"dense-{thin}", generator(data, thin), plan.fit, seed)
    yield Row(case, f"thin dense net, width {thin}", ERROR, small.test, note=small.words)
    recipe = obtain(runs, data, "shared-32", generator(data, 32, "shared"), plan.fit, seed)
    yield Row(case, "the dense rival's layout, 1-way filters, width 32", ERROR, recipe.test, note=recipe.words)
    for modes in (32, 64):
        began = time.process_time()
        made = pod(data, min(modes, len(data.train) // 2), 64, plan.fit.epochs * 50, seed)
        spent = time.process_time() - began
        note = f"{made.parameters} numbers, {spent:.0f} s of one core, validation {made.validation:.4f}"
        yield Row(case, f"POD of {modes} modes + MLP", ERROR, made.test, note=note)


def _size(data: Data, width: int) -> int:
    return sum(p.numel() for p in generator(data, width).build().parameters())


def _fewer(case: str, mine: Trained, rival: Trained, target: float | None) -> Row:
    """The ratio; none where the error is not reached."""
    within = mine.test <= ALLOWED * rival.test
    return Row(
        case, OURS, FEWER, rival.parameters / mine.parameters if within else None, target, ">=", note=_at(mine, rival)
    )


def _at(mine: Trained, rival: Trained) -> str:
    fewer = rival.parameters / mine.parameters
    times = rival.seconds / mine.seconds
    return f"{fewer:.1f} x fewer at {mine.test / rival.test:.3f} of its error; training time / {times:.1f}"
