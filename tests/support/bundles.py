"""Bundles for tests, made without torch or onnx: an MLP with exact golden data, and one with a residual output."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from edgepde_runtime.certificate import BoxEntry, Certificate, Found, OutputCertificate, index
from edgepde_runtime.manifest import Column, FileEntry, InputSpec, Manifest, OutputSpec
from edgepde_runtime.onnxfile import model_hash
from edgepde_runtime.term import TERMS, Term
from numpy.typing import NDArray
from support import onnx_writer

Array = NDArray[Any]
X_T = (Column("x", "m", -1.0, 1.0), Column("t", "s", 0.0, 1.0))
NU = (Column("nu", "m^2/s", 0.005, 1.0),)


def npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    """An npz file in memory."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def terms(amounts: Mapping[str, float | None] | None = None, class_: str = "measured") -> dict[str, Term]:
    """Five terms: model 1e-3 and the rest 1e-6, unless `amounts` says otherwise; None is not verified."""
    values: dict[str, float | None] = {name: 1e-3 if name == "model" else 1e-6 for name in TERMS}
    values.update(amounts or {})
    return {
        n: Term.not_verified("no reference") if v is None else Term(v, class_, "on a grid") for n, v in values.items()
    }


def certificate(
    manifest_inputs: tuple[InputSpec, ...],
    hash_: str,
    entries: list[OutputCertificate],
    backends: tuple[str, ...] = ("ort", "reference"),
) -> Certificate:
    """A certificate on the whole box of the inputs."""
    box = tuple(BoxEntry(s.name, c.name, c.unit, c.low, c.high) for s in manifest_inputs for c in s.columns)
    return Certificate(hash_, backends, box, ("IEEE-754 arithmetic, round to nearest",), "measured 1", index(entries))


