"""Does the S2GPT model of Burgers reach its targets, and when is something simpler better?

Trains on one thread, exports, and measures through the exported bundle: errors against Cole-Hopf, one query, bytes.
In the same table: the snapshots interpolated in log nu without any PDE, and one parametric PINN trained as long.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import edgepde_runtime
import numpy as np
import torch
from _harness import OURS, PUBLISHED, Row, on_one_thread, parser, publish, say, stdout_to_stderr, timing
from edgepde_export import export
from edgepde_export.lowering.graph import to_onnx
from edgepde_export.lowering.module import Naming
from edgepde_export.lowering.prepare import prepare
from edgepde_export.passes.clean import serialize
from edgepde_runtime.backends import ort
from edgepde_runtime.latency import Call, Latency, measure
from numpy.typing import NDArray
from s2gpt_rivals import errors, interpolation, parametric
from s2gpt_rivals.ours import Ours, field_of, folder_bytes, obtain

from edgepde.s2gpt.compress import small_of

Array = NDArray[np.float64]

INTERPOLATED, FITTED, PINN = "log-nu interpolation", "log-nu polynomial fit", "parametric PINN"
QUERY_POINTS = 10_000
WIDTHS = (16, 24, 32)
QUICK_WIDTHS = (24,)
PILOT = 0.25


@dataclass(frozen=True)
class Range:
    """A range of viscosities, what our errors there must reach (None: no target), and what the paper's code reached."""

    low: float
    median: float | None = None
    maximum: float | None = None
    published: tuple[float, float] | None = None


@dataclass(frozen=True)
class Model:
    """A box [low, 1]: what its offline stage may take, what the paper's took, and where its errors are asked for."""

    low: float
    quick: bool
    seconds: float
    published_seconds: float | None
    ranges: tuple[Range, ...]


PUBLISHED_ERRORS = (2.5e-3, 7.4e-3)
PUBLISHED_QUERY_MS = 315.0
WIDE = Model(0.005, False, 240.0, 0.78 * 3600, (Range(0.02, 5e-5, 3e-4, PUBLISHED_ERRORS), Range(0.005, 2e-4, 2e-3)))
NARROW = Model(0.05, True, 90.0, None, (Range(0.05, published=PUBLISHED_ERRORS),))


def tuned_width(ours: Ours, widths: tuple[int, ...], seed: int) -> int:
    """The width whose short training has the least median times maximum error on viscosities of a draw of their own."""
    if len(widths) == 1:
        return widths[0]
    asked = validation(ours, seed)
    found = {}
    for width in widths:
        network = pinn(ours, width, PILOT * ours.seconds, seed)
        e = asked.errors(lambda nu, points, network=network: evaluate(network, nu, points))  # type: ignore[misc]
        found[width] = float(np.median(e) * e.max())
        say(f"{PINN} of width {width}: median {np.median(e):.1e}, maximum {e.max():.1e} on validation viscosities")
    return min(found, key=lambda width: found[width])


def validation(ours: Ours, seed: int) -> errors.Questions:
    """Viscosities for choosing settings: another draw than any of the test."""
    nu = errors.viscosities(ours.low, 1.0, 12, seed + 1_000_003, ours.loaded.reference.parameters)
    return errors.questions(nu, across=100, along=40)


def pinn(ours: Ours, width: int, seconds: float, seed: int) -> parametric.Network:
    """The parametric PINN after that many seconds."""
    say(f"training the {PINN} of width {width} for {seconds:.0f} s")
    trained = parametric.train(ours.loaded.problem, width, seconds, seed)
    say(f"{trained.steps} steps, relative residual {trained.residual:.1e}")
    return parametric.Network(ours.loaded.problem, trained)


