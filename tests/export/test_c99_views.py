"""Two views of one value are two operands, whatever their strides; what is read backwards is read without wrapping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from edgepde_export.exporting import export
from edgepde_export.lowering.outliers import refuse_outliers
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BackendError, UnsupportedModel
from support import onnx_writer as w
from support.generated import Generated, builds, part
from support.kernel_libraries import needs_cc

X = np.random.default_rng(3).normal(size=(37, 6)).astype(np.float32)
VIEWS = {
    "apart": (slice(0, 3), slice(0, 6, 2)),
    "backwards": (slice(0, 3), slice(5, 2, -1)),
    "from one place, backwards": (slice(2, 5), slice(2, None, -1)),
    "equal": (slice(1, 4), slice(1, 4)),
}


def model(first: slice, second: slice) -> bytes:
    """y = tanh(x[:, first]) + x[:, second]."""
    constants = {"axis": np.array([1])}
    for name, cut in (("a", first), ("b", second)):
        start, end, step = cut.indices(6)
        constants |= {f"{name}s": np.array([start]), f"{name}e": np.array([end if end >= 0 else -99])}
        constants[f"{name}t"] = np.array([step])
    nodes = [w.node("Slice", ["x", f"{n}s", f"{n}e", "axis", f"{n}t"], [n]) for n in "ab"]
    nodes += [w.node("Tanh", ["a"], ["t"]), w.node("Add", ["t", "b"], ["y"])]
    values = w.value_info("x", "float32", ["M", 6]), w.value_info("y", "float32", ["M", 3])
    return w.model(w.graph(nodes, [values[0]], [values[1]], constants))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """All views in one file."""
    return Generated({n: model(*cuts) for n, cuts in VIEWS.items()}, tmp_path_factory.mktemp("views"), "-O1")


@needs_cc
@pytest.mark.parametrize("isa", builds())
@pytest.mark.parametrize("name", VIEWS)
def test_views_of_one_value_are_told_apart(made: Generated, name: str, isa: str) -> None:
    first, second = VIEWS[name]
    expected = np.tanh(X[:, first].astype(np.float64)) + X[:, second]
    for rows in (1, 3, 37):
        found = made.on(isa)[name]({"x": X[:rows]})["y"]
        np.testing.assert_allclose(found, expected[:rows], rtol=0, atol=4e-7)


@needs_cc
def test_reading_backwards_never_wraps(made: Generated) -> None:
    assert "* -" not in made.text
    assert "e - " in made.text or "- e" in made.text


@needs_cc
def test_a_network_that_joins_two_views_exports_right(tmp_path: Path) -> None:
    class Joined(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.a, self.b = torch.nn.Linear(2, 8), torch.nn.Linear(4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            z = self.a(x)
            return self.b(torch.tanh(z[:, :4]) * z[:, ::2])

    box = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"], ["m", "s"])
    bundle = export(Joined(), tmp_path / "b", domain=box, targets=["onnx", "c99"], log=lambda _: None)
    from edgepde_runtime import load

    x = np.array([[0.5, 0.25], [-0.3, 0.8]], np.float32)
    np.testing.assert_allclose(load(bundle, "c99")(x), load(bundle, "reference")(x), rtol=0, atol=1e-6)


def test_a_backend_that_computes_something_else_is_refused() -> None:
    refuse_outliers({"c99": 3e-7, "ort": 1e-7}, 1.0, 6e-8)
    refuse_outliers({"c99": 1e-15, "reference": 0.0}, 1.0, 1.1e-16)
    for wrong in (0.3, float("nan"), float("inf")):
        with pytest.raises(BackendError, match=r"backend c99 is off by .*nothing was written"):
            refuse_outliers({"c99": wrong, "ort": 1e-7}, 1.0, 6e-8)


def test_a_product_over_no_terms_is_refused() -> None:
    constants = {n: np.array([v]) for n, v in (("s", 0), ("e", 0), ("axis", 1))}
    nodes = [w.node("Slice", ["x", "s", "e", "axis"], ["k"]), w.node("MatMul", ["k", "W"], ["y"], name="empty")]
    values = w.value_info("x", "float32", ["M", 6]), w.value_info("y", "float32", ["M", 3])
    weights = {**constants, "W": np.zeros((0, 3), np.float32)}
    with pytest.raises(UnsupportedModel, match=r"expected operands with elements, got an empty one among \["):
        part(w.model(w.graph(nodes, [values[0]], [values[1]], weights)), "none")
