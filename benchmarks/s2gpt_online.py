"""Does the S2GPT model of Burgers reach its targets, and when is something simpler better?

Trains on one thread, exports, and measures through the exported bundle: errors against Cole-Hopf, one query, bytes.
In the same table: the snapshots interpolated in log nu without any PDE, and one parametric PINN trained as long.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import edgepde_runtime
import torch
from _harness import OURS, PUBLISHED, Row, closing, on_one_thread, parser, publish, say, stdout_to_stderr
from edgepde_export import export
from edgepde_export.lowering.options import Naming
from edgepde_runtime.errors import EdgePDEError
from s2gpt_rivals import accuracy, errors, parametric, queries, tuning
from s2gpt_rivals.accuracy import Range
from s2gpt_rivals.ours import Ours, folder_bytes, obtain
from s2gpt_rivals.tuning import PINN


@dataclass(frozen=True)
class Model:
    """A box [low, 1]: what its offline stage may take, what the paper's took, and where its errors are asked for."""

    low: float
    quick: bool
    seconds: float
    published_seconds: float | None
    ranges: tuple[Range, ...]


PUBLISHED_ERRORS = (2.5e-3, 7.4e-3)
BUNDLE_KB = 300.0
WIDE = Model(0.005, False, 240.0, 0.78 * 3600, (Range(0.02, 5e-5, 3e-4, PUBLISHED_ERRORS), Range(0.005, 2e-4, 2e-3)))
NARROW = Model(0.05, True, 90.0, None, (Range(0.05, published=PUBLISHED_ERRORS),))


@dataclass(frozen=True)
class Effort:
    """How much is measured: `viscosities` log-spaced and as many drawn, seconds of timing, widths the PINN may take."""

    viscosities: int = 64
    timing_seconds: float = 15.0
    widths: tuple[int, ...] = (16, 24, 32)


QUICK = Effort(32, 5.0, (24,))


def answer(asked: Model, ours: Ours, folder: Path, effort: Effort, seed: int) -> list[Row]:
    """All rows of one box."""
    unseen = tuning.validation(ours, seed)
    degree = tuning.degree(ours, unseen)
    width = tuning.width(ours, effort.widths, unseen, seed)
    rival = export(
        tuning.pinn(ours, width, ours.seconds, seed),
        folder / "pinn",
        domain=parametric.box_of(ours.loaded.problem),
        naming=Naming("parametric_pinn", "x", "u", "m/s"),
    )
    rows = costs(asked, ours, rival, width)
    model = edgepde_runtime.load(rival, backend="ort")
    for part in asked.ranges:
        say(f"errors for nu in [{part.low:g}, 1]")
        nu = errors.viscosities(part.low, 1.0, effort.viscosities, seed, ours.loaded.reference.parameters)
        rows += accuracy.rows(ours, part, model, degree, errors.questions(nu))
    say("timing queries")
    return rows + queries.rows(ours, model, effort.timing_seconds, seed)


def costs(asked: Model, ours: Ours, rival: Path, width: int) -> list[Row]:
    """What the offline stage takes and what is shipped."""
    note = "as its run recorded it" if ours.recorded else "the whole command"
    offline, size = f"model of {ours.words}: offline", f"model of {ours.words}: bundle"
    rows = [Row(offline, OURS, "s", ours.seconds, asked.seconds, note=note)]
    rows.append(Row(offline, PINN, "s", ours.seconds, note=f"as long by choice; 3-{width}-{width}-1"))
    if asked.published_seconds:
        rows.append(Row(offline, PUBLISHED, "s", asked.published_seconds, note="on a GPU"))
    rows.append(Row(size, OURS, "KB", folder_bytes(ours.bundle) / 1e3, BUNDLE_KB))
    rows.append(Row(size, PINN, "KB", folder_bytes(rival) / 1e3))
    return rows


def arguments() -> argparse.Namespace:
    """What was typed."""
    made = parser(__doc__ or "")
    made.add_argument("--run", type=Path, metavar="RUN", help="a finished run of [0.005, 1] instead of training one")
    made.add_argument("--bundle", type=Path, metavar="BUNDLE", help="the bundle of --run instead of exporting it")
    made.add_argument("--run-narrow", type=Path, metavar="RUN", help="a finished run of [0.05, 1]")
    args = made.parse_args()
    if args.bundle and not args.run:
        made.error("--bundle needs the --run it was exported from")
    if args.quick and args.run:
        made.error("--quick asks for [0.05, 1] alone: give --run-narrow")
    return args


def remarks(effort: Effort, seed: int) -> list[str]:
    """How the figures were made."""
    return [
        f"errors: L2 over [-1, 1] x [0, 1] against Cole-Hopf, {errors.ACROSS} x {errors.ALONG} float32 points gathered "
        "at x = 0, midpoint rule",
        f"ours and the {PINN} through their bundles on ort; interpolation and fit from the snapshots in float64",
        f"{effort.viscosities} log-spaced + {effort.viscosities} drawn nu per range, seed {seed}, none a snapshot",
        "settings of the rivals chosen on other nu; interpolation through the greedy nodes, the snapshots there are",
        "one thread throughout; queries in turn and warm, each at the next of 16 nu",
    ]


def main() -> None:
    """The question; what is wrong with a given run or bundle is told in a line."""
    args = arguments()
    on_one_thread()
    torch.set_num_threads(1)
    try:
        ask(args)
    except EdgePDEError as error:
        raise SystemExit(f"s2gpt_online: {error}") from None


def ask(args: argparse.Namespace) -> None:
    """Both boxes, or with --quick the narrow one alone."""
    effort = QUICK if args.quick else Effort()
    given = {WIDE: (args.run, args.bundle), NARROW: (args.run_narrow, None)}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place, stdout_to_stderr():
        for asked in (NARROW,) if args.quick else (WIDE, NARROW):
            folder = Path(place) / f"{asked.low:g}"
            folder.mkdir()
            rows += answer(
                asked, obtain(folder, asked.low, asked.quick, args.seed, *given[asked]), folder, effort, args.seed
            )
    settings = {"threads": 1, "viscosities": effort.viscosities, "widths": effort.widths}
    publish(args, rows, settings, remarks(effort, args.seed), closing(rows))


if __name__ == "__main__":
    main()
