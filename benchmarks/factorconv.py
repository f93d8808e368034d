"""Do convolutions factorised before training, or simpler factorised models, make wave simulators smaller and faster?

One part per question: numbers at equal error against the smallest good dense net, an over-sized dense net and its
twin, latency, memory, few or noisy data, the data's own accuracy, coarser finite elements. Trainings are kept in --runs
and read from there; seconds of training are processor time of one thread.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import factorconv_parts
import torch
from _harness import Row, closing, on_one_thread, parser, publish, say, stdout_to_stderr

from edgepde.errors import EdgePDEError


def parts() -> dict[str, ModuleType]:
    """The parts by name: modules of factorconv_parts that define rows."""
    folder = Path(next(iter(factorconv_parts.__path__)))
    found = {}
    for path in sorted(folder.glob("[!_]*.py")):
        if "\ndef rows(" in path.read_text(encoding="utf-8"):
            found[path.stem] = importlib.import_module(f"factorconv_parts.{path.stem}")
    return found


def asked(part: ModuleType, given: dict[str, Any]) -> list[Row]:
    """The rows of a part, which takes what it needs of quick, runs and seed."""
    takes = inspect.signature(part.rows).parameters
    made: list[Row] = part.rows(**{name: value for name, value in given.items() if name in takes})
    return made


def arguments(names: Sequence[str]) -> argparse.Namespace:
    """What was typed."""
    made = parser(__doc__ or "")
    made.add_argument("--runs", type=Path, metavar="DIR", help="data and trained nets, kept there; else temporary")
    made.add_argument("--only", action="append", choices=names, metavar="PART", help=f"of {', '.join(names)}")
    return made.parse_args()


def main() -> None:
    """Ask all parts, or those of --only, and print one table."""
    known = parts()
    args = arguments(sorted(known))
    on_one_thread()
    torch.set_num_threads(1)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place, stdout_to_stderr():
        runs = args.runs or Path(place)
        runs.mkdir(parents=True, exist_ok=True)
        given = {"quick": args.quick, "runs": runs, "seed": args.seed}
        for name in args.only or sorted(known):
            say(f"{name}:")
            try:
                rows += asked(known[name], given)
            except EdgePDEError as error:
                raise SystemExit(f"factorconv: {name}: {error}") from None
    remarks = [f"{name}: {(known[name].__doc__ or '').splitlines()[0]}" for name in args.only or sorted(known)]
    publish(args, rows, {"threads": 1, "parts": args.only or sorted(known)}, remarks, closing(rows))


if __name__ == "__main__":
    main()
