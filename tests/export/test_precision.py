"""Weights stored in fewer bits: what becomes of the numbers, what the backends compute with them, what is refused."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from edgepde_export.lowering.graph import to_onnx
from edgepde_export.lowering.prepare import prepare
from edgepde_export.passes.bytes_per_row import MOST, nearest
from edgepde_export.passes.clean import clean, serialize
from edgepde_export.passes.precision import halves, restored, store
from edgepde_runtime.backends import ort, reference
from edgepde_runtime.errors import InputError, UnsupportedModel
from edgepde_runtime.onnxfile import parse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from . import nets

STORED = ("f16w", "i8w")
BACKENDS = (ort, reference)
X = np.random.default_rng(0).uniform(-1.0, 1.0, (64, 2))

finite = st.floats(-1e3, 1e3, width=32)
matrices = arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 7)), elements=finite)


@functools.cache
def exported(dtype: torch.dtype) -> onnx.ModelProto:
    return graph(nets.mlp(dtype=dtype), dtype)


def graph(module: nn.Module | None = None, dtype: torch.dtype = torch.float32) -> onnx.ModelProto:
    """A module's graph, of `nets.mlp` where none is given."""
    if module is None:
        return copy.deepcopy(exported(dtype))
    x = torch.rand(3, 2, dtype=dtype)
    return prepare(to_onnx(module.eval(), {"x": x}, {"x": {0: "M"}}, ["y"]), lambda _: None)


def silent(_: str) -> None:
    pass


def initializers(model: onnx.ModelProto) -> dict[str, NDArray[np.generic]]:
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def meant(model: onnx.ModelProto, precision: str) -> dict[str, NDArray[np.floating]]:
    """The weights as the device's arithmetic has them, by the names they had."""
    made = initializers(store(model, precision, silent))
    found = {}
    for name, plain in initializers(model).items():
        if f"{name}.half" in made:
            found[name] = made[f"{name}.half"].astype(plain.dtype)
        elif f"{name}.byte" in made:
            found[name] = made[f"{name}.byte"].astype(plain.dtype) * made[f"{name}.scale"]
        else:
            found[name] = plain
    return found


