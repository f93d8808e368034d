"""How far are the elementary functions of the kernels from the truth?

float32: all 2^32 inputs against the C library's vector functions in double, the worst checked in long double; with
--quick every 4099th. float64: 10^7 random and structured inputs against long double. --proof instead prints what is
proved: the polynomials' errors in both precisions, and bounds of the float64 kernels.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import edgepde_runtime
import numpy as np
from _harness import OURS, Row, parser, publish, say
from edgepde_runtime.rooms import Room, folders
from native.build import compiler, isas
from ulp_sweep import polynomials
from ulp_sweep.proof import BOUNDS

HERE = Path(__file__).parent / "ulp_sweep"
PACKAGE = Path(edgepde_runtime.__file__).parent
QUICK_STEP, QUICK_COUNT, COUNT = 4099, 10**5, 10**7
WORKERS = 2
SPECIAL = ("0", "-0", "inf", "-inf", "nan", "1e-45", "-1e-45", "3.4e38", "-3.4e38")
SIDES = {"o": "odd", "e": "even", "p": "NaN below 0", " ": ""}
UNDEFINED = 2.0**999


def build(folder: Path) -> Path:
    """The program: kernels with the house's flags, the reference alone with -ffast-math, linked without it."""
    rooms = [PACKAGE / "ops" / room for room in folders()]
    include = [f"-I{path}" for path in (HERE, PACKAGE / "kernels", *rooms) if list(path.glob("*.h"))]
    isa = isas()[0].flags if isas() else ()
    flags = {
        "sweep": ("-std=c99", "-D_GNU_SOURCE", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", *isa),
        "reference": ("-std=gnu99", "-ffast-math", *isa),
        "exact": ("-std=gnu99",),
    }
    for name, words in flags.items():
        command = [compiler(), "-O3", *words, *include, "-c", str(HERE / f"{name}.c"), "-o", str(folder / f"{name}.o")]
        subprocess.run(command, check=True)
    objects = [str(folder / f"{name}.o") for name in flags]
    program = folder / "sweep"
    subprocess.run([compiler(), *objects, "-lmvec", "-lm", "-o", str(program)], check=True)
    return program


def ask(program: Path, *words: object) -> Any:
    """What the program prints."""
    done = subprocess.run(["nice", "-n", "10", program, *map(str, words)], check=True, capture_output=True, text=True)
    if len(words) > 1:
        say(" ".join(map(str, words[:2])))
    return json.loads(done.stdout)


def room_of(name: str) -> Room:
    """The room whose kernel it is; gelu_tanh is gelu's."""
    return Room(name if name in folders() else name.split("_", maxsplit=1)[0])


def promised(name: str, double: bool) -> float:
    """What the room's bound.py says; half a unit where it says that the kernel rounds once."""
    own = room_of(name).rounding.own_ulps
    return own[double] if own else 0.5


def special_wrong(program: Path, name: str) -> list[str]:
    """The special inputs where the kernel is not as the room's reference: NaN, infinity, zero, sign."""
    wrong = []
    for text, answers in zip(SPECIAL, ask(program, "special", name, *SPECIAL), strict=True):
        for answer, dtype in zip(answers, (np.float32, np.float64), strict=True):
            y, expected = float.fromhex(answer), reference(name, np.float32(text).astype(dtype))
            same = math.isnan(y) == math.isnan(expected) and math.isinf(y) == math.isinf(expected)
            if not same or (y == 0) != (expected == 0) or (y < 0) != (expected < 0):
                wrong.append(f"{name}({text}) = {y} in {np.dtype(dtype)}, expected {expected}")
    return wrong


def reference(name: str, x: Any) -> float:
    """The room's numpy reference at one number."""
    room = room_of(name)
    attributes = {"approximate": "tanh" if name == "gelu_tanh" else "none"} if room.folder == "gelu" else {}
    with np.errstate(all="ignore"):
        return float(room.run([np.array([x])], attributes)[0][0])


def rows_of(program: Path, entry: dict[str, str], found: Sequence[dict[str, Any]]) -> Iterator[Row]:
    """The rows of one function: its errors, and what else it must keep."""
    name = entry["name"]
    for tally, double in zip(found, (False, True), strict=True):
        case = f"{name} {'float64' if double else 'float32'}"
        above = f"{tally['above'] / tally['inputs']:.2g} of {tally['inputs']} inputs above 1"
        note = f"at {tally['at']:.9g}; {above}"
        worst = tally["worst"] if tally["worst"] < UNDEFINED else math.inf
        yield Row(case, OURS, "ulp", worst, promised(name, double), note=note)
    wrong = special_wrong(program, name)
    kept = [
        SIDES[entry["side"]],
        "monotone" * (entry["direction"] != " "),
        "at most 1 where the truth is",
        "special values",
    ]
    broken = sum(tally[key] for tally in found for key in ("astray", "disordered", "beyond")) + len(wrong)
    note = "; ".join([", ".join(filter(None, kept)), *wrong])
    yield Row(f"{name} kept", OURS, "inputs where not", broken, 0, note=note)


def proofs() -> Iterator[Row]:
    """Bounds of the float64 kernels in ulp, and of the polynomials."""
    for name, bound in BOUNDS.items():
        say(name)
        yield Row(f"{name} float64", OURS, "ulp", bound(), promised(name, True), note="every rounding counted")
    for name, polynomial in vars(polynomials).items():
        for bits in (32, 64) if name.endswith("_error") else ():
            note = (polynomial.__doc__ or "").rstrip(".")
            yield Row(f"{name} float{bits}", OURS, "1", float(polynomial(bits)), note=note)


def main(argv: Sequence[str] | None = None) -> int:
    """Sweep every function of functions.h."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--proof", action="store_true", help="what is proved, without a sweep")
    args = arguments.parse_args(argv)
    if args.proof:
        rows = list(proofs())
        publish(args, rows, {"proof": True}, ["Bernstein bounds of polynomials, interval bounds of roundings."], "")
        return _status(rows)
    step, count = (QUICK_STEP, QUICK_COUNT) if args.quick else (1, COUNT)
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        functions = ask(program, "list")
        jobs = [(kind, f["name"], n, args.seed) for f in functions for kind, n in (("f32", step), ("f64", count))]
        with ThreadPoolExecutor(WORKERS) as pool:
            found = list(pool.map(lambda words: ask(program, *words), jobs))
        pairs = zip(found[::2], found[1::2], strict=True)
        rows = [row for f, pair in zip(functions, pairs, strict=True) for row in rows_of(program, f, pair)]
    remarks = [
        "ulp: units in the last place of the exact value; infinity counts as the next power of two.",
        "float32: the reference is off by a few 1e-8 ulp; targets are what ops/<op>/bound.py promises.",
    ]
    publish(args, rows, {"step": step, "count": count, "workers": WORKERS}, remarks, "")
    return _status(rows)


def _status(rows: Sequence[Row]) -> int:
    return 0 if all(row.met is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
