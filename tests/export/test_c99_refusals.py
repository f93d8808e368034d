"""What the C99 target cannot take is refused at export, by node and reason; and what only looks alike is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_export import export
from edgepde_export.c99.program import program
from edgepde_export.cli import main as cli
from edgepde_runtime.box import Box
from edgepde_runtime.errors import ModelFileError, UnsupportedModel
from edgepde_runtime.manifest import Column, InputSpec, Manifest, OutputSpec
from edgepde_runtime.onnxfile import parse
from support import onnx_writer as w
from torch import nn
from typer.testing import CliRunner

Nodes = Sequence[bytes]
ONE = {"one": np.array([1]), "zero": np.array([0]), "minus": np.array([-1])}
SIZE = [w.node("Shape", ["x"], ["shape"]), w.node("Gather", ["shape", "zero"], ["M"], name="size")]


def taken(
    nodes: Nodes,
    constants: dict[str, Any] | None = None,
    *,
    inputs: dict[str, tuple[str, int]] | None = None,
    shape: Sequence[int | str] = ("M", 3),
    dtype: str = "float32",
) -> None:
    """Raises what the target says to y = nodes(x), x [M, 3]."""
    given = inputs or {"x": ("M", 3)}
    specs = tuple(
        InputSpec(n, dtype, s, tuple(Column(f"c{i}", "", 0.0, 1.0) for i in range(s[1]))) for n, s in given.items()
    )
    declared = [w.value_info(n, dtype, s) for n, s in given.items()]
    encoded = w.model(w.graph(nodes, declared, [w.value_info("y", dtype, shape)], {**ONE, **(constants or {})}))
    output = OutputSpec("y", dtype, tuple(shape), "")
    program(parse(encoded), Manifest(1, "toy", "0" * 64, {}, {}, specs, (output,)))


def node(op: str, inputs: str = "x", **attributes: Any) -> bytes:
    """The node that is refused, or the last of a chain."""
    return w.node(op, inputs.split(), ["y"], attributes, name="the_node")


SQUARE = np.ones((3, 3), np.float32)
REFUSED: list[tuple[str, Nodes, dict[str, Any], str]] = [
    ("einsum", [node("Einsum", "x w", equation="mk,kn->mn")], {"w": SQUARE}, "op Einsum is not in the C99 target"),
    ("unknown-op", [node("Erfinv")], {}, "op Erfinv has no implementation"),
    ("sum-of-rows", [node("ReduceSum", "x zero")], {}, "reduction over a free size"),
    ("sum-of-all", [node("ReduceSum")], {}, "reduction over a free size"),
    ("mean-of-rows", [node("ReduceMean", "x zero")], {}, "reduction over a free size"),
    ("maximum", [node("ReduceMax", "x one")], {}, "op ReduceMax is not in the C99 target"),
    ("reshape-across-rows", [node("Reshape", "x s")], {"s": np.array([-1, 2])}, r"reshape.*: \[M, 3\] into \[-1, 2\]"),
    ("reshape-to-more", [node("Reshape", "x s")], {"s": np.array([0, 2])}, r"\[M, 3\] into \[M, 2\]"),
    (
        "gemm-of-three",
        [node("Gemm", "x w", transB=1)],
        {"w": np.ones((2, 2, 3), np.float32)},
        r"weights, got \[2, 2, 3\]",
    ),
    ("fractional-power", [node("Pow", "x p")], {"p": np.array(0.5, np.float32)}, "expected one whole number"),
    ("infinite-power", [node("Pow", "x p")], {"p": np.array(np.inf, np.float32)}, "expected one whole number"),
    ("powers", [node("Pow", "x p")], {"p": np.array([1, 2, 3], np.float32)}, "expected one whole number"),
    ("large-power", [node("Pow", "x p")], {"p": np.array(65.0, np.float32)}, "at most 64"),
    ("slice-of-rows", [node("Slice", "x zero one zero")], {}, "axis 0 is a free size"),
    ("gather-of-rows", [node("Gather", "x zero", axis=0)], {}, "axis 0 is a free size"),
    ("concat-of-rows", [node("Concat", "x x", axis=0)], {}, "axis 0 is a free size"),
    ("index-out-of-range", [node("Gather", "x i", axis=1)], {"i": np.array([3])}, "expected indices of 3 elements"),
    ("half-numbers", [node("Mul", "x h")], {"h": np.ones(3, np.float16)}, "expected float32 .*, got f16, f32"),
    ("half-weights", [node("MatMul", "x h")], {"h": np.ones((3, 2), np.float16)}, "of one type, got f32 and f16"),
    ("byte-weights", [node("Gemm", "x h")], {"h": np.ones((3, 2), np.int8)}, "of one type, got f32 and i8"),
    ("wide-weights", [node("MatMul", "x h")], {"h": np.ones((3, 2))}, "of one type, got f32 and f64"),
    (
        "picked-halves",
        [w.node("Cast", ["x"], ["j"], {"to": 7}), node("Gather", "h j")],
        {"h": np.ones(3, np.float16)},
        "expected float16 in the weights of a layer alone",
    ),
    ("exponent-of-data", [node("Pow", "x x")], {}, "'Y' must be a constant"),
]


@pytest.mark.parametrize(("nodes", "constants", "message"), [pytest.param(*c[1:], id=c[0]) for c in REFUSED])
def test_refused_with_the_node(nodes: Nodes, constants: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message) as caught:
        taken(nodes, constants)
    assert "the_node" in str(caught.value) or "constant 'h'" in str(caught.value)


SIZES: list[tuple[str, Nodes, str]] = [
    ("cast", [w.node("Cast", ["M"], ["m"], {"to": 1}), node("Mul", "x m")], "free size is used as a number"),
    ("add", [w.node("Add", ["M", "M"], ["m"]), w.node("Cast", ["m"], ["f"], {"to": 1}), node("Mul", "x f")], "number"),
    ("halved", [w.node("Div", ["M", "two"], ["h"]), node("Expand", "row h")], "number|not in the C99"),
    ("less-one", [w.node("Sub", ["M", "one"], ["h"]), node("Expand", "row h")], "free size is used as a number"),
    ("end-of-slice", [node("Slice", "x zero M one")], "free size is used as a number"),
    ("end-of-constant", [w.node("Slice", ["row", "zero", "M"], ["r"]), node("Add", "x r")], "number"),
    ("index", [node("Gather", "x M", axis=1)], "free size is used as an index"),
    (
        "picked-by-data",
        [
            w.node("Cast", ["x"], ["k"], {"to": 7}),
            w.node("Gather", ["shape", "k"], ["g"]),
            w.node("Cast", ["g"], ["y"], {"to": 1}, name="the_node"),
        ],
        "free size is used as a number",
    ),
    (
        "joined",
        [
            w.node("Concat", ["shape", "i"], ["g"], {"axis": 0}),
            w.node("Cast", ["g"], ["f"], {"to": 1}),
            node("Mul", "x f"),
        ],
        "number|broadcast",
    ),
    (
        "expanded",
        [w.node("Expand", ["M", "three"], ["g"]), w.node("Cast", ["g"], ["f"], {"to": 1}), node("Mul", "x f")],
        "free size is used as a number",
    ),
    ("axis", [node("ReduceSum", "x M")], "free size is used as a number"),
    ("exponent", [node("Pow", "x M")], "free size is used as a number"),
    ("compared", [w.node("Greater", ["M", "two"], ["c"]), node("Where", "c x row")], "free size is used as a number"),
    ("product-of-sums", [w.node("ReduceSum", ["shape"], ["h"]), node("Expand", "row h")], "float32 or float64|number"),
]


@pytest.mark.parametrize(("nodes", "message"), [pytest.param(*c[1:], id=c[0]) for c in SIZES])
def test_a_free_size_is_no_number(nodes: Nodes, message: str) -> None:
    more = {"two": np.array([2]), "three": np.array([3]), "row": np.ones(3, np.float32), "i": np.array([3])}
    with pytest.raises(UnsupportedModel, match=message):
        taken([*SIZE, *nodes], more)


def test_a_free_size_may_shape_what_is_computed() -> None:
    shape = w.node("Concat", ["M", "three"], ["s"], {"axis": 0})
    more = {"three": np.array([3]), "six": np.array([6]), "row": np.ones(3, np.float32)}
    taken([*SIZE, shape, w.node("Expand", ["row", "s"], ["e"]), node("Add", "x e")], more)
    taken([*SIZE, shape, node("Reshape", "x s")], more)
    taken(
        [
            *SIZE,
            w.node("Mul", ["M", "three"], ["n"]),
            w.node("Reshape", ["x", "n"], ["flat"]),
            w.node("Reshape", ["flat", "t"], ["y"]),
        ],
        {**more, "t": np.array([-1, 3])},
    )


SHAPED: list[tuple[str, Nodes, Sequence[int | str], str]] = [
    ("constant", [w.node("Identity", ["w"], ["y"])], (3, 3), "output 'y': expected sizes beginning with M"),
    ("transposed", [w.node("Transpose", ["x"], ["y"])], (3, "M"), "output 'y': expected rows first"),
    ("gram", [w.node("Transpose", ["x"], ["t"]), node("MatMul", "x t")], ("M", "M"), "output 'y'"),
    (
        "pairs",
        [w.node("Unsqueeze", ["x", "one"], ["a"]), w.node("Unsqueeze", ["x", "zero"], ["b"]), node("Sub", "a b")],
        ("M", "M", 3),
        "output 'y'",
    ),
    ("sums-over-rows", [w.node("Transpose", ["x"], ["t"]), node("MatMul", "t x")], (3, 3), "cannot multiply"),
    ("nothing", [node("Slice", "x zero zero one")], ("M", 0), "output 'y': expected numbers, got sizes or nothing"),
    ("sizes", [w.node("Shape", ["x"], ["y"])], (2,), "output 'y': expected numbers, got sizes"),
    ("truth", [node("Greater", "x x")], ("M", 3), "output 'y': expected float32 or float64, got u8"),
    ("integers", [node("Cast", "x", to=7)], ("M", 3), "output 'y': expected float32 or float64, got i64"),
]


@pytest.mark.parametrize(("nodes", "shape", "message"), [pytest.param(*c[1:], id=c[0]) for c in SHAPED])
def test_outputs_whose_rows_do_not_lie_together(nodes: Nodes, shape: Sequence[int | str], message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        taken(nodes, {"w": SQUARE}, shape=shape)


def pair(*nodes: bytes, shape: Sequence[int | str]) -> None:
    """Two free sizes: p [B, 2], x [M, 3]."""
    more = {"two": np.array([2]), "w": np.ones((2, 3), np.float32)}
    taken(nodes, more, inputs={"p": ("B", 2), "x": ("M", 3)}, shape=shape)


def test_two_free_sizes_lie_in_order() -> None:
    wide = [
        w.node("MatMul", ["p", "w"], ["q"]),
        w.node("Unsqueeze", ["q", "one"], ["a"]),
        w.node("Mul", ["a", "x"], ["z"]),
    ]
    pair(*wide, w.node("Identity", ["z"], ["y"]), shape=("B", "M", 3))
    for order, shape in [((0, 2, 1), ("B", 3, "M")), ((1, 2, 0), ("M", 3, "B")), ((2, 0, 1), (3, "B", "M"))]:
        with pytest.raises(UnsupportedModel, match="output 'y': expected"):
            pair(*wide, w.node("Transpose", ["z"], ["y"], {"perm": list(order)}), shape=shape)


def test_the_order_of_inputs_does_not_matter() -> None:
    nodes = [
        w.node("MatMul", ["p", "w"], ["q"]),
        w.node("Unsqueeze", ["q", "one"], ["a"]),
        w.node("Mul", ["a", "x"], ["y"]),
    ]
    more = {"w": np.ones((2, 3), np.float32)}
    taken(nodes, more, inputs={"x": ("M", 3), "p": ("B", 2)}, shape=("B", "M", 3))


def test_three_free_sizes_are_too_many() -> None:
    with pytest.raises(UnsupportedModel, match="at most 2 free sizes, got A, B, M"):
        taken([w.node("Identity", ["x"], ["y"])], inputs={"a": ("A", 1), "b": ("B", 1), "x": ("M", 3)})


def test_the_rows_of_two_inputs_do_not_add() -> None:
    with pytest.raises(UnsupportedModel, match=r"the_node.*do not broadcast row by row"):
        taken([node("Add", "p x")], inputs={"p": ("B", 3), "x": ("M", 3)})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_numbers(value: float) -> None:
    weights = np.array([1.0, value, 2.0], np.float32)
    if np.isnan(value):
        with pytest.raises((UnsupportedModel, ModelFileError), match="got NaN"):
            taken([node("Mul", "x w")], {"w": weights})
    else:
        taken([node("Mul", "x w")], {"w": weights})


def test_stacks_of_matrices_that_only_broadcast_both_ways() -> None:
    a, b = np.ones((2, 1, 3, 3), np.float32), np.ones((1, 2, 3, 1), np.float32)
    row = w.node("Unsqueeze", ["x", "middle"], ["r"])
    nodes = [row, w.node("MatMul", ["r", "a"], ["s"]), node("MatMul", "s b")]
    with pytest.raises(UnsupportedModel, match=r"the_node.*cannot multiply stacks"):
        taken(nodes, {"a": a, "b": b, "middle": np.array([1, 2, 3])}, shape=("M", 2, 2, 1, 1))


class Softmax(nn.Module):
    """Over the rows of a batch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x, dim=0)