def write(
    root: Path,
    model: bytes,
    *,
    inputs: tuple[InputSpec, ...],
    outputs: tuple[OutputSpec, ...],
    golden: Mapping[str, Array],
    entries: list[OutputCertificate],
    extra: Mapping[str, bytes] | None = None,
    backends: tuple[str, ...] = ("ort", "reference"),
) -> Path:
    """Writes a bundle that keeps every rule; `extra` are further files, listed."""
    hash_ = model_hash(model)
    files = {
        "model.onnx": model,
        "certificate.json": certificate(inputs, hash_, entries, backends).to_json().encode(),
        "golden.npz": npz_bytes(golden),
        "card.md": b"# a card\n",
        **(extra or {}),
    }
    listed = {name: FileEntry(hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items()}
    manifest = Manifest(1, root.name, hash_, listed, {"edgepde": "0.1.0"}, inputs, outputs)
    for name, data in {**files, "manifest.json": manifest.to_json().encode()}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def mlp_reference(x: Array, seed: int = 0) -> Array:
    """The MLP of `onnx_writer.mlp_model` in float64."""
    w = {k: v.astype(np.float64) for k, v in onnx_writer.mlp_weights(seed=seed).items()}
    return np.tanh(x.astype(np.float64) @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]


def mlp_bundle(
    root: Path,
    *,
    seed: int = 0,
    amounts: Mapping[str, float | None] | None = None,
    class_: str = "measured",
    golden_error: float = 0.0,
    **options: Any,
) -> Path:
    """u(x, t) from an MLP, float32 [M, 2] -> [M, 1]; `golden_error` is added to the reference outputs."""
    rng = np.random.default_rng(1)
    x = np.stack([rng.uniform(-1, 1, 32), rng.uniform(0, 1, 32)], axis=1).astype(np.float32)
    entry = OutputCertificate.from_terms("u", "m/s", terms(amounts, class_), found=Found(9e-4, {"x": (0.5, 0.25)}))
    return write(
        root,
        onnx_writer.mlp_model(seed=seed, input_name="x", output_name="u"),
        inputs=(InputSpec("x", "float32", ("M", 2), X_T),),
        outputs=(OutputSpec("u", "float32", ("M", 1), "m/s"),),
        golden={"input/x": x, "output/u": mlp_reference(x, seed) + golden_error},
        entries=[entry],
        **options,
    )


def ratio_bundle(root: Path, *, golden_x: float = 0.5, **options: Any) -> Path:
    """u = sin(x) / x, float32 [M, 1], NaN at x = 0, which lies in the box."""
    w = onnx_writer
    nodes = [w.node("Sin", ["x"], ["s"]), w.node("Div", ["s", "x"], ["u"])]
    values = w.value_info("x", "float32", ["M", 1]), w.value_info("u", "float32", ["M", 1])
    x = np.array([[golden_x], [0.25]], np.float32)
    return write(
        root,
        w.model(w.graph(nodes, [values[0]], [values[1]], {})),
        inputs=(InputSpec("x", "float32", ("M", 1), X_T[:1]),),
        outputs=(OutputSpec("u", "float32", ("M", 1), "m/s"),),
        golden={"input/x": x, "output/u": np.sinc(x.astype(np.float64) / np.pi)},
        entries=[OutputCertificate.from_terms("u", "m/s", terms())],
        **options,
    )


def residual_model(fails_above: float = 0.9) -> bytes:
    """u[b,m] = nu[b] * (x[m] + t[m]); residual[b] = nu[b] / 100, and +inf where nu[b] > fails_above."""
    w = onnx_writer
    nodes = [
        w.node("MatMul", ["points", "ones"], ["sums"]),
        w.node("Transpose", ["sums"], ["row"], {"perm": [1, 0]}),
        w.node("Cast", ["parameters"], ["nu"], {"to": 1}),
        w.node("MatMul", ["nu", "row"], ["u"]),
        w.node("Reshape", ["parameters", "flat"], ["p"]),
        w.node("Mul", ["p", "hundredth"], ["small"]),
        w.node("Greater", ["p", "limit"], ["fails"]),
        w.node("Where", ["fails", "infinity", "small"], ["residual"]),
    ]
    constants = {
        "ones": np.ones((2, 1), np.float32),
        "flat": np.array([-1], np.int64),
        "hundredth": np.array(0.01),
        "limit": np.array(fails_above),
        "infinity": np.array(np.inf),
    }
    inputs = [w.value_info("parameters", "float64", ["B", 1]), w.value_info("points", "float32", ["M", 2])]
    outputs = [w.value_info("u", "float32", ["B", "M"]), w.value_info("residual", "float64", ["B"])]
    return w.model(w.graph(nodes, inputs, outputs, constants))


def residual_bundle(root: Path, *, threshold: float = 0.006, fails_above: float = 0.9, **options: Any) -> Path:
    """A model with a residual nu / 100 per row: flag 4 above the threshold, flag 2 for nu > fails_above."""
    nu = np.array([[0.005], [0.1], [0.5]])
    points = np.stack([np.linspace(-1, 1, 7), np.linspace(0, 1, 7)], axis=1).astype(np.float32)
    return write(
        root,
        residual_model(fails_above),
        inputs=(InputSpec("parameters", "float64", ("B", 1), NU), InputSpec("points", "float32", ("M", 2), X_T)),
        outputs=(
            OutputSpec("u", "float32", ("B", "M"), "m/s"),
            OutputSpec("residual", "float64", ("B",), "m/s^2", True, threshold),
        ),
        golden={
            "input/parameters": nu,
            "input/points": points,
            "output/u": nu @ points.astype(np.float64).sum(axis=1)[None, :],
            "output/residual": nu[:, 0] / 100,
        },
        entries=[OutputCertificate.from_terms("u", "m/s", terms(), found=None)],
        **options,
    )


def edit(bundle: Path, name: str, change: Callable[[bytes], bytes], consistent: bool = True) -> None:
    """Changes a file of a bundle; `consistent` mends the manifest's hash and size of it."""
    path = bundle / name
    data = change(path.read_bytes())
    path.write_bytes(data)
    if consistent:
        entry = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        edit_json(bundle, "manifest.json", lambda m: m["files"].__setitem__(name, entry))


def edit_json(bundle: Path, name: str, change: Callable[[Any], object]) -> None:
    """Changes a JSON file of a bundle in place; a file other than the manifest is listed anew."""

    def apply(data: bytes) -> bytes:
        document = json.loads(data)
        change(document)
        return json.dumps(document).encode()

    edit(bundle, name, apply, consistent=name != "manifest.json")