def replaced(model: onnx.ModelProto, values: dict[str, NDArray[np.floating]]) -> onnx.ModelProto:
    """The graph with these constants."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    del out.graph.initializer[:]
    out.graph.initializer.extend(numpy_helper.from_array(np.ascontiguousarray(v), name) for name, v in values.items())
    return out


def bits(values: NDArray[np.generic]) -> bytes:
    return np.ascontiguousarray(values).tobytes()


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.__name__.rsplit(".", 1)[-1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("precision", STORED)
def test_backends_compute_with_the_stored_numbers_to_the_bit(precision: str, dtype: str, backend: object) -> None:
    model = graph(dtype=getattr(torch, dtype))
    stored, plain = store(model, precision, silent), replaced(model, meant(model, precision))
    x = {"x": X.astype(dtype)}
    got, wanted = (backend.load(serialize(m)).run(x)["y"] for m in (stored, plain))  # type: ignore[attr-defined]
    assert bits(got) == bits(wanted)
    assert bits(got) != bits(backend.load(serialize(model)).run(x)["y"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("precision", STORED)
def test_a_forgotten_scale_or_cast_is_seen(precision: str) -> None:
    model = graph()
    stored = store(model, precision, silent)
    wrong = restored(stored)
    for tensor in wrong.graph.initializer:
        if len(tensor.dims) == 2:
            values = numpy_helper.to_array(tensor)
            tensor.CopyFrom(
                numpy_helper.from_array(np.ones_like(values) if precision == "i8w" else -values, tensor.name)
            )
    x = {"x": X.astype(np.float32)}
    assert bits(reference.load(serialize(wrong)).run(x)["y"]) != bits(reference.load(serialize(stored)).run(x)["y"])


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.__name__.rsplit(".", 1)[-1])
@pytest.mark.parametrize(("kind", "wide"), [(np.float16, "f4"), (np.float16, "f8"), (np.int8, "f4"), (np.int8, "f8")])
def test_every_half_and_every_byte_is_converted_exactly(kind: type, wide: str, backend: object) -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16) if kind is np.float16 else np.arange(-128, 128)
    every = every[~np.isnan(every)].astype(kind)
    to = helper.np_dtype_to_tensor_dtype(np.dtype(wide))
    made = helper.make_graph(
        [helper.make_node("Cast", ["all"], ["wide"], to=to), helper.make_node("Add", ["wide", "x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", to, [1])],
        [helper.make_tensor_value_info("y", to, [len(every)])],
        [numpy_helper.from_array(every, "all")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    got = backend.load(serialize(model)).run({"x": np.array([-0.0], wide)})["y"]  # type: ignore[attr-defined]
    assert bits(got) == bits(np.array([exact(v) for v in every], wide))


def exact(value: np.generic) -> float:
    """The number that sixteen bits, or an integer, stand for."""
    if value.dtype != np.float16:
        return float(int(value))
    held = int(value.view(np.uint16))
    sign, power, fraction = (-1.0) ** (held >> 15), (held >> 10) & 31, held & 1023
    if power == 31:
        return sign * float("inf")
    return sign * (fraction * 2.0**-24 if power == 0 else (1024 + fraction) * 2.0 ** (power - 25))


@given(matrices)
def test_a_half_is_the_nearest_and_what_has_one_stays(weights: NDArray[np.float32]) -> None:
    held = halves(weights, "w")
    for step in (-1, 1):
        other = np.nextafter(held, np.float16(step * np.inf)).astype(np.float64)
        assert (np.abs(held.astype(np.float64) - weights) <= np.abs(other - weights)).all()
    assert bits(halves(held.astype(np.float32), "w")) == bits(held)


@given(matrices, st.sampled_from([0, 1]), st.sampled_from([np.float32, np.float64]))
def test_bytes_are_within_half_a_step_of_every_row(weights: NDArray[np.float32], axis: int, kind: type) -> None:
    w = weights.astype(kind)
    q, scale = nearest(w, axis)
    assert q.dtype == np.int8
    assert scale.dtype == kind
    assert scale.shape == tuple(n if i == axis else 1 for i, n in enumerate(w.shape))
    assert int(np.abs(q.astype(int)).max()) <= MOST
    made = (q.astype(kind) * scale).astype(np.float64)
    worst = np.abs(made - w).max(axis=1 - axis)
    largest = np.abs(w.astype(np.float64)).max(axis=1 - axis)
    tiny, unit = np.finfo(kind).smallest_subnormal, np.finfo(kind).eps
    assert (worst <= largest / MOST / 2 + unit * largest + 64 * tiny).all()
    usual = np.expand_dims((largest / MOST).astype(kind), 1 - axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        plain = np.nan_to_num(np.rint(w / usual)).astype(kind) * usual
    assert (worst <= np.abs(plain.astype(np.float64) - w).max(axis=1 - axis)).all()


@given(arrays(np.int8, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.integers(-MOST, MOST)), st.data())
def test_whole_multiples_of_one_number_stay_exact(numbers: NDArray[np.int8], data: st.DataObject) -> None:
    steps = arrays(np.float32, (len(numbers), 1), elements=st.sampled_from([2.0**-20, 0.0078125, 0.75, 1.0, 96.0]))
    w = numbers.astype(np.float32) * data.draw(steps)
    q, scale = nearest(w, 0)
    assert bits(q.astype(np.float32) * scale + 0.0) == bits(w + 0.0)


def test_rows_of_zeros_stay_zero_and_very_small_rows_are_not_lost() -> None:
    w = np.zeros((4, 3), np.float32)
    w[1] = 2e-45
    w[2] = [1e-40, -3e-41, 0.0]
    w[3] = [np.finfo(np.float32).max, 1.0, -np.finfo(np.float32).max]
    q, scale = nearest(w, 0)
    made = q.astype(np.float32) * scale
    assert not made[0].any()
    assert (made[1] == w[1]).all()
    assert np.isfinite(made).all()
    assert (np.abs(made - w).max(axis=1) <= np.abs(w).max(axis=1) / 250).all()


def test_a_narrow_row_is_nearer_than_the_usual_scale_gets_it() -> None:
    w = np.random.default_rng(1).normal(size=(64, 2)).astype(np.float32)
    q, scale = nearest(w, 0)
    worst = np.abs(q * scale.astype(np.float64) - w).max(axis=1)
    assert np.median(worst / (np.abs(w).max(axis=1) / MOST / 2)) < 0.1


@pytest.mark.parametrize("precision", STORED)
def test_files_shrink_and_only_matrices_are_stored_so(precision: str) -> None:
    model = graph(nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)))
    stored = store(model, precision, silent)
    size = sum(np.asarray(v).nbytes for v in initializers(model).values() if v.ndim == 2)
    saved = size / 2 if precision == "f16w" else 3 * size / 4 - 4 * (64 + 64 + 1)
    assert len(serialize(model)) - len(serialize(stored)) >= saved - 600  # names and nodes
    kinds = {name: v.dtype for name, v in parse(serialize(stored)).graph.initializers.items()}
    small = {"f16w": np.float16, "i8w": np.int8}[precision]
    assert [name for name, kind in kinds.items() if kind == small] == [
        f"{i}.weight.{'half' if precision == 'f16w' else 'byte'}" for i in (0, 2, 4)
    ]
    assert all(kind == np.float32 for kind in kinds.values() if kind != small)
    onnx.checker.check_model(stored, full_check=True)


@pytest.mark.parametrize("precision", STORED)
def test_cleaning_and_writing_again_keep_what_is_stored(precision: str) -> None:
    stored = store(graph(), precision, silent)
    assert serialize(clean(stored)) == serialize(stored)
    assert serialize(store(graph(), precision, silent)) == serialize(stored)


def test_f32_is_the_graph_as_it_is() -> None:
    model = graph()
    assert store(model, "f32", silent) is model


@pytest.mark.parametrize("precision", STORED)
def test_restoring_gives_the_plain_graph_with_the_stored_numbers(precision: str) -> None:
    model = graph()
    plain = restored(store(model, precision, silent))
    assert [n.op_type for n in plain.graph.node] == [n.op_type for n in model.graph.node]
    values = sorted(bits(v) for v in initializers(plain).values())
    assert values == sorted(bits(v) for v in meant(model, precision).values())


class Product(nn.Module):
    """x W with W [2, 3], one weight in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([[1.0, 100.0, 1e-3], [0.5, -30.0, 2e-3]]))

    def forward(self, x: Tensor) -> Tensor:
        first: Tensor = x @ self.w
        return torch.tanh(first) + x @ (self.w * 1.0)


