"""Few or noisy training cases: test errors, train-test gaps, seconds and memory of the dense rival and of ours.

Every net takes as many steps as in SHARE of the study's passes over all cases, so fewer cases are passed over more
often. The decoder is the most accurate of its search on validation cases. Memory: what one step of training holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from _harness import Row

from ._rivals import FULL, QUICK, Plan, decoder, filters, generator, modulated, smallest_good, sweep
from ._study import SEEDS, Data, Trained, held, obtain, obtain_data

CASES, QUICK_CASES = (50, 200, 400), (10, 40)
NOISE = (0.01, 0.05)
SHARE = 0.25
CASE, ERROR = "data", "relative L2"

LONGEST_WIDTH = 48
"""The dense net is the rival, or one of this width where the rival is wider: five more trainings, for time."""


def rows(quick: bool, runs: Path) -> list[Row]:
    """Sizes, noise, then what training takes."""
    plan, data, seed = QUICK if quick else FULL, obtain_data(runs, quick), SEEDS[0]
    found = sweep(runs, data, plan, seed)
    place = smallest_good(found)
    widths = min(plan.widths[place], LONGEST_WIDTH), _width(filters(runs, data, plan, seed, found[place].validation))
    made: list[Row] = []
    for cases in QUICK_CASES if quick else CASES:
        part = data if cases == len(data.train) else data.first(cases)
        for net in _nets(runs, part, plan, widths, len(data.train) / cases):
            made += list(_gap(f"{CASE}, {cases} cases", net))
    for share in NOISE:
        for net in _nets(runs, data.noisy(share), plan, widths, 1.0):
            note = f"{net.words}; errors of the test cases, which have no noise"
            made.append(Row(f"{CASE}, {share:.0%} noise on training fields", _called(net), ERROR, net.test, note=note))
    return made + list(_memory(data, plan, widths))


def _nets(runs: Path, data: Data, plan: Plan, widths: tuple[int, int], more: float) -> Iterator[Trained]:
    dense, wide = widths
    passes = max(1, round(SHARE * more * plan.fit.epochs))
    yield obtain(runs, data, f"dense-{dense}", generator(data, dense), replace(plan.fit, epochs=passes), SEEDS[0])
    once = replace(plan.modulated, epochs=max(1, round(SHARE * more * plan.modulated.epochs)))
    yield obtain(runs, data, f"shared modulated-{wide}", modulated(data, wide), once, SEEDS[0])
    yield decoder(runs, data, plan, SEEDS[0], 0.0)


def _called(net: Trained) -> str:
    return "decoder" if net.name.startswith("decoder") else net.name


def _width(net: Trained) -> int:
    return int(net.name.rsplit("-", 1)[1])


def _gap(case: str, net: Trained) -> Iterator[Row]:
    yield Row(case, _called(net), ERROR, net.test, note=net.words)
    note = f"training error {net.train:.4f}"
    yield Row(f"{case}, test - training", _called(net), ERROR, net.test - net.train, note=note)


def _memory(data: Data, plan: Plan, widths: tuple[int, int]) -> Iterator[Row]:
    """One step of each net; the decoder is fitted in coefficients, without fields."""
    width, wide = widths
    x = torch.from_numpy(data.train.parameters[: plan.fit.batch].astype("float32"))
    nets = {f"dense-{width}": generator(data, width), f"1-way filters, {wide}": modulated(data, wide)}
    for name, how in nets.items():
        size = held(how.seeded(SEEDS[0]).train(), x) / 2**20
        yield Row(f"{CASE}, memory of a step of training", name, "MiB", size, note=f"batch of {len(x)}")
