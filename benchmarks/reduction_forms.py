"""Which fixed form of a reduction is fast and accurate: one chain, chunks of 16 or 8, or 4 interleaved chains?

One layer 64x64 and the tanh network 3-64x4-1 in float32, every form in several kernel shapes, per instruction set.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from _harness import OURS, Row, closing, parser, publish, say, stdout_to_stderr
from native.build import AVX512, fma_peak, isas, on_one_core
from reduction_forms.forms import CHUNK16, FORMS, UNIT, Form, gamma
from reduction_forms.measure import (
    Contestant,
    Network,
    clock,
    contestants,
    exact_layer,
    exact_network,
    outputs,
)
from reduction_forms.source import WIDTH

BATCHES = (1, 16, 256)
WIDTHS = (64, 256, 1024)
SAMPLES = 256
TERMS = {"layer": WIDTH * WIDTH, "network": 3 * WIDTH + 3 * WIDTH * WIDTH + WIDTH}


def named(form: Form) -> str:
    """Our form is called ours."""
    return OURS if form is CHUNK16 else form.words


def time_all(entered: list[Contestant], folder: Path, rounds: int, rng: np.random.Generator) -> dict[int, list[float]]:
    """Seconds per call of each in every round; every round takes all once in random order."""
    watch = clock(folder)
    times = []
    for one in entered:
        one.seconds(watch, 3)
        times.append(max(3, int(2e-4 / min(one.seconds(watch, 3) for _ in range(5)))))
    found: dict[int, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for i in rng.permutation(len(entered)):
            found[int(i)].append(entered[i].seconds(watch, times[i]))
    return found


def speed(entered: list[Contestant], found: dict[int, list[float]], peaks: dict[str, float]) -> list[Row]:
    """For each workload, batch, instruction set and form the best shape by its median."""
    groups: dict[tuple[str, int, str, str], list[tuple[float, int]]] = defaultdict(list)
    for i, one in enumerate(entered):
        groups[one.what, one.batch, one.isa, one.form.key].append((float(np.median(found[i])), i))
    rows = []
    for (what, batch, isa, _), timed in groups.items():
        median, i = min(timed)
        one = entered[i]
        quartiles = [1e6 * float(np.quantile(found[i], q)) for q in (0.25, 0.75)]
        share = TERMS[what] * batch / min(found[i]) / peaks[isa]
        others = ", ".join(f"{entered[j].shape.words} {1e6 * m:.3g}" for m, j in sorted(timed)[1:])
        note = f"{one.shape.words}; min {1e6 * min(found[i]):.3g}, {share:.0%} of peak; other shapes: {others}"
        case = f"{what}, batch {batch}, {isa}"
        rows.append(Row(case, named(one.form), "us", 1e6 * median, spread=(quartiles[0], quartiles[1]), note=note))
    return sorted(rows, key=lambda row: row.case)


def errors(entered: list[Contestant], network: Network, x: np.ndarray[Any, Any]) -> list[Row]:
    """Rounding error of each form against float64; raises where two kernels of one form differ in a bit."""
    rows = []
    exact, size = exact_layer(network, x)
    whole = exact_network(network, x[:, :3])
    for form in FORMS:
        seen: dict[str, np.ndarray[Any, Any]] = {}
        for one in sorted((e for e in entered if e.form is form), key=lambda e: -e.batch):
            got = outputs(one, 16 if one.isa == AVX512.name else 8)
            first = seen.setdefault(one.what, got)
            if first[: len(got)].tobytes() != got.tobytes():
                raise SystemExit(f"{form.words}: {one.what} {one.shape.words} on {one.isa} has other bits")
        off = np.abs(seen["layer"] - exact) / size
        note = f"max; rms {np.sqrt(np.mean(off**2)) / UNIT:.3g}; bound {gamma(form.roundings(WIDTH)) / UNIT:.3g}"
        rows.append(Row("layer: |error| / (sum |w x| + |b|)", named(form), "u", float(off.max()) / UNIT, note=note))
        error = np.abs(seen["network"] - whole)
        note = f"max; rms {np.sqrt(np.mean(error**2)):.3g}"
        rows.append(Row("network: |error|", named(form), "1e-9", 1e9 * float(error.max()), note=note))
    for K in WIDTHS:
        rows += [Row(f"bound's factor n of gamma_n, K = {K}", named(f), "", float(f.roundings(K))) for f in FORMS]
    return sorted(rows, key=lambda row: row.case)


def main() -> None:
    """Check, time, print."""
    args = parser(__doc__ or "").parse_args()
    core = on_one_core()
    rounds = 40 if args.quick else 200
    rng = np.random.default_rng(args.seed)
    network = Network.random(rng)
    x = rng.uniform(-1.0, 1.0, (max(BATCHES), WIDTH)).astype(np.float32)
    with tempfile.TemporaryDirectory() as place, stdout_to_stderr():
        folder = Path(place)
        entered = [one for isa in isas() for one in contestants(isa, folder, network, BATCHES, x)]
        say(f"{len(entered)} kernels built")
        rows = errors(entered, network, x)
        peaks = {isa.name: fma_peak(isa, folder) for isa in isas()}
        rows = speed(entered, time_all(entered, folder, rounds, rng), peaks) + rows
    words = [
        f"ours: {CHUNK16.words}, the bias first",
        *(f"{name}: peak {peak / 1e9:.4g} G fma/s of this core" for name, peak in peaks.items()),
    ]
    words.append(f"all kernels of one form gave the same bits; {rounds} rounds in random order, core {core}, medians")
    publish(args, rows, {"threads": 1, "rounds": rounds, "core": core}, words, closing(rows))


if __name__ == "__main__":
    main()
