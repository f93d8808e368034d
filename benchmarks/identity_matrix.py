"""Do all processors and compilers give the same bits?

Programs come from the modules benchmarks/identity/<name>.py, targets from tests/support/targets/table.py. The reference
are committed hashes, or what the first target prints. Emulators stand in for processors that are not here.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the rig that runs C programs belongs to the tests

import identity
from _harness import Row, parser, publish, say
from edgepde_runtime import render
from support.targets import (
    ALL,
    IDENTITY,
    RISCV,
    BuildFailed,
    RunFailed,
    Target,
    available,
    build,
    differing,
    lines,
    run,
)
from support.targets.programs import Source

LEVELS = ("-O0", "-O2", "-Os", "-O3")
UNIT = "hashes that differ"


def sources(folder: Path, seed: int) -> Iterator[Source]:
    """Every program of every module in the folder."""
    for entry in pkgutil.iter_modules(identity.__path__):
        place = folder / "sources" / entry.name
        place.mkdir(parents=True)
        yield from importlib.import_module(f"{identity.__name__}.{entry.name}").programs(place, seed)


def expected(source: Source) -> dict[str, str]:
    """The committed hashes of a program; none where the first target is the reference."""
    return lines(source.golden.read_text(encoding="utf-8")) if source.golden.is_file() else {}


def row(source: Source, target: Target, level: str, reference: dict[str, str], folder: Path) -> Row:
    """One program on one target; an empty reference becomes what it prints. What fails differs infinitely."""
    case = f"{source.name} {level}"
    reason = available(target)
    if reason:
        return Row(case, target.name, UNIT, None, 0.0, note=reason)
    try:
        program = build(target, source.sources, folder, includes=source.includes, optimise=level)
        printed = lines(run(program))
    except (BuildFailed, RunFailed, ValueError) as error:
        say(str(error))
        return Row(case, target.name, UNIT, math.inf, 0.0, note=str(error).splitlines()[-1][:100])
    reference.update({} if reference else printed)
    names = differing(printed, reference)
    return Row(case, target.name, UNIT, float(len(names)), 0.0, note=" ".join(names))


def matrix(rows: Sequence[Row]) -> str:
    """Targets downwards, programs and optimisation levels across."""
    cases = list(dict.fromkeys(found.case for found in rows))
    words = {(found.rival, found.case): verdict(found) for found in rows}
    names = dict.fromkeys(found.rival for found in rows)
    body = [(name, *(words.get((name, case), "") for case in cases)) for name in names]
    return render.table(body, ("target", *cases))


def verdict(found: Row) -> str:
    """A cell of the matrix."""
    if found.measured is None:
        return "not here"
    return "same" if found.met else "FAILED" if math.isinf(found.measured) else "DIFFERS"


def compilers(targets: Sequence[Target]) -> Mapping[str, str]:
    """The first line each compiler says about itself."""
    commands = {target.compiler for target in targets if available(target) is None}
    said = {}
    for command in sorted(commands):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
        said[" ".join(Path(word).name for word in command)] = done.stdout.partition("\n")[0]
    return said


def main() -> None:
    """Every program at every level on every target; --quick: each target's own level, without zig."""
    args = parser(__doc__ or "").parse_args()
    targets = (*IDENTITY, RISCV) if args.quick else ALL
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for source in sources(folder, args.seed):
            reference = expected(source)
            for target in targets:
                say(f"{source.name}: {target}")
                for level in (target.optimise,) if args.quick else LEVELS:
                    rows.append(row(source, target, level, reference, folder / "build"))
    same = sum(found.met is True for found in rows)
    missing = sum(found.measured is None for found in rows)
    last = f"{same} of {len(rows) - missing} builds give the same bits; {missing} could not be tried here"
    publish(args, rows, {"threads": 1, "compilers": compilers(targets)}, [matrix(rows)], last)


if __name__ == "__main__":
    main()
