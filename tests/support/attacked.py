"""Bundles with a reference network beside the device's, made without torch or onnx."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from edgepde_runtime.certificate import OutputCertificate, Region
from edgepde_runtime.manifest import InputSpec, OutputSpec
from edgepde_runtime.term import Term
from numpy.typing import NDArray
from support import onnx_writer as w
from support.bundles import X_T, mlp_reference, npz_bytes, terms, write

SHIFT = 1e-3


def reference_model(
    shift: float = 0.0,
    *,
    dtype: str = "float64",
    columns: int = 2,
    output: str = "u",
    scale: float = 1.0,
    turned: bool = False,
) -> bytes:
    """The network of `onnx_writer.mlp_model` in float64, its output times `scale` and moved by `shift`.

    turned: hidden units in the opposite order, so that sums round otherwise.
    """
    held = {name: weight.astype(dtype) for name, weight in w.mlp_weights(seed=0).items()}
    held["W1"] = np.resize(held["W1"], (columns, held["W1"].shape[1]))
    held["W2"], held["b2"] = held["W2"] * scale, held["b2"] * scale + held["b2"].dtype.type(shift)
    if turned:
        held |= {"W1": held["W1"][:, ::-1].copy(), "b1": held["b1"][::-1].copy(), "W2": held["W2"][::-1].copy()}
    nodes = [
        w.node("MatMul", ["x", "W1"], ["a"]),
        w.node("Add", ["a", "b1"], ["z"]),
        w.node("Tanh", ["z"], ["h"]),
        w.node("MatMul", ["h", "W2"], ["c"]),
        w.node("Add", ["c", "b2"], [output]),
    ]
    ends = [w.value_info("x", dtype, ["M", columns])], [w.value_info(output, dtype, ["M", 1])]
    return w.model(w.graph(nodes, *ends, held))


def reference_file(graph: bytes) -> bytes:
    """reference.npz of a model file."""
    return npz_bytes({"graph": np.frombuffer(graph, np.uint8)})


def attacked_bundle(
    root: Path,
    *,
    shift: float = 0.0,
    compression: float = 1e-6,
    class_: str = "sound",
    elsewhere: Mapping[str, Mapping[str, Term]] | None = None,
    regions: tuple[Region, ...] = (),
    reference: bytes | None = b"",
    backends: tuple[str, ...] = ("c99", "ort", "reference"),
    **options: Any,
) -> Path:
    """The MLP of `bundles.mlp_bundle` whose reference is off by `shift`; the certificate admits `compression` + 3e-6.

    reference: bytes of reference.npz, None for no such file, b"" for the right one.
    """
    rng = np.random.default_rng(1)
    x: NDArray[np.float32] = np.stack([rng.uniform(-1, 1, 32), rng.uniform(0, 1, 32)], axis=1).astype(np.float32)
    data = reference_file(reference_model(shift)) if reference == b"" else reference
    entry = OutputCertificate.from_terms(
        "u", "m/s", terms({"compression": compression}, class_), elsewhere=elsewhere or {}, regions=regions
    )
    return write(
        root,
        w.mlp_model(seed=0, input_name="x", output_name="u"),
        inputs=(InputSpec("x", "float32", ("M", 2), X_T),),
        outputs=(OutputSpec("u", "float32", ("M", 1), "m/s"),),
        golden={"input/x": x, "output/u": mlp_reference(x)},
        entries=[entry],
        extra={} if data is None else {"reference.npz": data},
        backends=backends,
        **options,
    )
