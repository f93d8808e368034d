"""How many numbers does a factorised simulator need at the error of the smallest good dense one?

The dense rival is the smallest of a width sweep (first seed) within 2 % of the best validation error. Error: mean over
test cases of |u - FE| / |FE| over the whole zone. A member's ratio counts where its error is at most 1.05 times the
rival's; sizes are chosen on validation cases.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from _harness import OURS, Row

from ._rivals import ALLOWED, FULL, QUICK, Plan, decoder, generator, modulated, pod, smallest_good, sweep
from ._study import SEEDS, Data, Trained, obtain, obtain_data

ERROR, FEWER, CASE = "relative L2", "x fewer", "parameters"
TARGET_FACTORISED, TARGET_BEST, TARGET_LONG = 3.0, 7.0, 4.0
LONG = 10


def rows(quick: bool, runs: Path) -> list[Row]:
    """Three seeds, then the rows of one: rivals, and dense nets trained for longer."""
    plan, data = QUICK if quick else FULL, obtain_data(runs, quick)
    found = sweep(runs, data, plan, SEEDS[0])
    width = plan.widths[smallest_good(found)]
    made = [Row(f"{CASE}, dense sweep", t.name, ERROR, t.test, note=t.words) for t in found]
    for seed in SEEDS[:1] if quick else SEEDS:
        made += list(_seed(runs, data, plan, width, seed, quick))
    return made + list(_longer(runs, data, plan, width, quick)) + list(_others(runs, data, plan, width))


def _seed(runs: Path, data: Data, plan: Plan, width: int, seed: int, quick: bool) -> Iterator[Row]:
    rival = obtain(runs, data, f"dense-{width}", generator(data, width), plan.fit, seed)
    case = f"{CASE}, seed {seed}"
    yield Row(case, f"dense rival, width {width}", ERROR, rival.test, note=rival.words)
    best: Trained | None = None
    for member in _factorised(runs, data, plan, seed):
        yield Row(case, member.name, ERROR, member.test, note=member.words)
        fewer = rival.parameters / member.parameters
        yield Row(case, f"{member.name}, against the rival", FEWER, fewer, goal=">=", note=_at(member, rival))
        if member.test <= ALLOWED * rival.test and (best is None or member.parameters < best.parameters):
            best = member
    target = None if quick else TARGET_FACTORISED
    ratio = rival.parameters / best.parameters if best else None
    note = _at(best, rival) if best else "no member reached it"
    yield Row(f"{case}, 1-way filters at 1.05 x", OURS, FEWER, ratio, target, ">=", note=note)
    mine = decoder(runs, data, plan, seed, rival.validation)
    yield Row(case, "decoder", ERROR, mine.test, ALLOWED * rival.test, note=mine.words)
    yield _fewer(f"{case}, best member at 1.05 x", mine, rival, None if quick else TARGET_BEST)


def _factorised(runs: Path, data: Data, plan: Plan, seed: int) -> Iterator[Trained]:
    """1-way filters: the modulated generator; with the first seed narrower ones and the recipe's generator too."""
    first = seed == SEEDS[0]
    for width in plan.widths_modulated if first else (plan.width_modulated,):
        yield obtain(runs, data, f"shared modulated-{width}", modulated(data, width), plan.modulated, seed)
    if first:
        yield obtain(runs, data, "shared-32", generator(data, 32, "shared"), plan.fit, seed)


def _longer(runs: Path, data: Data, plan: Plan, width: int, quick: bool) -> Iterator[Row]:
    """The rival given ten times the decoder's seconds, and ten times its own."""
    seed = SEEDS[0]
    rival = obtain(runs, data, f"dense-{width}", generator(data, width), plan.fit, seed)
    mine = decoder(runs, data, plan, seed, rival.validation)
    passes = max(1, round(LONG * mine.seconds / rival.seconds * rival.passes))
    for text, count in (("10 x the decoder's seconds", passes), ("10 x its own passes", LONG * rival.passes)):
        longer = obtain(
            runs, data, f"dense-{width}-longer", generator(data, width), replace(plan.fit, epochs=count), seed
        )
        member = decoder(runs, data, plan, seed, longer.validation)
        case = f"{CASE}, rival given {text}"
        yield Row(case, f"dense rival, width {width}", ERROR, longer.test, note=longer.words)
        yield Row(case, "decoder", ERROR, member.test, ALLOWED * longer.test, note=member.words)
        target = TARGET_LONG if text.endswith("seconds") and not quick else None
        yield _fewer(f"{case}, best member at 1.05 x", member, longer, target)


def _others(runs: Path, data: Data, plan: Plan, width: int) -> Iterator[Row]:
    """A dense net as thin as the decoder is small, and POD with an MLP."""
    seed = SEEDS[0]
    rival = obtain(runs, data, f"dense-{width}", generator(data, width), plan.fit, seed)
    mine = decoder(runs, data, plan, seed, rival.validation)
    case = f"{CASE}, rivals"
    thin = max((w for w in range(2, width) if _size(data, w) <= mine.parameters), default=2)
    small = obtain(runs, data, f"dense-{thin}", generator(data, thin), plan.fit, seed)
    yield Row(case, f"thin dense net, width {thin}", ERROR, small.test, note=small.words)
    wide = plan.width_modulated
    dense = obtain(runs, data, f"dense modulated-{wide}", modulated(data, wide, "dense"), plan.modulated, seed)
    yield Row(case, f"modulated generator with dense kernels, width {wide}", ERROR, dense.test, note=dense.words)
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
    return f"at {mine.test / rival.test:.3f} of its error, {rival.seconds / mine.seconds:.1f} x less training time"