class Rooted(nn.Module):
    """A power that is no whole number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * x + 1) ** 0.3


@pytest.mark.parametrize(("middle", "message"), [(Softmax(), "node"), (Rooted(), "Pow.*expected one whole number")])
def test_an_export_stops_and_writes_nothing(middle: nn.Module, message: str, tmp_path: Path) -> None:
    box = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"], ["m", "s"])
    made = nn.Sequential(nn.Linear(2, 4), middle, nn.Linear(4, 1))
    with pytest.raises(UnsupportedModel, match=message):
        export(made, tmp_path / "b", domain=box, targets=["c99"])
    assert list(tmp_path.iterdir()) == []


def test_the_command_ends_with_3(tmp_path: Path) -> None:
    source = tmp_path / "net.py"
    source.write_text(
        "from torch import nn\n"
        "class Rooted(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return (x * x + 1) ** 0.3\n"
        "def net():\n"
        "    return nn.Sequential(nn.Linear(2, 4), Rooted(), nn.Linear(4, 1))\n"
    )
    words = ["export", f"{source}:net", "--out", str(tmp_path / "b"), "--domain", "x=-1:1,t=0:1", "--target", "c99"]
    found = CliRunner().invoke(cli.app, words)
    assert found.exit_code == 3
    assert "Pow" in found.output
    assert not (tmp_path / "b").exists()