def inputs_of(nu: Array, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(x, t, log nu) float32 [M, 3]."""
    return np.concatenate([points, np.full((len(points), 1), np.log(nu[0, 0]), dtype=np.float32)], axis=1)


def evaluate(network: parametric.Network, nu: Array, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """u [1, M] by torch."""
    with torch.no_grad():
        return network(torch.from_numpy(inputs_of(nu, points)))[:, 0].numpy()[None]


def error_rows(case: str, rival: str, found: Array, asked: Range) -> Iterator[Row]:
    """Median with quartiles, and maximum; targets are ours alone."""
    median, maximum = (asked.median, asked.maximum) if rival == OURS else (None, None)
    quartiles = (float(np.quantile(found, 0.25)), float(np.quantile(found, 0.75)))
    yield Row(f"{case}, median", rival, "relative L2", float(np.median(found)), median, spread=quartiles)
    yield Row(f"{case}, maximum", rival, "relative L2", float(found.max()), maximum)


def accuracy(ours: Ours, asked: Range, rival: edgepde_runtime.Model, count: int, seed: int) -> tuple[list[Row], str]:
    """Every contestant at the same viscosities and points, and what was seen on the way."""
    known = ours.loaded.reference
    exact = errors.questions(errors.viscosities(asked.low, 1.0, count, seed, known.parameters))
    model = ours.open()
    passing = interpolation.Snapshots.at(known, exact.points)
    chosen = best_degree(ours, seed)
    fields: dict[str, errors.Field] = {
        OURS: lambda nu, points: field_of(model, nu, points),
        INTERPOLATED: passing.field,
        FITTED: passing.fitted(chosen).field,
        PINN: lambda nu, points: np.asarray(rival(inputs_of(nu, points)))[:, 0][None],
    }
    case = f"model of {ours.words}: nu in [{asked.low:g}, 1]"
    rows = [row for name, field in fields.items() for row in error_rows(case, name, exact.errors(field), asked)]
    if asked.published:
        note = "against its own PINN, nu >= 0.067"
        for words, value in zip(("median", "maximum"), asked.published, strict=True):
            rows.append(Row(f"{case}, {words}", PUBLISHED, "relative L2", value, note=note))
    lebesgue = interpolation.amplification(passing)
    remark = f"{ours.words}: {known.size} greedy nodes, Lebesgue constant {lebesgue:.0f}; fit of degree {chosen}"
    return rows, f"{remark}, chosen on validation viscosities"


def best_degree(ours: Ours, seed: int) -> int:
    """The degree below N - 1 whose fit has the least median times maximum error on validation viscosities."""
    asked = validation(ours, seed)
    snapshots = interpolation.Snapshots.at(ours.loaded.reference, asked.points)
    found = {}
    for degree in range(max(1, ours.loaded.reference.size // 2), ours.loaded.reference.size - 1):
        e = asked.errors(snapshots.fitted(degree).field)
        found[degree] = float(np.median(e) * e.max())
    return min(found, key=lambda degree: found[degree])


def changing(call: Call, place: NDArray[np.floating], values: Array) -> Call:
    """The call at another viscosity each time: `place` [.., 1] is an input it reads."""
    turn = cycle(values)

    def query() -> object:
        place[...] = next(turn)
        return call()

    return query


def queries(ours: Ours, rival: edgepde_runtime.Model, seed: int) -> dict[str, Call]:
    """One query of every contestant, warm, on ONNX Runtime, at viscosities drawn log-uniformly."""
    rng = np.random.default_rng(seed)
    nu = ours.low ** rng.random(16)
    points = np.stack([2.0 * rng.random(QUERY_POINTS) - 1.0, rng.random(QUERY_POINTS)], axis=1).astype(np.float32)
    model, one = ours.open(), points[:1].copy()
    calls: dict[str, Call] = {}
    for words, where in ((f"{QUERY_POINTS:,} points", points), ("1 point", one)):
        mu = np.ones((1, 1))
        calls[f"{words}|{OURS}"] = changing(model.bind(parameters=mu, points=where), mu, nu)
        x = inputs_of(mu, where)
        calls[f"{words}|{PINN}"] = changing(rival.bind(x), x[:, 2:], np.log(nu))
        calls[f"{words}|{INTERPOLATED}"] = interpolated_query(ours, where, nu)
    again = np.ones((1, 1))
    free = changing(lambda: model(parameters=again, points=points), again, nu)
    return {**calls, f"{QUERY_POINTS:,} points, arrays not bound|{OURS}": free}


def interpolated_query(ours: Ours, points: NDArray[np.float32], nu: Array) -> Call:
    """The interpolation's graph in ONNX Runtime: a polynomial for the coefficients, then our field table."""
    dynamic = {"parameters": {0: "B"}, "points": {0: "M"}}
    graph = to_onnx(interpolation.Query(small_of(ours.loaded)).eval(), interpolation.example(), dynamic, ["u"])
    mu, u = np.ones((1, 1)), np.empty((1, len(points)), dtype=np.float32)
    backend = ort.load(serialize(prepare(graph, lambda _: None)))
    return changing(backend.bind({"parameters": mu, "points": points}, {"u": u}), mu, nu)


def speed(ours: Ours, rival: edgepde_runtime.Model, seconds: float, seed: int) -> list[Row]:
    """One query: medians of calls in turn. The interpolation's checks no box and no residual."""
    rows = []
    for name, latency in measured(queries(ours, rival, seed), seconds).items():
        words, contestant = name.split("|")
        target = 5.0 if words == f"{QUERY_POINTS:,} points" and contestant == OURS else None
        rows.append(timing(f"model of {ours.words}: one query, {words}", contestant, latency, target))
        if target:
            rows.append(Row(rows[-1].case, PUBLISHED, "ms", PUBLISHED_QUERY_MS, note="hardware unknown"))
    return rows


def measured(calls: dict[str, Call], seconds: float) -> dict[str, Latency]:
    """Latency of each, without the floor."""
    times = measure(calls, seconds)
    return {name: times[name] for name in calls}


def answer(asked: Model, ours: Ours, folder: Path, args: argparse.Namespace) -> tuple[list[Row], list[str]]:
    """All rows of one box."""
    width = tuned_width(ours, QUICK_WIDTHS if args.quick else WIDTHS, args.seed)
    network = pinn(ours, width, ours.seconds, args.seed)
    naming = Naming("parametric_pinn", "x", "u", "m/s")
    bundle = export(network, folder / "pinn", domain=parametric.box_of(ours.loaded.problem), naming=naming)
    rival = edgepde_runtime.load(bundle, backend="ort")
    note = "as its run recorded it" if ours.recorded else "the whole command"
    offline, size = f"model of {ours.words}: offline", f"model of {ours.words}: bundle"
    rows = [Row(offline, OURS, "s", ours.seconds, asked.seconds, note=note)]
    rows.append(Row(offline, PINN, "s", ours.seconds, note=f"as long; 3-{width}-{width}-1"))
    if asked.published_seconds:
        rows.append(Row(offline, PUBLISHED, "s", asked.published_seconds, note="on a GPU"))
    rows.append(Row(size, OURS, "KB", folder_bytes(ours.bundle) / 1e3, 300.0))
    rows.append(Row(size, PINN, "KB", folder_bytes(bundle) / 1e3))
    remarks = []
    for part in asked.ranges:
        say(f"errors for nu in [{part.low:g}, 1]")
        found, remark = accuracy(ours, part, rival, 32 if args.quick else 64, args.seed)
        rows += found
        remarks.append(remark)
    say("timing queries")
    return rows + speed(ours, rival, 5.0 if args.quick else 15.0, args.seed), list(dict.fromkeys(remarks))


def main() -> None:
    """The whole question, or with --quick the narrow box alone."""
    made = parser(__doc__ or "")
    made.add_argument("--run", type=Path, metavar="RUN", help="a finished run of [0.005, 1] instead of training one")
    made.add_argument("--bundle", type=Path, metavar="BUNDLE", help="the bundle of --run instead of exporting it")
    made.add_argument("--run-narrow", type=Path, metavar="RUN", help="a finished run of [0.05, 1]")
    args = made.parse_args()
    if args.bundle and not args.run:
        made.error("--bundle needs the --run it was exported from")
    if args.quick and args.run:
        made.error("--quick asks for [0.05, 1] alone: give --run-narrow")
    on_one_thread()
    torch.set_num_threads(1)
    rows: list[Row] = []
    remarks = [
        f"errors: L2 over [-1, 1] x [0, 1], {errors.ACROSS} x {errors.ALONG} float32 points gathered at x = 0, midpoint rule",
        f"ours and the {PINN} through their bundles on ort; interpolation and fit from the snapshot networks in float64",
        f"{'32 + 32' if args.quick else '64 + 64'} viscosities per range: log-spaced, and log-uniform of seed {args.seed}",
        "one thread; queries in turn, warm, median and quartiles; the interpolation's query checks no input",
    ]
    with tempfile.TemporaryDirectory() as place, stdout_to_stderr():
        for asked in (NARROW,) if args.quick else (WIDE, NARROW):
            folder = Path(place) / f"{asked.low:g}"
            given = (args.run_narrow, None) if asked is NARROW else (args.run, args.bundle)
            more, words = answer(asked, obtain(folder, asked.quick, args.seed, *given), folder, args)
            rows, remarks = rows + more, remarks + words
    settings = {"threads": 1, "widths": QUICK_WIDTHS if args.quick else WIDTHS, "points": errors.ACROSS * errors.ALONG}
    publish(args, rows, settings, remarks)


if __name__ == "__main__":
    main()
