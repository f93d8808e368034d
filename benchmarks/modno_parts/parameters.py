"""How many numbers does the shared model store, against separate nets of equal size per operator?

A separate net of equal size has as many as the shared branch and that operator's cassette; all stored numbers count:
centres, weights, bases, linear parts, scales. Least squares, POD and kernel ridge store what is written here.
"""

from __future__ import annotations

from pathlib import Path

from _harness import OURS, Row

from modno_parts import _ours, _study
from modno_parts._all import SEPARATE

FEWER = 0.5
"""Of the numbers of all separate nets."""


def rows(quick: bool, runs: Path) -> list[Row]:
    """Per operator and all together, of the first seed."""
    made = _study.plan(quick)
    goals = (None, None) if quick else (FEWER, 1.0)
    ours = _ours.obtain(runs, made, made.seeds[0])
    equal = sum(ours.numbers(name) for name in made.names)
    found = [Row("shared branch", OURS, "numbers", ours.shared)]
    found += [Row(f"cassette of {name}", OURS, "numbers", ours.own(name)) for name in made.names]
    trained, most = made.shape.numbers, max(ours.numbers(name) for name in made.names)
    note = f"shared branch and largest cassette: {most}; below 1 the table would be unfair"
    return [
        *found,
        Row("all operators together", OURS, "numbers", ours.total),
        Row("all operators together", f"{SEPARATE}, equal size", "numbers", equal),
        Row("all operators together, over nets of equal size", OURS, "x", ours.total / equal, goals[0]),
        Row("one net as trained for the table", SEPARATE, "numbers", trained),
        Row("one net as trained, over the largest of ours", SEPARATE, "x", trained / most, goals[1], ">=", note=note),
    ]
