"""Random small networks over rows, with a bound on what their arithmetic may lose, node by node."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from edgepde_runtime.backends import reference
from edgepde_runtime.rooms import required_room
from hypothesis import strategies as st
from numpy.typing import NDArray
from support import onnx_writer as w

Array = NDArray[Any]
WIDTHS = (1, 2, 3, 16, 17, 33, 65)
# Functions of one number and how much they can amplify an error of it.
SLOPES = {
    "Abs": 1.0,
    "Cos": 1.0,
    "Elu": 1.0,
    "Erf": 2.0 / math.sqrt(math.pi),
    "Gelu": 1.13,
    "Identity": 1.0,
    "LeakyRelu": 1.0,
    "Neg": 1.0,
    "Relu": 1.0,
    "Sigmoid": 0.25,
    "Sin": 1.0,
    "Softplus": 1.0,
    "Tanh": 1.0,
}
MOVES = ("Concat", "Expand", "Gather", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")


@dataclass(frozen=True)
class Step:
    """One node."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


@dataclass
class Net:
    """Inputs x [M, a] and z [M, b], nodes, constants in float64 that are exact in float32, outputs."""

    dtype: str
    inputs: dict[str, int]
    steps: list[Step] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    widths: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    def add(self, op: str, *inputs: str, width: int = 0, kind: str = "", **attributes: Any) -> str:
        """A node; its output, of `width` columns where it is a row of numbers, of `kind` where not of numbers."""
        name = f"n{len(self.steps)}"
        if kind:
            self.kinds[name] = kind
        self.steps.append(Step(op, inputs, name, attributes))
        if width:
            self.widths[name] = width
        return name

    def hold(self, value: Any) -> str:
        """A constant; numbers are rounded to float32 first."""
        array = np.asarray(value)
        name = f"k{len(self.constants)}"
        self.constants[name] = array.astype(np.float32).astype(np.float64) if array.dtype.kind == "f" else array
        return name

    def encoded(self, dtype: str, *, everything: bool = False) -> bytes:
        """The model in a precision; with all that is between as outputs where asked."""
        nodes = [w.node(s.op, s.inputs, [s.output], s.attributes) for s in self.steps]
        given = [w.value_info(n, dtype, ["M", c]) for n, c in self.inputs.items()]
        made = [s.output for s in self.steps] if everything else self.outputs
        held = {n: x.astype(dtype) if x.dtype.kind == "f" else x for n, x in self.constants.items()}
        outputs = [w.value_info(n, self.kinds.get(n, dtype), self._shape(n)) for n in made]
        return w.model(w.graph(nodes, given, outputs, held))

    def _shape(self, name: str) -> list[int | str]:
        known = {**self.inputs, **self.widths}
        return ["M", known[name]] if name in known else []

    def exact(self, inputs: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        """Every value in float64, and a bound on the error of each in `dtype`."""
        wide = {n: x.astype(np.float64) for n, x in inputs.items()}
        values = {**self.constants, **wide}
        values |= reference.load(self.encoded("float64", everything=True)).run(wide)
        errors = {n: np.zeros(x.shape) for n, x in values.items()}
        for step in self.steps:
            errors[step.output] = bound(step, values, errors, self.dtype)
        return values, errors


def bound(step: Step, values: Mapping[str, Array], errors: Mapping[str, Array], dtype: str) -> Array:
    """|computed - exact| of a step's output, its operands being off by `errors`."""
    room = required_room("", step.op)
    given, wrong, y = [values[n] for n in step.inputs], [errors[n] for n in step.inputs], values[step.output]
    if y.dtype.kind != "f":
        return np.zeros(y.shape)
    size = np.abs(y)
    if step.op in SLOPES:
        passed = SLOPES[step.op] * wrong[0]
    elif step.op in MOVES:
        numbers = [e if v.dtype.kind == "f" else v for e, v in zip(wrong, given, strict=True)]
        return np.asarray(room.run(numbers, step.attributes)[0])
    else:
        passed, size = _RULES[step.op](step, given, wrong, y)
    info = np.finfo(dtype)
    unit, rounding = float(info.eps) / 2, room.rounding
    if rounding.own_ulps is not None:
        factor = rounding.own_ulps[0 if dtype == "float32" else 1] * 2 * unit
    else:
        factor = rounding.relative((*given[0].shape, 1)[given[0].ndim - 1] + 1, unit)
    return np.asarray(1.01 * (passed + factor * (size + passed)) + float(info.smallest_subnormal) * 4)


Rule = Callable[[Step, Sequence[Array], Sequence[Array], Array], tuple[Array, Array]]


def _sum(_: Step, __: Sequence[Array], e: Sequence[Array], y: Array) -> tuple[Array, Array]:
    return e[0] + e[1], np.abs(y)


def _mul(_: Step, v: Sequence[Array], e: Sequence[Array], y: Array) -> tuple[Array, Array]:
    return e[0] * np.abs(v[1]) + e[1] * np.abs(v[0]) + e[0] * e[1], np.abs(y)


def _div(_: Step, v: Sequence[Array], e: Sequence[Array], y: Array) -> tuple[Array, Array]:
    return (e[0] + np.abs(y) * e[1]) / (np.abs(v[1]) - e[1]), np.abs(y)


def _exp(_: Step, __: Sequence[Array], e: Sequence[Array], y: Array) -> tuple[Array, Array]:
    return np.abs(y) * np.expm1(e[0]), np.abs(y)


def _pow(_: Step, v: Sequence[Array], e: Sequence[Array], y: Array) -> tuple[Array, Array]:
    n = float(v[1])
    size = np.abs(v[0]) + e[0]
    return n * size ** (n - 1) * e[0], n * np.abs(y)


def _product(step: Step, v: Sequence[Array], e: Sequence[Array], _: Array) -> tuple[Array, Array]:
    weights = np.abs(v[1].T if step.attributes.get("transB") else v[1])
    scale = abs(step.attributes.get("alpha", 1.0))
    bias = abs(step.attributes.get("beta", 1.0)) * np.abs(v[2]) if len(v) > 2 else 0.0
    return scale * e[0] @ weights, scale * np.abs(v[0]) @ weights + bias


def _reduction(step: Step, v: Sequence[Array], e: Sequence[Array], _: Array) -> tuple[Array, Array]:
    room = required_room("", step.op)
    return room.run([e[0], v[1]], step.attributes)[0], room.run([np.abs(v[0]), v[1]], step.attributes)[0]


def _either(_: Step, v: Sequence[Array], e: Sequence[Array], y: Array) -> tuple[Array, Array]:
    return np.where(v[0], e[1], e[2]), np.abs(y)


def _clip(_: Step, __: Sequence[Array], e: Sequence[Array], y: Array) -> tuple[Array, Array]:
    return e[0], np.abs(y)


_RULES: dict[str, Rule] = {
    "Add": _sum,
    "Clip": _clip,
    "Div": _div,
    "Exp": _exp,
    "Gemm": _product,
    "MatMul": _product,
    "Mul": _mul,
    "Pow": _pow,
    "ReduceMean": _reduction,
    "ReduceSum": _reduction,
    "Sub": _sum,
    "Where": _either,
}


@st.composite
def nets(draw: st.DrawFn) -> Net:
    """Up to a dozen layers, skips, splits and joins; every value is a row of at most 130 numbers."""
    net = Net(draw(st.sampled_from(["float32", "float64"])), {"x": draw(st.sampled_from((1, 2, 3))), "z": 1})
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pool = dict(net.inputs)
    for _ in range(draw(st.integers(1, 9))):
        kind = draw(st.sampled_from(sorted(_GROWTH)))
        # the newest values are likely to be built upon, as in a network
        recent = list(pool)[-draw(st.sampled_from((1, 1, 2, len(pool)))) :]
        a, b = draw(st.sampled_from(recent)), draw(st.sampled_from(list(pool)))
        made = _GROWTH[kind](net, pool, a, b, draw, rng)
        if made:
            pool[made] = net.widths[made]
    last = list(pool)[-1]
    last = last if last in net.widths else net.add("Identity", last, width=pool[last])
    more = draw(st.lists(st.sampled_from(sorted({last, *net.widths})), max_size=2))
    net.outputs = list(dict.fromkeys([last, *more]))
    if draw(st.booleans()):
        net.outputs.append(net.add("Identity", "x", width=net.inputs["x"]))
    return net


Draw = Any
Rng = np.random.Generator


def _dense(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    """A layer in one of the forms exporters write, with weights of its own or those of an earlier layer."""
    del b
    terms, form = pool[a], draw(st.sampled_from(("gemm", "turned", "matmul", "plain", "scaled")))
    shared = [k for k, x in net.constants.items() if x.ndim == 2 and x.shape[0] == terms and form != "turned"]
    if shared and draw(st.booleans()):
        weights = draw(st.sampled_from(shared))
        width = net.constants[weights].shape[1]
    else:
        width = draw(st.sampled_from(WIDTHS))
        matrix = rng.normal(size=(terms, width)) / math.sqrt(terms)
        weights = net.hold(matrix.T if form == "turned" else matrix)
    if form in ("matmul", "plain"):
        y = net.add("MatMul", a, weights, width=width)
        return net.add("Add", y, net.hold(rng.normal(size=width)), width=width) if form == "matmul" else y
    scale: dict[str, Any] = {"alpha": 0.5, "beta": -1.5} if form == "scaled" else {}
    turned = {"transB": 1} if form == "turned" else {}
    bias = net.hold(rng.normal(size=width)) if draw(st.booleans()) else ""
    return net.add("Gemm", *[a, weights, *([bias] if bias else [])], width=width, **scale, **turned)


def _activation(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    del b, rng
    return net.add(draw(st.sampled_from(sorted(set(SLOPES) - {"Identity"}))), a, width=pool[a])


def _silu(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    """x sigmoid(k x) with the factor before the layer's function or not."""
    del b, rng
    inner = net.add("Mul", a, net.hold(np.array(1.702)), width=pool[a]) if draw(st.booleans()) else a
    return net.add("Mul", a, net.add("Sigmoid", inner, width=pool[a]), width=pool[a])


def _gelu(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    """x / 2 (1 + erf(x / sqrt 2)) in pieces, constants on either side."""
    del b, rng
    width = pool[a]
    root = net.add("Mul", a, net.hold(np.array(math.sqrt(0.5))), width=width)
    one, half = net.hold(np.array(1.0)), net.hold(np.array([0.5]))
    inner = net.add("Add", *_ordered(draw, net.add("Erf", root, width=width), one), width=width)
    return net.add("Mul", net.add("Mul", *_ordered(draw, a, half), width=width), inner, width=width)


def _ordered(draw: Draw, a: str, b: str) -> tuple[str, str]:
    return (a, b) if draw(st.booleans()) else (b, a)


def _scaled(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    """(a - centre) scale, a row, a number, or one of each; the scale may be known only at run time."""
    width = pool[a]
    other = (
        b if pool[b] == 1 and draw(st.booleans()) else net.hold(rng.uniform(-2, 2, draw(st.sampled_from((1, width)))))
    )
    less = net.add(draw(st.sampled_from(("Add", "Sub"))), *_ordered(draw, a, other), width=width)
    return net.add("Mul", less, net.hold(rng.uniform(-1, 1, width)), width=width)


def _joined(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    """Two values of one width, or one that is repeated; also a value with itself."""
    del rng
    if pool[a] != pool[b] and 1 not in (pool[a], pool[b]):
        b = a
    op = draw(st.sampled_from(("Add", "Sub", "Mul")))
    y = net.add(op, *_ordered(draw, a, b), width=max(pool[a], pool[b]))
    return net.add("Tanh", y, width=max(pool[a], pool[b])) if op == "Mul" else y


def _quotient(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    """a / (1 + b^2), or its inverse square."""
    del rng
    b = b if pool[b] in (1, pool[a]) else a
    square = net.add("Pow", b, net.hold(np.array(float(draw(st.sampled_from((2, 4)))))), width=pool[b])
    floor = net.add("Add", square, net.hold(np.array(1.0)), width=pool[b])
    return net.add("Div", a, floor, width=pool[a])


def _decay(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    del b, draw, rng
    cut = net.add("Clip", a, net.hold(np.array(-3.0)), net.hold(np.array(1.0)), width=pool[a])
    return net.add("Exp", cut, width=pool[a])


def _chosen(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    """By an input, which is exact."""
    b = b if pool[b] in (1, pool[a]) else a
    limit = net.hold(np.array(rng.uniform(-0.5, 0.5)))
    over = net.add("Greater", "z", limit, kind="bool")
    other = net.hold(np.array(rng.uniform(-1, 1))) if draw(st.booleans()) else b
    return net.add("Where", over, *_ordered(draw, a, other), width=pool[a])


def _columns(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    """Some columns: a slice, also with steps and backwards, or a gather."""
    del b, rng
    width = pool[a]
    if draw(st.booleans()):
        picks = draw(st.lists(st.integers(-width, width - 1), min_size=1, max_size=5))
        return net.add("Gather", a, net.hold(np.array(picks)), width=len(picks), axis=1)
    first, step = draw(st.integers(0, width - 1)), draw(st.sampled_from((1, 1, 2, -1)))
    kept = len(range(width)[first::step])
    end = np.iinfo(np.int64).min if step < 0 else np.iinfo(np.int64).max
    held = [net.hold(np.array([n])) for n in (first, end, 1, step)]
    return net.add("Slice", a, *held, width=kept)


def _beside(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    del draw, rng
    return net.add("Concat", a, b, width=pool[a] + pool[b], axis=1) if pool[a] + pool[b] <= 130 else ""


def _by_a_part(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    """A fresh value times one of its own columns, which lies in the same memory."""
    del b, rng
    width = pool[a]
    fresh = net.add("Tanh", net.add("Add", a, net.hold(np.array(0.25)), width=width), width=width)
    first = draw(st.integers(0, width - 1))
    held = [net.hold(np.array([n])) for n in (first, first + 1, 1)]
    return net.add("Mul", *_ordered(draw, fresh, net.add("Slice", fresh, *held, width=1)), width=width)


def _reduced(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    del b, rng, pool
    return net.add(draw(st.sampled_from(("ReduceMean", "ReduceSum"))), a, net.hold(np.array([1])), width=1)


def _turned(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    """[M, n] as [M, n / k, k], turned, flat again; a sum over the middle where asked."""
    del b, rng
    width = pool[a]
    k = draw(st.sampled_from([n for n in (1, 2, 3, 5, 11, 13) if width % n == 0]))
    cube = net.add("Reshape", a, net.hold(np.array([0, -1, k])))
    turned = net.add("Transpose", cube, perm=[0, 2, 1])
    if draw(st.booleans()):
        return net.add("ReduceSum", turned, net.hold(np.array([2])), width=k, keepdims=0)
    return net.add("Reshape", turned, net.hold(np.array([-1, width])), width=width)


def _constant(net: Net, pool: dict[str, int], a: str, b: str, draw: Draw, rng: Rng) -> str:
    """The same numbers in every row."""
    del pool, a, b
    width = draw(st.sampled_from((1, 3)))
    rows = net.add("Gather", net.add("Shape", "x", kind="int64"), net.hold(np.array([0])), kind="int64", axis=0)
    shape = net.add("Concat", rows, net.hold(np.array([width])), kind="int64", axis=0)
    return net.add("Expand", net.hold(rng.normal(size=width)), shape, width=width)


_GROWTH = {
    "activation": _activation,
    "beside": _beside,
    "by a part": _by_a_part,
    "chosen": _chosen,
    "columns": _columns,
    "constant": _constant,
    "decay": _decay,
    "dense": _dense,
    "dense again": _dense,
    "gelu": _gelu,
    "joined": _joined,
    "quotient": _quotient,
    "reduced": _reduced,
    "scaled": _scaled,
    "silu": _silu,
    "turned": _turned,
}
