"""What do weights in fewer bits save, and what do they cost in time and in error?

Tanh networks of random weights, exported with each --precision: bytes of the weights, proved error of storing, and
microseconds of processor time per call of the C code on every instruction set here, f32 beside it in every round.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import edgepde_export
import numpy as np
import torch
from _harness import OURS, Row, on_one_thread, parser, publish, say
from edgepde_export.passes.precision import PRECISIONS
from edgepde_runtime import Box
from edgepde_runtime.backends.c99 import C99Backend, load_bundle
from edgepde_runtime.bundle import read
from edgepde_runtime.library import ISAS

NETWORKS = {"2-64x3": (2, 64, 64, 64, 1), "3-64x4": (3, 64, 64, 64, 64, 1), "3-256x3": (3, 256, 256, 256, 1)}
BATCHES = (1, 16, 256)
ROUNDS, QUICK_ROUNDS, LEAST_SECONDS = 41, 9, 2e-3
# A single row of a device with AVX-512 is to be hardly slower than with weights as they are.
MOST = {("avx512", 1): 1.25}


def network(sizes: tuple[int, ...], seed: int) -> torch.nn.Sequential:
    """Linear layers with tanh between them."""
    torch.manual_seed(seed)
    layers = [part for a, b in pairwise(sizes) for part in (torch.nn.Linear(a, b), torch.nn.Tanh())]
    return torch.nn.Sequential(*layers[:-1])


def bundles(sizes: tuple[int, ...], seed: int, folder: Path, seconds: float) -> dict[str, Path]:
    """A bundle per precision."""
    box = Box(low=np.full(sizes[0], -1.0), high=np.full(sizes[0], 1.0))
    made = {}
    for precision in PRECISIONS:
        options = {"targets": ("onnx", "c99"), "precision": precision, "prove_seconds": seconds}
        made[precision] = edgepde_export.export(
            network(sizes, seed), folder / precision, domain=box, log=lambda _: None, **options
        )
    return made


def facts(name: str, made: Mapping[str, Path]) -> Iterator[Row]:
    """Bytes of weights and what storing them costs, as the bundles say."""
    for precision, path in made.items():
        bundle = read(path)
        if bundle.plan is not None:
            yield Row(f"{name}, weights", precision, "bytes", float(bundle.plan.weights_bytes))
        (entry,) = bundle.certificate.outputs.values()
        term = entry.terms["quantisation"]
        found = "" if entry.found is None else f"a search found {entry.found.value:.3g} in all"
        yield Row(f"{name}, error of storing", precision, term.class_, term.value, note=found)


def seconds_of(call: Callable[[], object], repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - start) / repeats


def timed(backends: Mapping[str, C99Backend], rows: int, columns: int, rounds: int) -> dict[str, list[float]]:
    """Microseconds per call by precision, one after the other in every round."""
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (rows, columns)).astype(np.float32)
    calls = {}
    for precision, backend in backends.items():
        ready = backend.prebuilt({"x": x}, {"y": np.empty((rows, 1), np.float32)}, False)
        calls[precision] = lambda ready=ready: ready.function(ready.argument)
    repeats = max(1, int(LEAST_SECONDS / seconds_of(next(iter(calls.values())), 20)))
    found: dict[str, list[float]] = {precision: [] for precision in calls}
    for _ in range(rounds):
        for precision, call in calls.items():
            found[precision].append(1e6 * seconds_of(call, repeats))
    return found


def speed(name: str, columns: int, made: Mapping[str, Path], rounds: int) -> Iterator[Row]:
    """Medians, and what they are of f32's."""
    backends = {precision: load_bundle(read(path), trusted=True) for precision, path in made.items()}
    for isa in ISAS:
        if isa == "scalar" or not all(backend.use(isa) for backend in backends.values()):
            continue
        for rows in BATCHES:
            times = timed(backends, rows, columns, rounds)
            case = f"{name}, {isa}, {rows} rows"
            for precision, values in times.items():
                low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
                yield Row(case, precision, "us", middle, spread=(low, high))
            for precision in PRECISIONS[1:]:
                ratio = float(np.median(np.divide(times[precision], times["f32"])))
                yield Row(f"{case}: {precision} of f32", OURS, "x", ratio, MOST.get((isa, rows)))


def main() -> None:
    """Export, time, print."""
    args = parser(__doc__).parse_args()
    on_one_thread()
    rounds, seconds = (QUICK_ROUNDS, 2.0) if args.quick else (ROUNDS, 20.0)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        for name, sizes in list(NETWORKS.items())[: 1 if args.quick else None]:
            say(f"{name}: exporting and timing")
            made = bundles(sizes, args.seed, Path(place) / name, seconds)
            rows += [*facts(name, made), *speed(name, sizes[0], made, rounds)]
    publish(args, rows, {"threads": 1, "rounds": rounds}, ["medians; ratios are medians of rounds"], "")


if __name__ == "__main__":
    main()
