"""Bundles of a model with slots, made without torch or onnx: u = basis_readout(tanh(x W), basis, scale)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from edgepde_runtime import shelf
from edgepde_runtime.cassettes import Cassette
from edgepde_runtime.certificate import BoxEntry, Certificate, OutputCertificate, index
from edgepde_runtime.golden import Golden
from edgepde_runtime.manifest import Column, FileEntry, InputSpec, Manifest, OutputSpec, SlotSpec
from edgepde_runtime.onnxfile import model_hash
from edgepde_runtime.term import TERMS, Term
from numpy.typing import NDArray
from support import onnx_writer as w
from support.bundles import npz_bytes, terms

Array = NDArray[Any]
SENSORS, FEATURES, PLACES = 3, 4, 5
BACKENDS = ("c99", "ort", "reference")
OUTPUT = OutputSpec("u", "float32", ("B", PLACES), "m")
SPECS = (SlotSpec("basis", "float16", (FEATURES, PLACES)), SlotSpec("scale", "float32", (1,)))


def inputs(low: float = -2.0, high: float = 2.0) -> tuple[InputSpec, ...]:
    """Sensors in a box."""
    columns = tuple(Column(f"s{i}", "m", low, high) for i in range(SENSORS))
    return (InputSpec("sensors", "float32", ("B", SENSORS), columns),)


def weights(seed: int = 0) -> Array:
    """Of the shared branch, [SENSORS, FEATURES]."""
    return np.random.default_rng(seed).standard_normal((SENSORS, FEATURES)).astype(np.float32)


def body() -> bytes:
    """The op's function body as the room has it, encoded by hand."""
    nodes = [
        w.node("CastLike", ["basis", "coefficients"], ["held"]),
        w.node("MatMul", ["coefficients", "held"], ["sums"]),
        w.node("Mul", ["sums", "scale"], ["y"]),
    ]
    return w.function("edgepde", "basis_readout", ["coefficients", "basis", "scale"], ["y"], nodes, opsets={"": 20})


def model(seed: int = 0) -> bytes:
    """The graph with its slots as inputs after the sensors."""
    nodes = [
        w.node("MatMul", ["sensors", "W"], ["mixed"]),
        w.node("Tanh", ["mixed"], ["features"]),
        w.node("basis_readout", ["features", "basis", "scale"], ["u"], domain="edgepde"),
    ]
    given = [w.value_info("sensors", "float32", ["B", SENSORS])]
    given += [w.value_info(slot.name, slot.dtype, list(slot.shape)) for slot in SPECS]
    graph = w.graph(nodes, given, [w.value_info("u", "float32", ["B", PLACES])], {"W": weights(seed)})
    return w.model(graph, opsets={"": 20, "edgepde": 1}, functions=[body()])


def arrays(seed: int) -> dict[str, Array]:
    """The slots of one operator."""
    rng = np.random.default_rng(100 + seed)
    basis = rng.standard_normal((FEATURES, PLACES)).astype(np.float16)
    return {"basis": basis, "scale": np.array([0.5 + seed], np.float32)}


def exact(x: Array, slots: Mapping[str, Array], seed: int = 0) -> Array:
    """The network in float64."""
    features = np.tanh(x.astype(np.float64) @ weights(seed).astype(np.float64))
    made: Array = features @ slots["basis"].astype(np.float64) * slots["scale"].astype(np.float64)
    return made


def certificate(hash_: str, low: float = -2.0, high: float = 2.0, amount: float = 1e-4) -> Certificate:
    """Of one operator, measured; `amount` is what its rounding may be."""
    box = tuple(BoxEntry("sensors", c.name, c.unit, low, high) for c in inputs()[0].columns)
    entry = OutputCertificate.from_terms("u", "m", terms({"rounding": amount}))
    return Certificate(hash_, BACKENDS, box, ("IEEE-754 arithmetic",), "measured 1", index([entry]))


def unstated(hash_: str) -> Certificate:
    """Of the model alone: it depends on the cassette."""
    found = dict.fromkeys(TERMS, Term.not_verified("each cassette has its own"))
    box = tuple(BoxEntry("sensors", c.name, c.unit, -2.0, 2.0) for c in inputs()[0].columns)
    entry = OutputCertificate.from_terms("u", "m", found)
    return Certificate(hash_, BACKENDS, box, ("IEEE-754 arithmetic",), "measured 1", index([entry]))


def cassette(name: str, seed: int, *, high: float = 2.0, golden_error: float = 0.0, hash_: str = "0" * 64) -> Cassette:
    """An operator; its box reaches from -2 to `high`."""
    x = np.random.default_rng(seed).uniform(-2.0, high, (4, SENSORS)).astype(np.float32)
    golden = Golden({"sensors": x}, {"u": exact(x, arrays(seed)) + golden_error}, {"B": 4})
    return Cassette(name, arrays(seed), certificate(hash_, high=high), golden)


def manifest(hash_: str, files: Mapping[str, bytes], name: str = "shared") -> Manifest:
    """Of the model, its files listed."""
    listed = {n: FileEntry(hashlib.sha256(data).hexdigest(), len(data)) for n, data in files.items()}
    return Manifest(1, name, hash_, listed, {"edgepde": "0.1.0"}, inputs(), (OUTPUT,), SPECS)


def shared_bundle(
    root: Path, held: Sequence[Cassette] = (), *, seed: int = 0, extra: Mapping[str, bytes] | None = None
) -> Path:
    """A bundle with these cassettes."""
    encoded = model(seed)
    hash_ = model_hash(encoded)
    x = np.linspace(-1, 1, 2 * SENSORS, dtype=np.float32).reshape(2, SENSORS)
    files = {
        "model.onnx": encoded,
        "certificate.json": unstated(hash_).to_json().encode(),
        "golden.npz": npz_bytes({"input/sensors": x}),
        "card.md": b"# a card\n",
        **(extra or {}),
    }
    made = manifest(hash_, files)
    for name, data in {**files, "manifest.json": made.to_json().encode()}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    shelf.write(root, held, made)
    return root
