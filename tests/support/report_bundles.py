"""A bundle with a report.npz: a steepening front that looks like Burgers, computed by the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from edgepde_runtime.certificate import Found, OutputCertificate
from edgepde_runtime.manifest import InputSpec, OutputSpec
from numpy.typing import NDArray
from support import bundles
from support import onnx_writer as w

Array = NDArray[Any]
CARD = b"""# front

A front of width about nu in x, made for tests.

## Known failures

None known inside the box. **Outside it** nothing is promised.

| file | bytes |
| --- | --- |
| model.onnx | 900 |
"""


def front(nu: Array, points: Array) -> Array:
    """u[b, m] = -(1 - x^2) tanh(x / (4 nu + 0.4 (1 - t))) in float64; parameters [B, 1], points [M, 2]."""
    x, t = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    width = 4 * nu.astype(np.float64) + 0.4 * (1 - t) + 0.02
    return np.asarray(-(1 - x**2) * np.tanh(x / width))


def front_model() -> bytes:
    """The function `front` as a model file, with residual[b] = nu[b] / 1000."""
    nodes = [
        w.node("Cast", ["parameters"], ["nu"], {"to": 1}),
        w.node("Transpose", ["points"], ["rows"], {"perm": [1, 0]}),
        w.node("Slice", ["rows", "zero", "one"], ["x"]),
        w.node("Slice", ["rows", "one", "two"], ["t"]),
        w.node("Mul", ["nu", "four"], ["w1"]),
        w.node("Sub", ["end", "t"], ["rest"]),
        w.node("Mul", ["rest", "rate"], ["w2"]),
        w.node("Add", ["w1", "w2"], ["width"]),
        w.node("Div", ["x", "width"], ["s"]),
        w.node("Tanh", ["s"], ["h"]),
        w.node("Mul", ["x", "x"], ["xx"]),
        w.node("Sub", ["xx", "unity"], ["hat"]),
        w.node("Mul", ["h", "hat"], ["u"]),
        w.node("Reshape", ["parameters", "flat"], ["p"]),
        w.node("Mul", ["p", "thousandth"], ["residual"]),
    ]
    whole = {"zero": [0], "one": [1], "two": [2], "flat": [-1]}
    scalars = {"four": 4.0, "end": 1.05, "rate": 0.4, "unity": 1.0}
    constants: dict[str, Array] = {name: np.array(v, np.int64) for name, v in whole.items()}
    constants |= {name: np.array(v, np.float32) for name, v in scalars.items()}
    constants["thousandth"] = np.array(1e-3)
    inputs = [w.value_info("parameters", "float64", ["B", 1]), w.value_info("points", "float32", ["M", 2])]
    outputs = [w.value_info("u", "float32", ["B", "M"]), w.value_info("residual", "float64", ["B"])]
    return w.model(w.graph(nodes, inputs, outputs, constants))


def report_arrays(count: int = 9, shape: tuple[int, int] = (61, 41)) -> dict[str, Array]:
    """Every member of report.npz; `exact` differs from `front` near the end of time, most at small nu."""
    nu = np.geomspace(0.005, 1.0, count)[:, None]
    x, t = np.linspace(-1, 1, shape[0]), np.linspace(0, 1, shape[1])
    grid = np.stack(np.meshgrid(x, t, indexing="ij"), axis=-1).reshape(-1, 2)
    predicted = front(nu, grid).reshape(count, *shape)
    ripple = 2e-4 * np.sin(9 * x)[:, None] * np.exp(-8 * np.abs(x))[:, None] * t[None, :] ** 2
    rng = np.random.default_rng(0)
    snapshots = np.array([0.005, 1.0, 0.031, 0.011, 0.12, 0.0071, 0.4, 0.019, 0.058, 0.21])[:, None]
    arrays = {
        "axis0": x,
        "axis1": t,
        "predicted": predicted,
        "exact": predicted + ripple / (10 * nu[:, :, None]),
        "collocation": rng.uniform([-1, 0], [1, 1], (38, 2)),
        "validation": rng.uniform([-1, 0], [1, 1], (120, 2)),
        "greedy_error": 0.3 * 0.35 ** np.arange(10.0),
        "reference_seconds": np.array(0.21),
        "offline_seconds": np.array(141.0),
    }
    small = {name: array.astype(np.float32) for name, array in arrays.items()}
    return {**small, "parameters": nu, "snapshots": snapshots, "greedy_parameter": snapshots}


def front_bundle(
    root: Path,
    *,
    arrays: Mapping[str, Array] | None = None,
    amounts: Mapping[str, float | None] | None = None,
    extra: Mapping[str, bytes] | None = None,
) -> Path:
    """A bundle of `front` on nu in [0.005, 1] with a report.npz; `arrays` instead of report_arrays()."""
    nu = np.array([[0.005], [0.1], [0.5]])
    points = np.stack([np.linspace(-1, 1, 33), np.linspace(0, 1, 33)], axis=1).astype(np.float32)
    report = report_arrays() if arrays is None else arrays
    terms = bundles.terms({"model": 4.1e-3, "compression": 1.2e-5, "quantisation": 0.0, **(amounts or {})})
    found = Found(3.9e-3, {"parameters": (0.005,), "points": (0.01, 0.7)})
    return bundles.write(
        root,
        front_model(),
        inputs=(
            InputSpec("parameters", "float64", ("B", 1), bundles.NU),
            InputSpec("points", "float32", ("M", 2), bundles.X_T),
        ),
        outputs=(
            OutputSpec("u", "float32", ("B", "M"), "m/s"),
            OutputSpec("residual", "float64", ("B",), "m/s^2", True, 0.01),
        ),
        golden={
            "input/parameters": nu,
            "input/points": points,
            "output/u": front(nu, points),
            "output/residual": nu[:, 0] / 1000,
        },
        entries=[OutputCertificate.from_terms("u", "m/s", terms, found=found)],
        extra={"report.npz": bundles.npz_bytes(report), "card.md": CARD, **(extra or {})},
    )
