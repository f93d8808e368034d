"""How accurate is the wave data itself, against a mesh and a step twice as fine? What does a case cost?"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from _harness import OURS, Row, say
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from edgepde.problems.wave2d import Wave2D
from edgepde.problems.wave2d_plate import Plate

Field = NDArray[np.float32]
CASES, QUICK_CASES, SEED = 12, 2, 1_000_003
TARGET, SECONDS = 0.01, 0.5
RELATIVE = "relative L2"
HALVED, AVERAGE = "mesh as it is, half the step", "beta = 1/4, the same step"


@dataclass(frozen=True)
class Solved:
    """Fields of the cases, seconds of processor time per case, what the discretisation is."""

    fields: list[Field]
    seconds: list[float]
    about: str


def rows(quick: bool) -> list[Row]:
    """The inclusion and the hole; with quick a coarse mesh and two cases, without targets."""
    made: list[Row] = []
    for obstacle in ("inclusion", "hole"):
        base = Wave2D(obstacle=obstacle)  # type: ignore[arg-type]
        config = base.quick() if quick else base
        with threadpool_limits(limits=1):
            made += _of(f"data, {obstacle}", config, QUICK_CASES if quick else CASES, quick)
    return made


def _of(name: str, config: Wave2D, cases: int, quick: bool) -> list[Row]:
    """Ours against twice as fine; what the step alone and another beta make of it."""
    say(f"{name}: {cases} cases, and twice as fine")
    parameters = config.parameters(SEED, 0, cases)
    step = Plate(config).step
    ours, fine = solved(config, parameters), solved(finer(config, step), parameters)
    error = errors(ours.fields, fine.fields)
    target = None if quick else TARGET
    note = f"{ours.about}; against {fine.about}"
    made = [
        Row(f"{name}, mean", OURS, RELATIVE, float(np.mean(error)), target, note=note),
        Row(f"{name}, worst of {cases}", OURS, RELATIVE, float(np.max(error)), target),
    ]
    for rival, other in (
        (HALVED, replace(config, step=step / 2)),
        (AVERAGE, replace(config, step=step, beta=0.25)),
    ):
        fields = solved(other, parameters).fields
        off, apart = errors(fields, fine.fields), float(np.mean(errors(ours.fields, fields)))
        note = f"off from ours by {apart:.1e}"
        made.append(Row(f"{name}, mean", rival, RELATIVE, float(np.mean(off)), note=note))
    quartiles = (float(np.quantile(ours.seconds, 0.25)), float(np.quantile(ours.seconds, 0.75)))
    median = float(np.median(ours.seconds))
    told = "processor time, one thread, without the mesh's matrices"
    made.append(Row(f"{name}, a case", OURS, "s", median, None if quick else SECONDS, spread=quartiles, note=told))
    return made


def finer(config: Wave2D, step: float) -> Wave2D:
    """Half the edges, at most half the step."""
    return replace(config, gap=config.gap / 2, step=step / 2)


def solved(config: Wave2D, parameters: NDArray[np.float64]) -> Solved:
    """Every case; matrices, limit and sampling are made before the clock starts."""
    made = Plate(config)
    _ = made.limit, made.sampling
    fields, seconds = [], []
    for case in parameters:
        began = time.process_time()
        fields.append(made.solve(case))
        seconds.append(time.process_time() - began)
    return Solved(fields, seconds, about(made))


def about(made: Plate) -> str:
    """The discretisation in words."""
    return (
        f"{made.unknowns} P2 unknowns, edge {made.config.gap:g} m, step {made.step:.3g} ms "
        f"(limit {made.limit:.3g}), Courant number {made.courant:.2f}"
    )


def errors(fields: list[Field], reference: list[Field]) -> list[float]:
    """|u - r| / |r| over the whole zone, of every case."""
    return [float(np.linalg.norm(u - r) / np.linalg.norm(r)) for u, r in zip(fields, reference, strict=True)]
