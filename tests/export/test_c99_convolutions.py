"""Convolutions as C: weights as halves are the numbers they mean, over rows too; what is too large is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_export.c99.convolve import transposed
from edgepde_export.passes.precision import store
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.rooms import Room
from edgepde_runtime.windows import window
from hypothesis import given
from hypothesis import strategies as st
from support import onnx_writer as w
from support.generated import Generated, builds, part, same_bits
from support.kernel_libraries import needs_cc
from support.rooms import cases_of

ROWS = 17


def over_rows(op: str, inputs: list[Any], attributes: dict[str, Any], domain: str = "") -> bytes:
    """One node whose first input has a free number of rows; all else constant."""
    x, *rest = inputs
    names = [f"i{i}" for i in range(len(inputs))]
    (y,) = Room({"Conv": "conv", "ConvTranspose": "conv_transpose"}.get(op, op)).run([x[:1], *rest], attributes)
    infos = [w.value_info(n, x.dtype, ["M", *s]) for n, s in (("i0", x.shape[1:]), ("y", y.shape[1:]))]
    held = dict(zip(names[1:], rest, strict=True))
    only = w.node(op, names, ["y"], attributes, name="only", domain=domain)
    opsets = {"": 20} | ({domain: 1} if domain else {})
    return w.model(w.graph([only], infos[:1], infos[1:], held), opsets=opsets)


LAYERS = [
    ("conv", "Conv", "float32-groups", ""),
    ("conv", "Conv", "float32-space", ""),
    ("conv_transpose", "ConvTranspose", "float32-picture", ""),
    ("factorized_conv", "factorized_conv", "float32-float32-space", "edgepde"),
]


@needs_cc
@pytest.mark.parametrize(("room", "op", "name", "domain"), LAYERS, ids=str)
def test_stored_halves_are_the_numbers_they_mean(room: str, op: str, name: str, domain: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    _, inputs, attributes = next(case for case in cases_of(Room(room)) if case[0] == name)
    factors = slice(1, 4) if domain else slice(1, 2)
    meant = list(inputs)
    meant[factors] = [v.astype(np.float16).astype(v.dtype) for v in inputs[factors]]
    small = store(onnx.load_from_string(over_rows(op, inputs, attributes, domain)), "f16w", log=lambda _: None)
    models = {"stored": small.SerializeToString(), "whole": over_rows(op, meant, attributes, domain)}
    made = Generated(models, tmp_path)
    assert "const uint16_t c" in made.text
    x = np.random.default_rng(1).uniform(-1, 1, (ROWS, *inputs[0].shape[1:])).astype(np.float32)
    wanted = made.on("scalar")["whole"]({"i0": x})
    for isa in builds():
        assert same_bits(made.on(isa)["stored"]({"i0": x}), wanted)


def test_bytes_leave_kernels_of_convolutions_as_they_are() -> None:
    onnx = pytest.importorskip("onnx")
    _, inputs, attributes = cases_of(Room("conv"))[0]
    with pytest.raises(UnsupportedModel, match="expected a layer with a constant matrix"):
        store(onnx.load_from_string(over_rows("Conv", inputs, attributes)), "i8w", log=lambda _: None)


@given(
    n=st.integers(1, 9),
    k=st.integers(1, 6),
    stride=st.integers(1, 5),
    dilation=st.integers(1, 4),
    cut=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
def test_the_phases_of_a_transposed_convolution_have_every_product_once(
    n: int, k: int, stride: int, dilation: int, cut: tuple[int, int]
) -> None:
    size = stride * (n - 1) + dilation * (k - 1) + 1 - sum(cut)
    if size < 1:
        return
    attributes = {"kernel_shape": (k,), "strides": (stride,), "pads": cut, "dilations": (dilation,)}
    found = set()
    for (axis,) in transposed(window("ConvTranspose", 1, attributes), [n], [size]):
        for i in range(axis.count):
            for tap, j in enumerate(axis.kernel):
                source = i + axis.start + tap * axis.apart
                if 0 <= source < n:
                    found.add((axis.begin + axis.every * i, source, j))
    assert found == {
        (o, i, j) for i in range(n) for j in range(k) if 0 <= (o := stride * i + dilation * j - cut[0]) < size
    }


def test_windows_that_are_too_wide_for_memory_are_refused() -> None:
    x = np.zeros((1, 1, 2), np.float32)
    read = np.ones((1, 1), np.float32)
    inputs = [x, read, np.ones((1, 2), np.float32), read, np.zeros(1, np.float32)]
    attributes = {"kernel_shape": [2], "strides": [1], "pads": [0, 2**27], "dilations": [2**27], "rank": 1}
    with pytest.raises(UnsupportedModel, match="numbers of scratch"):
        part(over_rows("factorized_conv", inputs, attributes, "edgepde"), "probe")
    attributes.pop("rank")
    held = [x, np.ones((1, 1, 2), np.float32)]
    with pytest.raises(UnsupportedModel, match="numbers of scratch"):
        part(over_rows("Conv", held, attributes), "probe")
