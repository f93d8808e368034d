"""Few or noisy training cases: test errors, train-test gaps, seconds and memory of the dense rival and of ours.

Every net takes as many steps as in SHARE of the study's passes over all cases, so fewer cases are passed over more
often. The decoder is the most accurate of its search on validation cases. Memory: by how much the process grew at most
while it trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from _harness import Row
from torch import nn

from edgepde.factorconv.decoding import fit_decoders

from ._rivals import FULL, QUICK, Plan, decoder, filters, generator, modulated, smallest_good, sweep
from ._study import SEEDS, Data, Trained, convolutional, grown, obtain, obtain_data

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
    dense, _ = widths
    passes = max(1, round(SHARE * more * plan.fit.epochs))
    yield obtain(runs, data, f"dense-{dense}", generator(data, dense), replace(plan.fit, epochs=passes), SEEDS[0])
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
    """One pass of each net, the whole search of the decoder."""
    once, (width, wide) = replace(plan.fit, epochs=1), widths
    work: dict[str, Callable[[], nn.Module | object]] = {
        f"dense net, width {width}": lambda: convolutional(generator(data, width), data, once, 0),
        f"1-way filters, width {wide}": lambda: convolutional(modulated(data, wide), data, once, 0),
        "decoder": lambda: fit_decoders(data.train, data.validation, 0, plan.search),
    }
    for name, one in work.items():
        yield Row(f"{CASE}, memory of training", name, "MiB", grown(one), note=f"{len(data.train)} cases")
