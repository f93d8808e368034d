"""What all benchmarks share: arguments, rows with targets, the table, the document, one thread, the machine."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from edgepde_runtime import machine, render
from edgepde_runtime.latency import Latency

SCHEMA_VERSION = 1
OURS = "ours"
PUBLISHED = "the paper's code"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Row:
    """One figure. goal: which way is better; target: what it must reach, if anything; spread: quartiles of a median.

    measured is None where it could not be measured; `note` then says why.
    """

    case: str
    rival: str
    unit: str
    measured: float | None
    target: float | None = None
    goal: Literal["<=", ">="] = "<="
    spread: tuple[float, float] | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target or a measurement. NaN reaches nothing."""
        if self.measured is None or self.target is None:
            return None
        return self.measured <= self.target if self.goal == "<=" else self.measured >= self.target

    def beats(self, other: Row) -> bool:
        """Whether this figure is the better one; a figure beats none, None and NaN beat nothing."""
        if self.measured is None or math.isnan(self.measured):
            return False
        if other.measured is None or math.isnan(other.measured):
            return True
        return self.measured < other.measured if self.goal == "<=" else self.measured > other.measured

    def as_dict(self) -> dict[str, Any]:
        """The row of the document; a figure that is not finite is null there."""
        return {
            "case": self.case,
            "rival": self.rival,
            "unit": self.unit,
            "measured": _finite(self.measured),
            "goal": self.goal,
            "target": self.target,
            "met": self.met,
            "spread": [_finite(v) for v in self.spread] if self.spread else None,
            "note": self.note,
        }


def timing(case: str, rival: str, latency: Latency, target: float | None = None, note: str = "") -> Row:
    """The median of a latency in milliseconds with its quartiles."""
    quartiles = (latency.quantile(0.25) / 1e3, latency.quantile(0.75) / 1e3)
    return Row(case, rival, "ms", latency.p50 / 1e3, target, spread=quartiles, note=note)


def closing(rows: Sequence[Row]) -> str:
    """The lines that say in which cases a rival is better than ours."""
    ours = {(row.case, row.unit): row for row in rows if row.rival == OURS}
    won = []
    for row in rows:
        own = ours.get((row.case, row.unit))
        if own is not None and row is not own and row.beats(own):
            figures = f"{render.number(row.measured)} against {render.number(own.measured)} {row.unit}"
            won.append(f"{row.case}: {row.rival} {figures.rstrip()}")
    return "\n  ".join(["where a rival is better:", *(won or ["nowhere in this table"])])


def table(rows: Sequence[Row]) -> str:
    """The rows as people read them."""
    marks = {True: "met", False: "MISSED", None: ""}
    lines = []
    for row in rows:
        goal = f"{row.goal} {row.target:g}" if row.target is not None else ""
        spread = f"{render.number(row.spread[0])} .. {render.number(row.spread[1])}" if row.spread else ""
        lines.append(
            (row.case, row.rival, render.number(row.measured), spread, row.unit, goal, marks[row.met], row.note)
        )
    return render.table(lines, ("case", "rival", "measured", "quartiles", "unit", "target", "", "note"), right=(2, 3))


def document(rows: Sequence[Row], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON document; settings: seed, threads and whatever else repeats the run."""
    packages = {name: version(name) for name in ("torch", "onnxruntime", "edgepde")}
    return {
        "schema_version": SCHEMA_VERSION,
        "rows": [row.as_dict() for row in rows],
        "settings": dict(settings),
        "machine": {**machine.describe(), **packages, "load_average": round(os.getloadavg()[0], 2)},
    }


def parser(question: str) -> argparse.ArgumentParser:
    """The arguments of every benchmark."""
    made = argparse.ArgumentParser(description=question)
    made.add_argument("--quick", action="store_true", help="a smaller version of the same question")
    made.add_argument("--seed", type=int, default=0, metavar="N", help="fixes everything random (default: 0)")
    made.add_argument("--json", metavar="FILE", help="write one JSON document; - for stdout, the table then on stderr")
    return made


def publish(
    args: argparse.Namespace, rows: Sequence[Row], settings: Mapping[str, Any], remarks: Sequence[str], last: str
) -> None:
    """Print the table, the remarks, this machine and the last words; write the document where --json asks for one."""
    made = document(rows, {"quick": args.quick, "seed": args.seed, **settings})
    stream = sys.stderr if args.json == "-" else sys.stdout
    facts = made["machine"]
    here = f"{facts['cpu']}, {facts['cores']} cores, load average {facts['load_average']}"
    print(f"\n{table(rows)}\n", *remarks, here, last, sep="\n", file=stream, flush=True)
    text = json.dumps(made, indent=1, allow_nan=False)
    if args.json == "-":
        print(text)
    elif args.json:
        Path(args.json).write_text(f"{text}\n", encoding="utf-8")


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def on_one_thread() -> None:
    """Start this script again with one thread for every numerical library, unless it was started so."""
    if any(os.environ.get(name) != "1" for name in THREADS):
        environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """What libraries print goes to stderr, so that stdout holds the document alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
