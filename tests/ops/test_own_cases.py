"""Every case of every op of the domain edgepde, on every way to run it, against the room's numpy reference."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.backends.reference import load
from edgepde_runtime.ops.check import complete
from edgepde_runtime.rooms import Room
from support.op_cases import Case
from support.rooms import case_model, own_cases, tolerance, with_body

CASES = [pytest.param(room, case, id=f"{room.folder}-{case[0]}") for room, case in own_cases()]


def agree(room: Room, case: Case, theirs: Sequence[Any]) -> None:
    """Same types and shapes; truth values equal; floats within the bound of two roundings, NaN meeting NaN.

    An iteration's floats are compared in the rows that converged.
    """
    _, inputs, attributes = case
    ours = [np.asarray(y) for y in room.run(inputs, attributes)]
    assert len(ours) == len(theirs)
    answers = ours[-1] if room.rounding.settled_by else slice(None)
    for y, other in zip(ours, theirs, strict=True):
        z = np.asarray(other)
        assert (y.dtype, y.shape) == (z.dtype, z.shape)
        if y.dtype.kind != "f":
            assert (y == z).all(), f"{y} and {z} differ"
            continue
        near = 2 * tolerance(room, inputs, attributes, y)
        with np.errstate(invalid="ignore"):
            close = (np.abs(y - z) <= near) | (y == z) | (np.isnan(y) & np.isnan(z))
        assert close[answers].all(), f"{y} and {z} differ by more than {near}"


@pytest.mark.parametrize(("room", "case"), CASES)
def test_reference_backend_runs_the_case(room: Room, case: Case) -> None:
    encoded, inputs = case_model(room, case)
    for y, z in zip(room.run(case[1], case[2]), load(encoded).run(inputs).values(), strict=True):
        np.testing.assert_array_equal(y, z)


@pytest.mark.parametrize("opset", [20, 23])
@pytest.mark.parametrize(("room", "case"), CASES)
def test_body_in_the_onnx_evaluator(room: Room, case: Case, opset: int) -> None:
    onnx = pytest.importorskip("onnx")
    evaluator = pytest.importorskip("onnx.reference")
    name, given, attributes = case
    explicit = (
        name,
        given,
        complete(room.op, attributes),
    )  # the evaluator knows no defaults of a function's attributes
    encoded, inputs = case_model(room, explicit, opset)
    found = with_body(encoded, room)
    onnx.checker.check_model(found)
    with np.errstate(all="ignore"):
        agree(room, case, evaluator.ReferenceEvaluator(found).run(None, inputs))


@pytest.mark.parametrize(("room", "case"), CASES)
def test_body_in_onnxruntime(room: Room, case: Case) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    encoded, inputs = case_model(room, case)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    serialised = with_body(encoded, room).SerializeToString()
    try:
        session = runtime.InferenceSession(serialised, options, providers=["CPUExecutionProvider"])
    except runtime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        pytest.skip(f"onnxruntime has no kernel for a node of the body: {error}")
    agree(room, case, session.run(None, inputs))


@pytest.mark.parametrize(("room", "case"), CASES)
def test_torch_op(room: Room, case: Case) -> None:
    torch = pytest.importorskip("torch")
    import edgepde

    modules = [m.name for m in pkgutil.walk_packages(edgepde.__path__, "edgepde.")]
    for name in (name for name in modules if name.endswith(f".{room.op.name}")):
        importlib.import_module(name)
    op = getattr(torch.ops.edgepde, room.op.name)
    _, inputs, attributes = case
    given = {a.name: torch.from_numpy(np.array(x)) for a, x in zip(room.op.inputs, inputs, strict=True)}
    arguments = {**given, **complete(room.op, attributes)}
    results = op(**arguments)
    agree(room, case, [y.numpy() for y in (results if isinstance(results, tuple) else (results,))])
    for a, x in zip(room.op.inputs, inputs, strict=True):
        np.testing.assert_array_equal(given[a.name].numpy(), x)
    if not any(np.isnan(x).any() for x in inputs if x is not None):  # the check compares with ==
        torch.library.opcheck(op, (), arguments, test_utils=("test_schema", "test_faketensor"))
