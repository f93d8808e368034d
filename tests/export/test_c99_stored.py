"""Layers with stored weights as C: the bits of plain weights in all shapes and forms, and smaller arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support import onnx_writer as w
from support.generated import Generated, builds, same_bits
from support.kernel_libraries import needs_cc

Tensors = dict[str, NDArray[np.generic]]
SHAPES = [(1, 1), (3, 2), (16, 16), (17, 33), (40, 31), (5, 67), (33, 4)]
CODES = {"float32": 1, "float64": 11}
FORMS = ("half", "byte", "turned_half", "turned_byte", "unscaled", "one_scale", "scale_per_term", "product")


def layer(shape: tuple[int, int], dtype: str, form: str, *, plain: bool) -> bytes:
    """y = act(x W + b) with W [K, N] as `form` stores it, or as the numbers that it means."""
    rng = np.random.default_rng(shape[0] * 100 + shape[1])
    turned = form.startswith("turned")
    size = shape[::-1] if turned else shape
    weights = rng.normal(size=size)
    weights.flat[::3] *= 1e-6
    numbers = weights.astype(np.float16) if "half" in form else np.clip(weights * 50, -127, 127).astype(np.int8)
    scales = {"one_scale": (), "scale_per_term": (shape[0], 1), "turned_byte": (shape[1], 1)}
    scale = rng.uniform(0.01, 0.02, scales.get(form, (1, shape[1]))).astype(dtype)
    scaled = "half" not in form and form != "unscaled"
    meant = numbers.astype(dtype) * (scale if scaled else np.ones((), dtype))
    tensors: Tensors = {"b": rng.normal(size=shape[1]).astype(dtype), "q": meant if plain else numbers}
    nodes, weight = [], "q"
    if not plain:
        nodes.append(w.node("Cast", [weight], ["c"], {"to": CODES[dtype]}))
        weight = "c"
        if scaled:
            tensors["s"] = scale
            nodes.append(w.node("Mul", ["s", weight] if form == "product" else [weight, "s"], ["w"]))
            weight = "w"
    if form == "product":
        nodes += [w.node("MatMul", ["x", weight], ["p"]), w.node("Add", ["p", "b"], ["z"])]
    else:
        nodes.append(w.node("Gemm", ["x", weight, "b"], ["z"], {"transB": int(turned)}))
    nodes.append(w.node("Tanh", ["z"], ["y"]))
    ends = w.value_info("x", dtype, ["M", shape[0]]), w.value_info("y", dtype, ["M", shape[1]])
    return w.model(w.graph(nodes, [ends[0]], [ends[1]], tensors))


def pairs() -> Iterator[tuple[str, str, tuple[int, int]]]:
    """Names of models, dtype and shape."""
    for dtype in CODES:
        for i, form in enumerate(FORMS):
            for shape in SHAPES if i < 2 else SHAPES[3:4]:
                yield f"{form}_{dtype}_{shape[0]}_{shape[1]}", dtype, shape


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """All of them, stored and plain, in one file."""
    models = {
        f"{name}_{kind}": layer(shape, dtype, name.partition("_float")[0], plain=kind == "plain")
        for name, dtype, shape in pairs()
        for kind in ("stored", "plain")
    }
    return Generated(models, tmp_path_factory.mktemp("layers"), "-O1")


@needs_cc
@pytest.mark.parametrize("isa", builds())
def test_stored_layers_have_the_bits_of_plain_ones(isa: str, layers: Generated) -> None:
    built = layers.on(isa)
    for name, dtype, shape in pairs():
        for rows in (1, 5, 16, 37):
            x = {"x": np.random.default_rng(rows).uniform(-1, 1, (rows, shape[0])).astype(dtype)}
            stored, plain = (built[f"{name}_{kind}"](x) for kind in ("stored", "plain"))
            assert same_bits(stored, plain), (name, rows)


@pytest.mark.parametrize("form", FORMS)
def test_the_smaller_arrays_are_what_is_written(form: str, tmp_path: Path) -> None:
    text = Generated({"one": layer((17, 33), "float32", form, plain=False)}, tmp_path).text
    kinds = {int(n): kind for kind, n in re.findall(r"static const (\w+) c\d+\[(\d+)", text)}
    expected = {"scale_per_term": "float", "half": "uint16_t", "turned_half": "uint16_t"}
    assert kinds[17 * 33] == expected.get(form, "int8_t")
    assert ("EP_STORED" in text) == (form != "scale_per_term")


@needs_cc
def test_a_weight_that_is_read_otherwise_too_is_written_both_ways(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype=np.float16).reshape(3, 2)
    nodes = [
        w.node("Cast", ["q"], ["c"], {"to": 1}),
        w.node("MatMul", ["x", "c"], ["p"]),
        w.node("ReduceSum", ["c", "axis"], ["sums"], {"keepdims": 0}),
        w.node("Add", ["p", "sums"], ["y"]),
    ]
    ends = w.value_info("x", "float32", ["M", 3]), w.value_info("y", "float32", ["M", 2])
    tensors: Tensors = {"q": numbers, "axis": np.array([0])}
    made = Generated({"one": w.model(w.graph(nodes, [ends[0]], [ends[1]], tensors))}, tmp_path)
    assert "static const uint16_t" in made.text
    x = np.eye(3, dtype=np.float32)
    for isa in builds():
        np.testing.assert_array_equal(made.on(isa)["one"]({"x": x})["y"], numbers + numbers.sum(axis=0))
