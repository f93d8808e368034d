"""How a readout ships: op or plain nodes, both the same numbers; which of them follows from the times alone."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from edgepde_export.lowering import readouts
from edgepde_export.passes import precision
from edgepde_export.passes.clean import serialize
from edgepde_runtime import choose
from edgepde_runtime.onnxfile import parse
from onnx import helper, numpy_helper
from support import cassette_bundles as made

X = np.random.default_rng(0).uniform(-2, 2, (5, made.SENSORS)).astype(np.float32)


def graph(kind: str = "float16") -> onnx.ModelProto:
    found = onnx.load_from_string(made.model())
    basis = next(v for v in found.graph.input if v.name == "basis")
    basis.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    return found


@pytest.fixture(params=["op", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The form that turns out to be the faster one."""
    asked = str(request.param)

    def timed(model: onnx.ModelProto, given: readouts.Arrays) -> float:
        choose.of_model("reference", serialize(model)).run(given)
        is_op = any(node.op_type == readouts.OP for node in model.graph.node)
        return 1.0 if is_op == (asked == "op") else 2.0

    monkeypatch.setattr(readouts, "_timed", timed)
    monkeypatch.setattr(readouts.native, "library", lambda: "here")
    return asked


@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_the_faster_form_ships_and_means_the_same(way: str, kind: str) -> None:
    told: list[str] = []
    found = readouts.chosen(graph(kind), c99=False, log=told.append)
    assert [row["form"] for row in found.ledger] == [way]
    ops = {node.op_type for node in parse(serialize(found.model)).graph.nodes}
    assert (readouts.OP in ops) == (way == "op")
    assert ("Cast" in ops) == (way == "plain" and kind == "float16")
    slots = {**made.arrays(1), "basis": made.arrays(1)["basis"].astype(kind)}
    got = choose.of_model("reference", serialize(found.model)).run({"sensors": X, **slots})["u"]
    np.testing.assert_allclose(got, made.exact(X, made.arrays(1)), atol=1e-5)
    assert any("us" in line for line in told)


@pytest.mark.parametrize(
    ("op", "plain", "needed", "form", "said"),
    [
        (1.0, 1.0, False, "op", "not clearly faster"),
        (1.2, 1.0, False, "op", "not clearly faster"),
        (2.0, 1.0, False, "plain", "faster here than our op"),
        (2.0, 1.0, True, "op", "slower here than plain nodes"),
    ],
)
def test_what_ships_follows_from_the_times(op: float, plain: float, needed: bool, form: str, said: str) -> None:
    chosen, why = readouts.settled({"op": op, "plain": plain}, needed=needed)
    assert chosen == form
    assert said in why


def test_without_a_library_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readouts.native, "library", lambda: None)
    found = readouts.chosen(graph(), c99=False, log=lambda _: None)
    assert "not measured" in found.ledger[0]["why"]


def test_a_graph_without_readouts_stays_as_it_is() -> None:
    bare = graph()
    del bare.graph.node[2:]
    assert readouts.chosen(bare, c99=True, log=lambda _: None).model is bare


def constants() -> onnx.ModelProto:
    """The model with the cassette's arrays as its own constants."""
    found = graph("float32")
    del found.graph.input[1:]
    arrays = {**made.arrays(1), "basis": made.arrays(1)["basis"].astype(np.float32)}
    found.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in arrays.items())
    return found


def test_a_constant_basis_is_stored_as_halves() -> None:
    stored = precision.store(constants(), "f16w", log=lambda _: None)
    node = next(n for n in stored.graph.node if n.op_type == readouts.OP)
    held = {t.name: t.data_type for t in stored.graph.initializer}
    assert held[node.input[1]] == onnx.TensorProto.FLOAT16
    got = choose.of_model("reference", serialize(stored)).run({"sensors": X})["u"]
    np.testing.assert_allclose(got, made.exact(X, made.arrays(1)), atol=5e-3)


def test_a_readout_by_constants_is_measured_too(way: str) -> None:
    found = readouts.chosen(constants(), c99=False, log=lambda _: None)
    assert [row["form"] for row in found.ledger] == [way]
    got = choose.of_model("reference", serialize(found.model)).run({"sensors": X})["u"]
    np.testing.assert_allclose(got, made.exact(X, made.arrays(1)), atol=1e-5)
