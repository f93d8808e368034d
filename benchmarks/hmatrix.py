"""Do adaptive error-bounded hierarchical matrices shrink networks and operators, and does anything simpler do better?

One part per question: storage of wide PINNs at equal proved output error, of a Green operator, latency of operator
layers, training in the format, updates, errors over depth. Trained PINNs are looked for in --runs, and trained there,
resumably, where they are missing.
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

import hmatrix_parts
import torch
from _harness import Row, closing, on_one_thread, parser, publish, say, stdout_to_stderr

from edgepde.errors import EdgePDEError


def parts() -> dict[str, ModuleType]:
    """The parts by name: modules of hmatrix_parts that define rows."""
    folder = Path(next(iter(hmatrix_parts.__path__)))
    found = {}
    for path in sorted(folder.glob("[!_]*.py")):
        if "\ndef rows(" in path.read_text(encoding="utf-8"):
            found[path.stem] = importlib.import_module(f"hmatrix_parts.{path.stem}")
    return found


def asked(part: ModuleType, given: dict[str, Any]) -> list[Row]:
    """The rows of a part, which takes what it needs of quick, runs, seed and plot."""
    takes = inspect.signature(part.rows).parameters
    made: list[Row] = part.rows(**{name: value for name, value in given.items() if name in takes})
    return made


def arguments(names: Sequence[str]) -> argparse.Namespace:
    """What was typed."""
    made = parser(__doc__ or "")
    made.add_argument("--runs", type=Path, metavar="DIR", help="trained PINNs, kept there; else in a temporary folder")
    made.add_argument("--only", action="append", choices=names, metavar="PART", help=f"of {', '.join(names)}")
    made.add_argument("--plot", type=Path, metavar="FILE.png", help="the errors over depth as a figure")
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
        given = {"quick": args.quick, "runs": runs, "seed": args.seed, "plot": args.plot}
        for name in args.only or sorted(known):
            say(f"{name}:")
            try:
                rows += asked(known[name], given)
            except EdgePDEError as error:
                raise SystemExit(f"hmatrix: {name}: {error}") from None
    remarks = [f"{name}: {(known[name].__doc__ or '').splitlines()[0]}" for name in args.only or sorted(known)]
    publish(args, rows, {"threads": 1, "parts": args.only or sorted(known)}, remarks, closing(rows))


if __name__ == "__main__":
    main()
