"""Faults seen by the residual of a surrogate: how large must they be, and how often is it wrong about good calls?

The surrogate ships with its residual and a threshold calibrated on 999 fresh parameters for 1 % of false alarms. Faults
are judged on calls at other fresh parameters: share of calls above the threshold, area under the ROC curve, true error
against the exact solution, and calls until the drift alarm (false-alarm rate 1 % over the whole life) in the median.
With --quick there is no bundle: the threshold is found on the module.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from _harness import OURS, Row, say
from edgepde_runtime import Drift, load
from edgepde_runtime.box import Box
from edgepde_runtime.bundle import read
from edgepde_runtime.evidence import highest_rate, rate_evidence
from edgepde_runtime.inputs import ABOVE_THRESHOLD
from edgepde_runtime.monitor import Monitor, rank
from numpy.typing import NDArray
from scipy import stats
from torch import nn

from edgepde.mollifier.conformal import calibrate
from edgepde.mollifier.outputs.appended import Plan, plan
from edgepde.mollifier.outputs.request import Request
from mollifier_parts import _roc
from mollifier_parts._watched import Case, cases, flipped, noisy, trained

Array = NDArray[np.float64]
SHARES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
BITS = (1, 10, 100)
OUTSIDE = (0.0, 0.01, 0.03, 0.1, 0.3, 0.5)
RATIOS = (1.0, 1.1, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0, math.inf)
LEVEL, LIFE, PATIENCE = 0.01, 0.01, 10_000
COUNTED, LIVES, CALLS = 0.2, 100, 5000
SURE, COUNT, BUNDLE_CALLS = 0.99, 999, 1000


@final
@dataclass(frozen=True)
class Calls:
    """Residual and true relative error of calls [models, calls]."""

    fault: str
    residual: Array
    error: Array

    def above(self, threshold: float) -> NDArray[np.bool_]:
        """Which calls are flagged."""
        return ~(self.residual <= threshold)


@final
@dataclass(frozen=True)
class Shipped:
    """A surrogate as its bundle has it: threshold and how it was found, calls of the bundle at fresh parameters."""

    case: Case
    module: nn.Module
    whole: Plan
    threshold: float
    monitor: Monitor
    fresh: Calls
    flagged: float | None

    def called(self, fault: str, modules: list[nn.Module], parameters: list[Array]) -> Calls:
        """Calls of modules, each at its own parameters [calls, P]."""
        made = [_evaluated(self.case, self.whole.of(m), x) for m, x in zip(modules, parameters, strict=True)]
        return Calls(fault, np.stack([r for r, _ in made]), np.stack([e for _, e in made]))


def rows(quick: bool, seed: int, runs: Path) -> list[Row]:
    """The question's rows; the ROC curves are drawn to RUNS/mollifier_monitor.png."""
    found: list[Row] = []
    drawn = []
    for case in cases(quick):
        shipped = _shipped(case, seed, quick, runs)
        faults = list(_faults(shipped, seed, quick))
        found += [*_alarms(shipped, seed), *(_row(shipped, calls, seed) for calls in faults), *_sizes(shipped, faults)]
        found += [] if quick else [_lives(shipped, runs, seed)]
        drawn.append((case.name, shipped.fresh, faults))
    say(f"ROC curves: {_roc.draw(runs / 'mollifier_monitor.png', drawn)}")
    return found


