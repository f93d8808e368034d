"""What does the same finite-element scheme reach on coarser meshes, and how long does it take on one thread?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from _harness import Row, say
from edgepde_runtime.latency import measure
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from edgepde.problems.wave2d import Wave2D, generate
from edgepde.problems.wave2d_plate import Plate

from ._study import WAVE
from .data import RELATIVE, about, errors

GAPS, QUICK_GAPS = (0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12), (0.08, 0.12)
INNER = 0.65
"""The shorter waves of the slower disk get shorter edges, which cost no step: the limit there is as long."""
CASES, QUICK_CASES, SEED = 20, 2, 1_000_003
SECONDS, QUICK_SECONDS = 20.0, 2.0
CASE, OWN = "coarse finite elements", "the data's own mesh"


def rows(quick: bool) -> list[Row]:
    """Error and milliseconds at every edge length; the data's own mesh is the reference and the last row."""
    made: list[Row] = []
    for case, config in ((CASE, Wave2D()), (f"{CASE}, the study's waves", WAVE)):
        made += _rows(case, config.quick() if quick else config, quick)
    return made


def _rows(case: str, config: Wave2D, quick: bool) -> list[Row]:
    cases = QUICK_CASES if quick else CASES
    say(f"{case}: {cases} cases on {len(QUICK_GAPS if quick else GAPS)} meshes")
    with threadpool_limits(limits=1):
        reference = generate(config, cases, SEED)
        gaps = QUICK_GAPS if quick else GAPS
        plates = {called(gap): Plate(replace(config, gap=gap, inner=INNER)) for gap in gaps}
        own = Plate(config)
        made = []
        for name, plate in plates.items():
            off = errors([plate.solve(case) for case in reference.parameters], list(reference.field))
            note = f"{about(plate)}; worst of {cases}: {max(off):.3g}"
            made.append(Row(case, name, RELATIVE, float(np.mean(off)), note=note))
        return made + _times(case, {**plates, OWN: own}, reference.parameters[0], quick)


def called(gap: float) -> str:
    """A mesh in the table."""
    return f"P2, edge {gap:g} m, {INNER:g} of that in the disk"


def _times(case: str, plates: dict[str, Plate], given: NDArray[np.float64], quick: bool) -> list[Row]:
    """Milliseconds of a case with new speeds: matrices summed, load, factorisation, all steps, sampling."""
    for plate in plates.values():
        _ = plate.limit, plate.sampling
    calls = {name: _call(plate, given) for name, plate in plates.items()}
    found = measure(calls, QUICK_SECONDS if quick else SECONDS, clock=time.process_time_ns)
    made = []
    for name in plates:
        latency = found[name]
        spread = (latency.quantile(0.25) / 1e3, latency.quantile(0.75) / 1e3)
        note = f"processor time, {len(latency.samples)} rounds"
        made.append(Row(case, name, "ms", latency.p50 / 1e3, spread=spread, note=note))
    return made


def _call(plate: Plate, case: NDArray[np.float64]) -> Callable[[], object]:
    return lambda: plate.solve(case)
