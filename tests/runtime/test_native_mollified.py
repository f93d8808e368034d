"""onnxruntime with our kernel of mollified_derivative: the generated C's bits, refusals, nothing out of bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.errors import EdgePDEError
from edgepde_runtime.rooms import Room
from support.mollified_kernel import Kernel, build_kernel
from support.op_cases import Case
from support.rooms import case_model, cases_module, cases_of

ort = pytest.importorskip("onnxruntime")

ROOM = Room("mollified_derivative")
CASES = cases_of(ROOM)
MADE = cases_module(ROOM).made


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


def opened(case: Case) -> bytes:
    """The model of a case, sizes left open."""
    onnx = pytest.importorskip("onnx")
    found = onnx.load_from_string(case_model(ROOM, case)[0])
    for given in found.graph.input:
        for place, size in enumerate(given.type.tensor_type.shape.dim):
            size.dim_param = f"{given.name}_{place}"
    return bytes(found.SerializeToString())


def same_bits(y: np.ndarray, z: np.ndarray) -> bool:
    return y.dtype == z.dtype and y.tobytes() == z.tobytes()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_onnxruntime_gives_the_kernels_bits(case: Case, library: Path, kernel: Kernel) -> None:
    assert same_bits(run(case_model(ROOM, case)[0], library, case[1]), kernel.run(case[1]))


@pytest.mark.parametrize("case", CASES[:18:9], ids=lambda case: case[0])
def test_the_kernel_ran_and_not_the_body(case: Case, library: Path, marked: Path) -> None:
    encoded = case_model(ROOM, case)[0]
    np.testing.assert_allclose(run(encoded, marked, case[1]) - run(encoded, library, case[1]), 1.0, atol=1e-5)


ORDERS = ((1, -1, 0), (-1, 1, 1))
GOOD: Case = ("good", MADE(np.float32, 2, (3, 5, 6), ((3, 3), (5, 3), (5, 5)), ORDERS, 2), {})


def changed(place: int, change: Any) -> list[Any]:
    inputs = list(GOOD[1])
    inputs[place] = np.ascontiguousarray(change(inputs[place]))
    return inputs


def ordered(*rows: tuple[int, ...]) -> Any:
    return lambda _: np.array(rows, np.int64)


WRONG = {
    "order-high": (changed(4, ordered((2, -1, 0), (-1, 1, 1))), "orders: axis 1"),
    "order-low": (changed(4, ordered((1, -1, 0), (-1, -2, 1))), "orders: axis 2"),
    "order-far": (changed(4, ordered((1, -1, 2**40), (-1, 1, 1))), "orders: axis 3"),
    "orders-none": (changed(4, lambda v: v[:0]), "orders|combine"),
    "orders-many": (changed(4, lambda v: np.tile(v, (40, 1))), "orders|combine"),
    "orders-two": (changed(4, lambda v: v[:, :2]), "orders"),
    "combine-columns": (changed(5, lambda v: v[:, :1]), "combine"),
    "combine-none": (changed(5, lambda v: v[:0]), "combine"),
    "taps-1-wide": (changed(1, lambda v: np.tile(v, (1, 1, 2))), "axis 1"),
    "taps-2-rows": (changed(2, lambda v: v[:, :4]), "taps_2"),
    "taps-3-none": (changed(3, lambda v: v[:, :, :0]), "axis 3"),
    "x-short": (changed(0, lambda v: v[:, :, :, :4]), "axis 3"),
    "x-nothing": (changed(0, lambda v: v[:, :, :0]), "x: expected|axis 2"),
    "x-flat": (changed(0, lambda v: v[0]), "x'? expected.*(shape|axes)|x: expected.*axes"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_fit_is_an_error_on_both_backends(what: str, library: Path) -> None:
    inputs, said = WRONG[what]
    with pytest.raises(EdgePDEError, match=said):
        ROOM.run(inputs, {})
    encoded = opened(GOOD)
    if inputs[0].ndim != GOOD[1][0].ndim:
        onnx = pytest.importorskip("onnx")
        found = onnx.load_from_string(encoded)
        found.graph.input[0].type.tensor_type.ClearField("shape")
        encoded = found.SerializeToString()
    with pytest.raises(Exception, match=f"mollified_derivative: .*({said})"):
        run(encoded, library, inputs)


def test_a_window_as_long_as_its_axis_is_no_error(library: Path, kernel: Kernel) -> None:
    inputs = MADE(np.float32, 1, (3, 5, 7), ((3, 3), (5, 5), (7, 7)), ORDERS, 2)
    assert same_bits(run(case_model(ROOM, ("whole", inputs, {}))[0], library, inputs), kernel.run(inputs))


def test_axes_that_are_left_alone_may_be_of_any_length(library: Path) -> None:
    inputs = MADE(np.float32, 1, (1, 1, 7), ((3, 3), (9, 9), (7, 7)), ((-1, -1, 0),), 1)
    (wanted,) = ROOM.run(inputs, {})
    np.testing.assert_allclose(run(case_model(ROOM, ("alone", inputs, {}))[0], library, inputs), wanted, atol=1e-6)
