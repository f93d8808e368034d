"""Every case of every standard op: float32 against float64, and against the two public implementations of ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.backends.reference import load
from edgepde_runtime.rooms import Room
from numpy.typing import NDArray
from support.op_cases import Case
from support.rooms import case_model, standard_cases, tolerance

CASES = [pytest.param(room, case, id=f"{room.folder}-{case[0]}") for room, case in standard_cases()]

NO_GROUPS = "the evaluator mixes the groups of a transposed convolution"
SINGLE_ERF = "the evaluator computes erf in float32"
DOUBLE_PLACES = "the evaluator computes places in float64, we and onnxruntime in float32"
SINGLE_CONSTANT = "0.044715 is held in float32 by the function body of the standard"
# Beginnings of case ids where another implementation is known to differ, and why.
EVALUATOR_DEPARTS = {
    "conv_transpose-float32-depthwise": NO_GROUPS,
    "conv_transpose-float32-groups": NO_GROUPS,
    "conv_transpose-float64-depthwise": NO_GROUPS,
    "conv_transpose-float64-groups": NO_GROUPS,
    "erf-float64": SINGLE_ERF,
    "gather_elements-int32": "the evaluator takes axis -1 for axis 0",
    "gelu-float64": SINGLE_ERF,
    "pad-cut": "the evaluator knows no negative pads",
    "resize-corners": DOUBLE_PLACES,
    "resize-linear-1-sizes": DOUBLE_PLACES,
}
ONNXRUNTIME_DEPARTS = {
    "gelu-float64-row-approximate-tanh": SINGLE_CONSTANT,
    "gelu-float64-column-approximate-tanh": SINGLE_CONSTANT,
    "gelu-float64-scalar-approximate-tanh": SINGLE_CONSTANT,
}


def skip_departures(room: Room, case: Case, departures: Mapping[str, str]) -> None:
    for start, reason in departures.items():
        if f"{room.folder}-{case[0]}".startswith(start):
            pytest.skip(reason)


def agree(
    room: Room, case: Case, ours: Sequence[NDArray[Any]], theirs: Sequence[Any], implementations: int = 2
) -> None:
    """Same types and shapes; values within the room's bound once for each implementation that rounds."""
    _, inputs, attributes = case
    assert len(ours) == len(theirs)
    for y, other in zip(ours, theirs, strict=True):
        z = np.asarray(other)
        assert (y.dtype, y.shape) == (z.dtype, z.shape)
        near = implementations * tolerance(room, inputs, attributes, y)
        with np.errstate(invalid="ignore"):
            same = (y == z) | (np.isnan(y) & np.isnan(z)) if y.dtype.kind == "f" else y == z
            close = np.abs(y.astype(np.float64) - z.astype(np.float64)) <= near
        assert (same | close).all(), f"{y} and {z} differ by more than {near}"


@pytest.mark.parametrize(("room", "case"), CASES)
def test_float32_is_within_the_bound_of_float64(room: Room, case: Case) -> None:
    name, inputs, attributes = case
    if not any(x is not None and x.dtype == np.float32 for x in inputs):
        pytest.skip("nothing is computed in float32")
    exact = room.run(
        [x.astype(np.float64) if x is not None and x.dtype == np.float32 else x for x in inputs], attributes
    )
    for y, z in zip(room.run(inputs, attributes), exact, strict=True):
        near = tolerance(room, inputs, attributes, np.asarray(y))
        with np.errstate(invalid="ignore"):
            close = np.abs(np.asarray(y, np.float64) - np.asarray(z, np.float64)) <= near
        assert (close | np.equal(y, z) | (np.not_equal(y, y) & np.not_equal(z, z))).all(), f"{name}: {y} {z} {near}"


@pytest.mark.parametrize(("room", "case"), CASES)
def test_reference_backend_runs_the_case(room: Room, case: Case) -> None:
    encoded, inputs = case_model(room, case)
    got = load(encoded).run(inputs)
    agree(room, case, [np.asarray(y) for y in room.run(case[1], case[2])], list(got.values()), implementations=0)


@pytest.mark.parametrize("opset", [20, 23])
@pytest.mark.parametrize(("room", "case"), CASES)
def test_reference_against_the_onnx_evaluator(room: Room, case: Case, opset: int) -> None:
    skip_departures(room, case, EVALUATOR_DEPARTS)
    onnx = pytest.importorskip("onnx")
    evaluator = pytest.importorskip("onnx.reference")
    encoded, inputs = case_model(room, case, opset)
    onnx.checker.check_model(encoded)
    with np.errstate(all="ignore"):
        theirs = evaluator.ReferenceEvaluator(onnx.load_from_string(encoded)).run(None, inputs)
    agree(room, case, list(load(encoded).run(inputs).values()), theirs)


@pytest.mark.parametrize(("room", "case"), CASES)
def test_reference_against_onnxruntime(room: Room, case: Case) -> None:
    skip_departures(room, case, ONNXRUNTIME_DEPARTS)
    runtime = pytest.importorskip("onnxruntime")
    encoded, inputs = case_model(room, case)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = runtime.InferenceSession(encoded, options, providers=["CPUExecutionProvider"])
    except runtime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        pytest.skip(f"onnxruntime has no kernel: {error}")
    agree(room, case, list(load(encoded).run(inputs).values()), session.run(None, inputs))
