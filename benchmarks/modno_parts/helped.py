"""Do separate nets do better with ten times the passes, or with the cases that ours are made by the equation found?

The nets of the table stop where validation stalls, on the given cases. Here some are trained from the start for about
ten times as many passes, with a rate that falls as a cosine; others until they stall, on the given cases and on those
that the closed form makes for itself. The best weights on validation cases are kept. Of the first seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from _harness import OURS, Row, say

from edgepde.modno.closed_form import Closed, more
from edgepde.modno.sizes import encoding_of, input_modes
from modno_parts import _deeponets, _grid, _study
from modno_parts._all import SEPARATE, contest
from modno_parts._deeponets import Falling, How, Net
from modno_parts._study import Plan, Study

LONGER, RICHER = ("kdv", "viscous_burgers", "cahn_hilliard"), ("kdv", "burgers", "viscous_burgers", "cahn_hilliard")
"""Three that are hard for all; four whose equations a person would know (none is found for burgers)."""
LONG, QUICK = Falling(rate=3e-3, check=400, longest=8000), Falling(rate=3e-3, check=50, longest=80)
UNIT = "%"


def rows(quick: bool, runs: Path) -> list[Row]:
    """Per operator: ours, the net that stalled, the net that is helped."""
    made = _study.plan(quick)
    seed, all_of = made.seeds[0], contest(runs, made, made.seeds[0])
    few = ("viscous_burgers",)
    some = replace(made, names=few if quick else LONGER)
    helped = {
        "ten times the passes": _study.separate(runs, some, seed, QUICK if quick else LONG),
        "cases from the equation as well": richer(runs, made, seed, few if quick else RICHER),
    }
    found = []
    for help_, nets in helped.items():
        for name, net in nets.items():
            own, before = all_of.study(name), all_of.net(name)
            measured = all_of.errors(name, own.test)
            error = _grid.relative(net(own.test.sensors, own.test.times / own.horizon, own.test.x), own.test.field)
            case = f"{name}, {help_}"
            times = f"{net.passes / before.passes:.1f} x the passes"
            said = f"{times}; validation {_best(net):.4g} %, {_best(before):.4g} before"
            found += [
                Row(case, OURS, UNIT, 100.0 * float(measured[OURS].whole.mean())),
                Row(case, SEPARATE, UNIT, 100.0 * float(measured[SEPARATE].whole.mean()), note="until it stalled"),
                Row(case, f"{SEPARATE}, helped", UNIT, 100.0 * float(error.mean()), note=said),
            ]
    return found


def richer(runs: Path, made: Plan, seed: int, names: tuple[str, ...]) -> Mapping[str, Net]:
    """Nets that were given the equation's cases too, where one was found; read where they were trained before."""
    how = made.how
    studies = [_study.study(runs, made, name, seed) for name in names]
    paths = {s.name: _study.kept(runs, f"richer-{s.name}-{seed}", _stated(s, made, how)) for s in studies}
    left = [s for s in studies if not paths[s.name][0].exists()]
    pairs = {s.name: (s.cases(data), s.cases(s.held)) for s in left if (data := _with_more(s)) is not None}
    if pairs:
        say(f"  DeepONets with cases from the equation: {', '.join(pairs)}")
        nets = _deeponets.train(made.shape, list(pairs.values()), how, seed)
        for name, net in zip(pairs, nets, strict=True):
            _study.write(net, *paths[name])
    return {name: _study.read(*pair) for name, pair in paths.items() if pair[0].exists()}


def _stated(own: Study, made: Plan, how: How) -> list[object]:
    return [own.digest, asdict(made.shape), asdict(how), Closed().more]


def _with_more(own: Study) -> _study.OperatorData | None:
    """Training cases with those that the closed form would make, None where it finds no equation."""
    how = Closed()
    encoding = encoding_of([own.train], input_modes(own.train))
    law = more.law(own.train, own.held, encoding, own.horizon)
    if law is None:
        say(f"  {own.name}: no equation found")
        return None
    say(f"  {own.name}: {law.flow.statement}")
    sensors = more.inputs(own.train, encoding, how.more, how.seed)
    return more.with_more(own.train, law, sensors, 1.0, own.horizon)


def _best(net: Net) -> float:
    return 100.0 * min(error for _, error in net.history)
