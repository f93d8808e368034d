"""Do separate nets do better with ten times the passes?

The nets of the table stop where validation stalls. Here some are trained on, from the start, for a fixed time of about
ten times as many passes with a rate that falls as a cosine; the weights that are best on validation cases are kept.
Those that were closest to ours, and one that had stopped early, of the first seed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from _harness import OURS, Row

from modno_parts import _grid, _study
from modno_parts._all import SEPARATE, contest
from modno_parts._deeponets import Falling

NAMES = "kdv", "burgers", "porous_medium_4", "parabolic"
LONG, QUICK = Falling(rate=3e-3, check=400, longest=8000), Falling(rate=3e-3, check=50, longest=80)
UNIT = "%"


def rows(quick: bool, runs: Path) -> list[Row]:
    """Three rows per operator: ours, the net that stalled, the net of ten times the passes."""
    made = _study.plan(quick)
    seed = made.seeds[0]
    some = replace(made, names=made.names[:1] if quick else NAMES)
    all_of = contest(runs, made, seed)
    found = []
    for name, net in _study.separate(runs, some, seed, QUICK if quick else LONG).items():
        own = all_of.study(name)
        short = all_of.nets[name]
        error = _grid.relative(net(own.test.sensors, own.test.times / own.horizon, own.test.x), own.test.field)
        note = f"{net.passes / short.passes:.1f} x the passes; held {_best(net):.4g} %, before {_best(short):.4g} %"
        measured = all_of.errors(name, own.test)
        case = f"{name}, trained for longer"
        found += [
            Row(case, OURS, UNIT, 100.0 * float(measured[OURS].whole.mean())),
            Row(case, SEPARATE, UNIT, 100.0 * float(measured[SEPARATE].whole.mean()), note="until it stalled"),
            Row(case, f"{SEPARATE}, longer", UNIT, 100.0 * float(error.mean()), note=note),
        ]
    return found


def _best(net: _study.Net) -> float:
    return 100.0 * min(error for _, error in net.history)
