"""onnxruntime with our kernel of factorized_conv: the generated C's bits, refusals, nothing out of bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.errors import ModelFileError
from edgepde_runtime.rooms import Room
from support.factorized_kernel import Kernel, build_kernel
from support.op_cases import Case
from support.rooms import case_model, cases_of

ort = pytest.importorskip("onnxruntime")

ROOM = Room("factorized_conv")
CASES = cases_of(ROOM)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return build_kernel("gcc", "scalar", tmp_path_factory.mktemp("kernel"))


def run(encoded: bytes, library: Path, inputs: list[Any]) -> np.ndarray:
    """One run through a library."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.register_custom_ops_library(str(library))
    running = ort.InferenceSession(encoded, options, providers=["CPUExecutionProvider"])
    return np.asarray(running.run(None, {f"i{n}": x for n, x in enumerate(inputs)})[0])


def opened(case: Case, attributes: dict[str, Any] | None = None) -> bytes:
    """The model of a case, sizes left open, with other attributes."""
    onnx = pytest.importorskip("onnx")
    found = onnx.load_from_string(case_model(ROOM, case)[0])
    if attributes is not None:
        del found.graph.node[0].attribute[:]
        found.graph.node[0].attribute.extend(onnx.helper.make_attribute(k, v) for k, v in attributes.items())
    for given in found.graph.input:
        for place, size in enumerate(given.type.tensor_type.shape.dim):
            size.dim_param = f"{given.name}_{place}"
    for made in found.graph.output:
        made.type.tensor_type.ClearField("shape")
    return bytes(found.SerializeToString())


def same_bits(y: np.ndarray, z: np.ndarray) -> bool:
    bits = f"u{y.itemsize}"
    return y.dtype == z.dtype and bool(((y.view(bits) == z.view(bits)) | (np.isnan(y) & np.isnan(z))).all())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_onnxruntime_gives_the_kernels_bits(case: Case, library: Path, kernel: Kernel) -> None:
    y = run(case_model(ROOM, case)[0], library, case[1])
    assert same_bits(y, kernel.run(case[1], case[2]))


@pytest.mark.parametrize("case", CASES[:36:9], ids=lambda case: case[0])
def test_the_kernel_ran_and_not_the_body(case: Case, library: Path, marked: Path) -> None:
    encoded = case_model(ROOM, case)[0]
    np.testing.assert_allclose(run(encoded, marked, case[1]) - run(encoded, library, case[1]), 1.0, atol=1e-5)


GOOD = next(case for case in CASES if case[0] == "float32-float32-picture")


def attribute(name: str, value: Any) -> tuple[list[Any], dict[str, Any]]:
    return list(GOOD[1]), {**GOOD[2], name: value}


def changed(place: int, change: Any) -> tuple[list[Any], dict[str, Any]]:
    inputs = list(GOOD[1])
    inputs[place] = np.ascontiguousarray(change(inputs[place]))
    return inputs, GOOD[2]


WRONG = {
    "rank": (attribute("rank", 5), "rank|read"),
    "kernel-long": (attribute("kernel_shape", [3, 6]), "filters"),
    "kernel-axes": (attribute("kernel_shape", [3]), "kernel_shape"),
    "kernel-zero": (attribute("kernel_shape", [0, 8]), "kernel_shape"),
    "kernel-far": (attribute("kernel_shape", [2**40, 1]), "kernel_shape"),
    "kernel-large": (attribute("kernel_shape", [1, 60]), "axis 3|filters|grid"),
    "strides-zero": (attribute("strides", [0, 1]), "strides"),
    "strides-many": (attribute("strides", [1, 1, 1]), "strides"),
    "pads-below": (attribute("pads", [1, -2, 1, 2]), "pads"),
    "pads-few": (attribute("pads", [1, 2]), "pads"),
    "pads-far": (attribute("pads", [2**40, 0, 0, 0]), "pads"),
    "pads-huge": (attribute("pads", [2**27, 0, 0, 2**27]), "at most|2\\^28"),
    "dilations-zero": (attribute("dilations", [1, 0]), "dilations"),
    "dilations-far": (attribute("dilations", [1, 2**28]), "points|grid"),
    "x-flat": (changed(0, lambda v: v[0, 0]), "axes"),
    "x-deep": (changed(0, lambda v: v[..., None, None]), "axes"),
    "x-channels": (changed(0, lambda v: v[:, :2]), "read"),
    "x-small": (changed(0, lambda v: v[:, :, :0]), "axis 2|grid"),
    "filters-short": (changed(2, lambda v: v[:, :-1]), "filters"),
    "read-rows": (changed(1, lambda v: v[:-1]), "read|filters|rank"),
    "write-columns": (changed(3, lambda v: v[:, :-1]), "write"),
    "nothing-written": (changed(3, lambda v: v[:0]), "write|bias"),
    "bias": (changed(4, lambda v: v[:-1]), "bias"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_fit_is_an_error_on_both_backends(what: str, library: Path) -> None:
    (inputs, attributes), said = WRONG[what]
    with pytest.raises((ModelFileError, Exception), match=said):
        ROOM.run(inputs, attributes)
    encoded = opened(GOOD, attributes)
    if inputs[0].ndim != GOOD[1][0].ndim:
        onnx = pytest.importorskip("onnx")
        found = onnx.load_from_string(encoded)
        found.graph.input[0].type.tensor_type.ClearField("shape")
        encoded = found.SerializeToString()
    with pytest.raises(Exception, match=f"factorized_conv: .*({said})"):
        run(encoded, library, inputs)


@pytest.mark.parametrize("name", sorted(GOOD[2]))
def test_a_missing_attribute_is_named(name: str, library: Path) -> None:
    left = {k: v for k, v in GOOD[2].items() if k != name}
    with pytest.raises(Exception, match=name):
        run(opened(GOOD, left), library, GOOD[1])
