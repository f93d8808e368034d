"""Rows of latency: one query of every contestant on ONNX Runtime, in turn, warm."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import edgepde_runtime
import numpy as np
from _harness import OURS, PUBLISHED, Row, timing
from edgepde_export.lowering.graph import to_onnx
from edgepde_export.lowering.prepare import prepare
from edgepde_export.passes.clean import serialize
from edgepde_runtime.backends import ort
from edgepde_runtime.latency import Call, measure
from numpy.typing import NDArray

from edgepde.s2gpt.compress import small_of
from s2gpt_rivals import interpolation, parametric
from s2gpt_rivals.accuracy import INTERPOLATED
from s2gpt_rivals.ours import Ours
from s2gpt_rivals.tuning import PINN

Array = NDArray[np.float64]
Points = NDArray[np.float32]

MANY = 10_000
TARGET_MS, PUBLISHED_MS = 5.0, 315.0
VISCOSITIES = 16


def rows(ours: Ours, rival: edgepde_runtime.Model, seconds: float, seed: int) -> list[Row]:
    """Medians with quartiles for many points and for one, ours bound to its arrays and called freely."""
    rng = np.random.default_rng(seed)
    nu = ours.low ** rng.random(VISCOSITIES)
    points = np.stack([2.0 * rng.random(MANY) - 1.0, rng.random(MANY)], axis=1).astype(np.float32)
    contestants = {OURS: _ours(ours), PINN: _pinn(rival), INTERPOLATED: _interpolated(ours)}
    asked = {f"{MANY:,} points": points, "1 point": points[:1].copy()}
    calls = {(words, name): make(at, nu) for words, at in asked.items() for name, make in contestants.items()}
    calls[f"{MANY:,} points, arrays not bound", OURS] = _free(ours.open(), points, nu)
    found = measure({f"{words}|{name}": call for (words, name), call in calls.items()}, seconds)
    made = []
    for words, name in calls:
        target = TARGET_MS if (words, name) == (f"{MANY:,} points", OURS) else None
        note = "no input checked" if name == INTERPOLATED else ""
        made.append(timing(f"model of {ours.words}: one query, {words}", name, found[f"{words}|{name}"], target, note))
        if target:
            made.append(Row(made[-1].case, PUBLISHED, "ms", PUBLISHED_MS, note="its hardware is unknown"))
    return made


Maker = Callable[[Points, Array], Call]


def _changing(call: Call, place: NDArray[np.floating], values: Array) -> Call:
    """The call at another viscosity each time; `place` is the part of an input that holds it."""
    turn = cycle(values)

    def query() -> object:
        place[...] = next(turn)
        return call()

    return query


def _ours(ours: Ours) -> Maker:
    model = ours.open()

    def make(points: Points, nu: Array) -> Call:
        mu = np.ones((1, 1))
        return _changing(model.bind(parameters=mu, points=points), mu, nu)

    return make


def _free(model: edgepde_runtime.Model, points: Points, nu: Array) -> Call:
    mu = np.ones((1, 1))
    return _changing(lambda: model(parameters=mu, points=points), mu, nu)


def _pinn(model: edgepde_runtime.Model) -> Maker:
    def make(points: Points, nu: Array) -> Call:
        x = parametric.inputs_of(np.ones((1, 1)), points)
        return _changing(model.bind(x), x[:, 2:], np.log(nu))

    return make


def _interpolated(ours: Ours) -> Maker:
    """A polynomial in log nu for the coefficients, then our field table."""
    dynamic = {"parameters": {0: "B"}, "points": {0: "M"}}
    graph = to_onnx(interpolation.Query(small_of(ours.loaded)).eval(), interpolation.example(), dynamic, ["u"])
    backend = ort.load(serialize(prepare(graph, lambda _: None)))

    def make(points: Points, nu: Array) -> Call:
        mu, u = np.ones((1, 1)), np.empty((1, len(points)), dtype=np.float32)
        return _changing(backend.bind({"parameters": mu, "points": points}, {"u": u}), mu, nu)

    return make
