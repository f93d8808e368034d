"""Calls on the caller's own arrays: nothing copied, nothing cast, nothing replaced under them."""

from __future__ import annotations

import types
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import Model, load
from edgepde_runtime.errors import BackendError, InputError, OutOfBox

X = np.array([[0.5, 0.25], [-0.75, 1.0], [1.0, 0.0]], dtype=np.float32)


def test_bind_writes_in_place(model: Model) -> None:
    x, out = X.copy(), np.empty((3, 1), np.float32)
    call = model.bind(x, out)
    assert call() == 0
    np.testing.assert_array_equal(out, model(X))
    x[:] = X[::-1]
    assert call() == 0
    np.testing.assert_array_equal(out, model(X[::-1]))
    assert call.outputs["u"] is out


def test_bind_checks_every_call(mlp: Path, backend: str) -> None:
    x = X.copy()
    call = load(mlp, backend).bind(x)
    x[1, 1] = 1.5
    before = call.outputs["u"].copy()
    with pytest.raises(OutOfBox, match="row 1, column t"):
        call()
    x[1, 1] = np.nan
    with pytest.raises(InputError, match="row 1, column t: expected a finite number"):
        call()
    np.testing.assert_array_equal(call.outputs["u"], before)
    flagging = load(mlp, backend, out_of_box="flag").bind(np.array([[2.0, 0.5]], np.float32))
    assert flagging() == 1


def test_bind_flags_rows_that_do_not_converge(solver: Path, backend: str) -> None:
    nu = np.array([[0.5], [0.95]])
    call = load(solver, backend).bind(parameters=nu, points=X)
    assert call() == 2
    assert np.isnan(call.outputs["u"]).all(axis=1).tolist() == [False, True]
    nu[1] = 0.7
    assert call() == 4
    assert np.isfinite(call.outputs["u"]).all()


@pytest.mark.parametrize("out", ["mapping", "tuple", "none"])
def test_bind_takes_outputs_by_name_or_in_order(solver: Path, out: str) -> None:
    u, residual = np.empty((1, 3), np.float32), np.empty(1)
    given_out = {"mapping": {"residual": residual, "u": u}, "tuple": (u, residual), "none": None}[out]
    call = load(solver, "reference").bind(parameters=np.array([[0.5]]), points=X, out=given_out)
    call()
    np.testing.assert_allclose(call.outputs["u"][0], 0.5 * X.sum(axis=1), rtol=1e-6)
    assert out == "none" or call.outputs["u"] is u


@pytest.mark.parametrize(
    ("x", "out", "message"),
    [
        (X.astype(np.float64), None, r"input x: expected a C-contiguous float32 array .* got float64"),
        (X.tolist(), None, "got list"),
        (np.asfortranarray(X), None, "got one that is not"),
        (X[:0], None, r"got float32 \[0, 2\]"),
        (X[:, :1].copy(), None, r"got float32 \[3, 1\]"),
        (X, np.empty((2, 1), np.float32), r"output u: expected .* \[3, 1\], got float32 \[2, 1\]"),
        (X, np.empty((3, 1)), "got float64"),
        (X, np.empty((6, 1), np.float32)[::2], "got one that is not"),
        (X, {"v": np.empty((3, 1), np.float32)}, "'v' is no output"),
        (X, (1, 2), "expected arrays for u, got tuple"),
        (X, 3.0, "expected arrays for u, got float"),
    ],
)
def test_bind_refuses_what_it_would_have_to_copy(mlp: Path, x: object, out: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(mlp, "reference").bind(x, out)


def test_bind_refuses_read_only_and_shared_outputs(mlp: Path) -> None:
    model = load(mlp, "reference")
    frozen = np.empty((3, 1), np.float32)
    frozen.setflags(write=False)
    with pytest.raises(InputError, match="writeable"):
        model.bind(X, frozen)
    memory = np.zeros((4, 2), np.float32)
    with pytest.raises(InputError, match="memory of its own, got that of input x"):
        model.bind(memory[:2], memory.reshape(-1)[2:4].reshape(2, 1))


@pytest.mark.parametrize("backend", ["reference", "ort"], indirect=True)
def test_bound_arrays_cannot_be_replaced_or_change_their_layout(mlp: Path, backend: str) -> None:
    x, out = X.copy(), np.empty((3, 1), np.float32)
    call = load(mlp, backend).bind(x, out)
    for arrays in (call.inputs, call.outputs):
        with pytest.raises(TypeError):
            arrays["x"] = X  # type: ignore[index]
    out.setflags(write=False)
    with pytest.raises(InputError, match=r"output u: expected the float32 array \[3, 1\] it was bound with"):
        call()
    out.setflags(write=True)
    assert call() == 0
    x.resize((2, 2), refcheck=False)
    with pytest.raises(InputError, match=r"input x: expected the float32 array \[3, 2\]"):
        call()


def test_bind_refuses_arrays_that_are_not_aligned(mlp: Path) -> None:
    odd = np.frombuffer(bytearray(25), np.uint8)[1:].view(np.float32).reshape(3, 2)
    assert odd.flags.c_contiguous
    assert not odd.flags.aligned
    with pytest.raises(InputError, match=r"input x: .*got one that is not"):
        load(mlp, "reference").bind(odd)


def test_a_bound_call_that_onnxruntime_refuses_is_a_backend_error(mlp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    model = load(mlp, "ort")

    class Failing:
        def io_binding(self) -> object:
            return types.SimpleNamespace(bind_input=lambda *_: None, bind_output=lambda *_: None)

        def run_with_iobinding(self, _: object) -> None:
            raise RuntimeError("out of arena")

    monkeypatch.setattr(model._backend, "_session", Failing())
    with pytest.raises(BackendError, match="backend ort: out of arena"):
        model.bind(X)()
