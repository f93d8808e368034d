"""Sixteen solution operators from one bundle, against fresh draws that nothing was trained or chosen on.

Run: python samples/modno_16/sample.py [--cases N] [--bundle FOLDER] [--backend NAME]
The numbers to reach, mean relative L2 error: linear operators 0.1 %, viscous_burgers 3 %, cahn_hilliard 1.5 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import edgepde_runtime
import numpy as np
from edgepde_runtime.bundle import Bundle
from numpy.typing import NDArray

from edgepde.problems import operators
from edgepde.problems.operator_data import OperatorData, generate

HERE = Path(__file__).parent
LINEAR, TARGETS = 1e-3, {"viscous_burgers": 3e-2, "cahn_hilliard": 1.5e-2}
NEW = 20_260_000
"""The seed of the draws compared here; training and the bundle had others."""
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Row:
    """One operator: relative L2 errors of its cases, the share inside the stated bound, microseconds of a call."""

    name: str
    relative: Floats
    inside: float
    refused: int
    microseconds: float

    @property
    def target(self) -> float | None:
        """The mean error to reach, None where none is set."""
        return LINEAR if operators.operator(self.name).is_linear else TARGETS.get(self.name)

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.target is None or float(self.relative.mean()) <= self.target


def cases(held: Bundle, name: str, count: int) -> OperatorData:
    """Draws nobody has seen, on the bundle's grid: its times are fractions of the operator's horizon."""
    ledger = json.loads(held.content("ledger.json"))
    times = ledger["operators"][name]["horizon"] * np.array(ledger["grid"]["t"])
    return generate(name, count, NEW, split="test", times=times, x=np.array(ledger["grid"]["x"]))


def row(model: edgepde_runtime.Model, name: str, data: OperatorData) -> Row:
    """What the operator's cassette gives for the sensors; draws outside its box are refused and counted."""
    held = model.holding(name)
    (spec,) = held.bundle.manifest.inputs
    low, high = np.asarray(spec.box.low), np.asarray(spec.box.high)
    x = data.sensors.astype(np.float32)
    kept = ((x >= low) & (x <= high)).all(axis=1)
    x, truth = np.ascontiguousarray(x[kept]), data.field[kept]
    wrong = held(x) - truth
    relative = np.sqrt((wrong**2).sum((1, 2)) / (truth**2).sum((1, 2)))
    inside = float((np.abs(wrong).max((1, 2)) <= held.certificate.total).mean())
    return Row(name, relative, inside, int((~kept).sum()), timed(held, x[:1]))


def timed(model: edgepde_runtime.Model, x: Floats) -> float:
    """Microseconds of a call, the median of many."""
    call, spent = model.bind(x), list[float]()
    while len(spent) < 200 and sum(spent) < 0.02:
        began = perf_counter()
        call()
        spent.append(perf_counter() - began)
    return 1e6 * float(np.median(spent))


def rows(folder: Path, backend: str, count: int, names: Sequence[str] | None = None) -> list[Row]:
    """All operators of the bundle, or some."""
    model = edgepde_runtime.load(folder, backend=backend, cassettes=names)
    return [row(model, name, cases(model.bundle, name, count)) for name in names or model.cassettes]


def main() -> int:
    """Print the table; exit 1 where a number is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=HERE / "bundle")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--cases", type=int, default=100)
    args = parser.parse_args()
    found = rows(args.bundle, args.backend, args.cases)
    print(f"{args.cases} new draws of every operator; relative L2 error in %, share inside the stated bound")
    print(f"{'':20} {'mean':>9} {'median':>9} {'worst':>9} {'to reach':>9} {'inside':>7} {'us':>7}")
    for one in found:
        mean, middle, worst = (100.0 * f(one.relative) for f in (np.mean, np.median, np.max))
        target = "" if one.target is None else f"{100.0 * one.target:g}"
        share = f"{100.0 * one.inside:.1f}"
        print(f"{one.name:20} {mean:9.3g} {middle:9.3g} {worst:9.3g} {target:>9} {share:>7} {one.microseconds:7.0f}")
    missed = [one.name for one in found if not one.met]
    print(f"refused, outside an operator's box: {sum(one.refused for one in found)} draws")
    print("numbers to reach: " + (f"MISSED by {', '.join(missed)}" if missed else "met"))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
