"""How many forward and backward passes does the shared model take to the separate nets' errors?

Passes of cases through branch and trunk, each way, over all operators. Separate nets: up to the weights that are kept,
not the checks after them. Ours: the whole training, where its errors on validation cases are no larger than theirs;
what only chooses (validation cases) counts for nobody.
"""

from __future__ import annotations

from pathlib import Path

from _harness import OURS, Row

from modno_parts import _grid, _ours, _study
from modno_parts._all import SEPARATE
from modno_parts.table import TIE

FEWER = 0.1


def rows(quick: bool, runs: Path) -> list[Row]:
    """Of every seed."""
    made = _study.plan(quick)
    found = []
    for seed in made.seeds:
        ours, nets = _ours.obtain(runs, made, seed), _study.separate(runs, made, seed)
        theirs = sum(net.passes_to_best for net in nets.values())
        behind = []
        for name, net in nets.items():
            held = _study.study(runs, made, name, seed).held
            error = float(_grid.relative(ours.predicted(name, held), held.field).mean())
            if error > TIE * min(e for _, e in net.history):
                behind.append(name)
        note = f"not reached on {', '.join(behind)}" if behind else "reached on all operators"
        case = f"passes to the separate nets' errors, seed {seed}"
        reached = None if behind else ours.passes / theirs
        found += [
            Row(case, OURS, "passes", None if behind else ours.passes, note=note),
            Row(case, SEPARATE, "passes", theirs),
            Row(
                f"{case}, ours over theirs",
                OURS,
                "x",
                reached,
                FEWER,
                note=f"{ours.seconds:.0f} s by the clock; {note}",
            ),
        ]
    return found