def test_rows_are_output_neurons_wherever_the_layer_has_them() -> None:
    stored = initializers(store(graph(Product()), "i8w", silent))
    assert {v.shape for v in stored.values() if v.dtype == np.float32} == {(1, 3)}
    layered = initializers(store(graph(), "i8w", silent))
    assert {layered[f"{i}.weight.scale"].shape for i in (0, 2, 4)} == {(8, 1), (1, 1)}


def test_a_weight_of_several_layers_is_stored_once() -> None:
    layer = nn.Linear(2, 2)
    model = graph(nn.Sequential(layer, nn.Tanh(), layer, nn.Tanh(), nn.Linear(2, 1)))
    stored = store(model, "i8w", silent)
    assert sum(v.dtype == np.int8 for v in initializers(stored).values()) == 2
    x = {"x": X.astype(np.float32)}
    got, wanted = (ort.load(serialize(m)).run(x)["y"] for m in (stored, replaced(model, meant(model, "i8w"))))
    assert bits(got) == bits(wanted)


def test_names_that_are_taken_are_left_alone() -> None:
    model = graph()
    for node in model.graph.node:
        node.input[:] = ["0.weight.half" if name == "0.bias" else name for name in node.input]
    for tensor in model.graph.initializer:
        tensor.name = "0.weight.half" if tensor.name == "0.bias" else tensor.name
    made = initializers(store(model, "f16w", silent))
    assert made["0.weight.half"].dtype == np.float32
    assert made["0.weight.half0"].dtype == np.float16


def with_weight(value: float) -> onnx.ModelProto:
    model = graph()
    tensor = next(t for t in model.graph.initializer if t.name == "2.weight")
    values = numpy_helper.to_array(tensor).copy()
    values[1, 2] = value
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


@pytest.mark.parametrize("value", [65520.0, -7e4, 3e38])
def test_a_weight_beyond_all_halves_is_refused(value: float) -> None:
    with pytest.raises(
        UnsupportedModel, match=r"^weight 2\.weight: expected numbers below 65520 in size, .*--precision"
    ):
        store(with_weight(value), "f16w", silent)
    store(with_weight(value), "i8w", silent)


def test_the_largest_half_is_taken() -> None:
    made = initializers(store(with_weight(65519.0), "f16w", silent))
    assert made["2.weight.half"][1, 2] == np.float16(65504.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("precision", STORED)
def test_weights_that_are_not_finite_are_refused(precision: str, value: float) -> None:
    with pytest.raises(UnsupportedModel, match=r"^weight 2\.weight: expected finite numbers, got NaN or infinity"):
        store(with_weight(value), precision, silent)


def test_small_halves_are_told() -> None:
    lines: list[str] = []
    store(with_weight(1e-9), "f16w", lines.append)
    assert len(lines) == 2
    assert lines[0].startswith("precision f16w: 3 matrices, 352 -> 176 bytes, no weight moved by more than ")
    assert lines[1].startswith("precision f16w: ")
    assert "below 2^-14" in lines[1]


@pytest.mark.parametrize("precision", ["", "f16", "F16W", "int8"])
def test_an_unknown_precision_is_a_usage_error(precision: str) -> None:
    with pytest.raises(InputError, match=r"--precision expected f32, f16w, i8w, got"):
        store(graph(), precision, silent)


class Wave(nn.Module):
    """No layer at all."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


@pytest.mark.parametrize("precision", STORED)
def test_a_graph_without_matrices_is_refused(precision: str) -> None:
    with pytest.raises(UnsupportedModel, match=rf"--precision {precision}: expected a layer with a constant matrix"):
        store(graph(Wave()), precision, silent)


def test_a_run_that_solves_is_refused(tmp_path: Path) -> None:
    from edgepde_export.lowering.options import Options
    from edgepde_export.lowering.s2gpt import lower

    with pytest.raises(InputError, match="--precision is for networks of your own; a reduced network solves"):
        lower(tmp_path, None, None, Options(precision="i8w"))