def _evaluated(case: Case, module: nn.Module, x: Array) -> tuple[Array, Array]:
    """Residual and relative error [calls] in the module's own float32."""
    sizes, errors = [], []
    for part in np.array_split(x, max(1, len(x) // 500)):
        with torch.no_grad():
            u, residual = module(torch.from_numpy(part).float())
        exact = case.fields(part)
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.sqrt(((u.double().numpy() - exact) ** 2).mean(axis=(1, 2)))
            errors.append(apart / np.sqrt((exact**2).mean(axis=(1, 2))))
            sizes.append(np.abs(residual.double().numpy()))
    return np.nan_to_num(np.concatenate(sizes), nan=np.inf), np.nan_to_num(np.concatenate(errors), nan=np.inf)


def _shipped(case: Case, seed: int, quick: bool, runs: Path) -> Shipped:
    module, box = trained(case, seed, quick), case.box
    whole = plan(module, box, Request((), case.equation, case.grid), ("u", ""), lambda _: None)
    ready = whole.of(module)
    x = _drawn(box, 2000 if quick else 10_000, seed, 1)
    residual, error = _evaluated(case, ready, x)
    fresh, flagged = Calls("none", residual[None], error[None]), None
    if quick:
        found = calibrate(_evaluated(case, ready, _drawn(box, COUNT, seed, 5))[0], LEVEL)
        threshold, monitor = found.threshold, found.monitor("residual", seed, "uniform in the box")
    else:
        threshold, monitor, flagged = _bundle(case, module, x[:BUNDLE_CALLS], seed, runs)
    return Shipped(case, module, whole, threshold, monitor, fresh, flagged)


def _drawn(box: Box, count: int, seed: int, stream: int) -> Array:
    """Parameters that are float32 numbers."""
    return box.sample(count, np.random.default_rng([seed, stream])).astype(np.float32).astype(np.float64)


def _place(runs: Path, case: Case) -> Path:
    return runs / f"monitor_{case.equation.name}"


def _bundle(case: Case, module: nn.Module, x: Array, seed: int, runs: Path) -> tuple[float, Monitor, float]:
    """Threshold and monitor of the exported bundle, and the share of its calls at x, one by one, with flag 4."""
    from edgepde_export import export

    place = _place(runs, case)
    asked: dict[str, Any] = {"residual": case.equation, "grid": case.grid, "false_alarm": LEVEL, "seed": seed}
    export(module, place, domain=case.box, prove_seconds=1.0, log=lambda _: None, **asked)
    model = load(place, out_of_box="flag")
    spec = next(output for output in model.manifest.outputs if output.threshold is not None)
    monitor = model.bundle.monitor
    assert monitor is not None
    assert spec.threshold is not None
    flags = [model.call(row[None].astype(np.float32)).flags for row in x]
    return spec.threshold, monitor, float((np.array(flags) & ABOVE_THRESHOLD != 0).mean())


def _faults(shipped: Shipped, seed: int, quick: bool) -> Iterator[Calls]:
    """Calls with each fault: many faulty modules, each at parameters of its own."""
    case, rng = shipped.case, np.random.default_rng([seed, 2])
    models, count = (12, 40) if quick else (20, 50)

    def fresh() -> list[Array]:
        return [case.box.sample(count, rng) for _ in range(models)]

    for share in SHARES:
        made = [noisy(shipped.module, share, rng) for _ in range(models)]
        yield shipped.called(f"weights off by {100 * share:g} %", made, fresh())
    for bits in BITS:
        made = [flipped(shipped.module, bits, rng) for _ in range(models)]
        yield shipped.called(f"{bits} bit{'s' if bits > 1 else ''} flipped", made, fresh())
    for share in OUTSIDE:
        moved = [case.outside(x, share) for x in fresh()]
        name = f"nu {100 * share:g} % outside its box" if share else "no fault, nu at the ends of its box"
        yield shipped.called(name, [shipped.module] * models, moved)
    yield shipped.called("another boundary condition", [trained(case, seed, quick, other=True)] * models, fresh())


def _alarms(shipped: Shipped, seed: int) -> Iterator[Row]:
    """False alarms on fresh parameters: of this calibration, of the bundle itself, in the mean of many calibrations."""
    case, monitor, residual = shipped.case.name, shipped.monitor, shipped.fresh.residual[0]
    yield Row(f"{case}: own error", OURS, "relative RMS, median", float(np.median(shipped.fresh.error)))
    k = rank(monitor.count, monitor.level)
    for what, rate, calls in (
        ("false alarms", float((residual > shipped.threshold).mean()), len(residual)),
        ("false alarms of the bundle", shipped.flagged, BUNDLE_CALLS),
    ):
        if rate is None:
            continue
        law = stats.betabinom(calls, monitor.count + 1 - k, k)
        low, high = (float(law.ppf(p)) / calls for p in (0.5 - 0.5 * SURE, 0.5 + 0.5 * SURE))
        note = f"{SURE:.0%} of calibrations: {100 * low:.2f} to {100 * high:.2f} %"
        yield Row(f"{case}: {what}", OURS, "% of calls", 100 * rate, 100 * high, note=note)
    rng, rates = np.random.default_rng([seed, 3]), []
    for _ in range(200):
        order = rng.permutation(len(residual))
        limit = calibrate(residual[order[: monitor.count]], monitor.level).threshold
        rates.append(float((residual[order[monitor.count :]] > limit).mean()))
    error = float(np.std(rates)) / math.sqrt(len(rates))
    target, note = 100 * (monitor.level + 3 * error), f"{monitor.level:.0%} is stated; standard error {100 * error:.2g}"
    yield Row(
        f"{case}: false alarms, 200 calibrations", OURS, "% of calls", 100 * float(np.mean(rates)), target, note=note
    )


def _lives(shipped: Shipped, runs: Path, seed: int) -> Row:
    """How many of LIVES lives of CALLS good calls each have a drift alarm, at a stated rate that can be counted."""
    case, rng, residual = shipped.case, np.random.default_rng([seed, 6]), shipped.fresh.residual[0]
    bundle = read(_place(runs, case))
    (spec,) = bundle.manifest.inputs
    x, alarmed = _drawn(case.box, len(residual), seed, 1), 0
    assert shipped.monitor == bundle.monitor
    for _ in range(LIVES):
        drift = Drift(bundle, COUNTED, unit="row")
        some = rng.integers(len(x), size=CALLS)
        calm = {spec.name: np.zeros(CALLS, np.int32)}
        drift.update({spec.name: x[some]}, {shipped.monitor.output: residual[some]}, calm)
        alarmed += bool(drift.alarms)
    case_ = f"{case.name}: lives of {CALLS:,} good calls with a drift alarm"
    return Row(case_, OURS, "%", 100 * alarmed / LIVES, 100 * COUNTED, note=f"{LIVES} lives")


def _row(shipped: Shipped, calls: Calls, seed: int) -> Row:
    """Detection rate of a fault, with the area under its ROC curve, its true error and the wait for the drift alarm."""
    above, own = calls.above(shipped.threshold), float(np.median(shipped.fresh.error))
    area = _roc.area(shipped.fresh.residual.ravel(), calls.residual.ravel())
    waits = sorted(_wait(flags, shipped.monitor, np.random.default_rng([seed, 4, i])) for i, flags in enumerate(above))
    wait = waits[len(waits) // 2]
    after = f"drift alarm after {wait} calls" if wait < PATIENCE else f"no drift alarm in {PATIENCE} calls"
    times = float(np.median(calls.error)) / own
    note = f"AUC {area:.3f}, error {times:.3g} x own, {after}"
    return Row(
        f"{shipped.case.name}: {calls.fault}", OURS, "% of calls seen", 100 * float(above.mean()), note=note, goal=">="
    )


def _wait(flags: NDArray[np.bool_], monitor: Monitor, rng: np.random.Generator) -> int:
    """Calls until the e-value of flags like these, drawn at random, is an alarm."""
    share = 0.5 * LIFE / 5
    drawn = rng.choice(flags, PATIENCE)
    trials = np.arange(1, PATIENCE + 1)
    found = rate_evidence(trials, np.cumsum(drawn), highest_rate(monitor, share)) + math.log(0.5)
    return int(np.argmax(found >= -math.log(share))) + 1 if (found >= -math.log(share)).any() else PATIENCE


def _sizes(shipped: Shipped, faults: list[Calls]) -> Iterator[Row]:
    """Calls of all faults but the last, by true error over the surrogate's own: how many are seen."""
    own = float(np.median(shipped.fresh.error))
    with np.errstate(over="ignore"):
        ratio = np.concatenate([c.error.ravel() for c in faults[:-1]]) / own
    seen = np.concatenate([c.above(shipped.threshold).ravel() for c in faults[:-1]])
    for low, high in pairwise(RATIOS):
        these = (ratio >= low) & ((ratio < high) | ~np.isfinite(high))
        name = f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} and more"
        case = f"{shipped.case.name}: error {name} x own"
        measured: Any = 100 * float(seen[these].mean()) if these.any() else None
        yield Row(case, OURS, "% of calls seen", measured, note=f"{int(these.sum())} calls", goal=">=")
