"""Random graphs of one input x [M, d] and one output, of every op that the certificate reads."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from support.random_graphs import Net

Rng = np.random.Generator
# Functions that take any number, with attributes where they have some.
ANYWHERE: dict[str, dict[str, float]] = {
    "Abs": {},
    "Cos": {},
    "Elu": {"alpha": 0.7},
    "Erf": {},
    "Gelu": {},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "LeakyRelu": {"alpha": 0.1},
    "Neg": {},
    "Relu": {},
    "Selu": {},
    "Sigmoid": {},
    "Sin": {},
    "Softplus": {},
    "Tanh": {},
}
LARGEST = 60


class Drawn:
    """A graph that grows: `pool` holds its rows by name and width."""

    def __init__(self, rng: Rng, d: int) -> None:
        self.rng, self.net = rng, Net("float32", {"x": d})
        self.pool = {"x": d}

    def pick(self) -> str:
        """A row, often the newest."""
        names = list(self.pool)
        return names[-1] if self.rng.random() < 0.7 else names[int(self.rng.integers(len(names)))]

    def number(self, low: float, high: float, width: int = 0) -> str:
        """A constant number, or a row of them."""
        return self.net.hold(self.rng.uniform(low, high, width) if width else np.array(self.rng.uniform(low, high)))

    def add(self, op: str, *names: str, width: int, **attributes: object) -> str:
        """A node whose output is a row."""
        made = self.net.add(op, *names, width=width, **attributes)
        self.pool[made] = width
        return made


def dense(g: Drawn) -> None:
    """A layer in one of the forms exporters write."""
    a, form = g.pick(), g.rng.integers(5)
    n, m = g.pool[a], int(g.rng.choice([1, 2, 5, 16, 17, 33]))
    weight, row = g.rng.normal(size=(n, m)) / math.sqrt(n), g.rng.normal(size=m)
    if form == 0:
        g.add("Gemm", a, g.net.hold(weight.T), g.net.hold(row), width=m, transB=1)
    elif form == 1:
        g.add("Gemm", a, g.net.hold(weight), g.net.hold(row[:1]), width=m)
    elif form == 2:
        g.add("Gemm", a, g.net.hold(weight), g.net.hold(row), width=m, alpha=0.3, beta=-1.7)
    else:
        made = g.add("MatMul", a, g.net.hold(weight), width=m)
        if form == 3:
            g.add("Add", g.net.hold(row), made, width=m)


def function(g: Drawn) -> None:
    """A function of any number."""
    a, op = g.pick(), str(g.rng.choice(sorted(ANYWHERE)))
    g.add(op, a, width=g.pool[a], **ANYWHERE[op])


def bounded(g: Drawn) -> None:
    """Functions of a range they are defined on: log, sqrt, 1/x of 2 + sin, sinh, cosh and exp of it, powers."""
    a = g.pick()
    n = g.pool[a]
    base = g.add("Add", g.add("Sin", a, width=n), g.net.hold(np.array(2.0)), width=n)
    op = str(g.rng.choice(["Log", "Sqrt", "Reciprocal", "Sinh", "Cosh", "Exp", "Pow", "Pow"]))
    if op == "Pow":
        g.add("Pow", base, g.net.hold(np.array(float(g.rng.choice([1, 2, 3, 5, -1, -2])))), width=n)
    else:
        g.add(op, base, width=n)


def scaled(g: Drawn) -> None:
    """(a - centre) / scale and its relatives, with rows or numbers."""
    a = g.pick()
    n = g.pool[a]
    width = int(g.rng.choice([0, n]))
    op = str(g.rng.choice(["Add", "Sub", "Mul", "Div", "Max", "Min"]))
    names = [a, g.number(0.3, 2.0, width)]
    if op != "Div" and g.rng.random() < 0.3:
        names.reverse()
    g.add(op, *names, width=n)


def clipped(g: Drawn) -> None:
    a = g.pick()
    limits = [g.number(-1.0, -0.2), g.number(0.1, 1.0)]
    g.add("Clip", a, *(limits if g.rng.random() < 0.7 else ["", limits[1]]), width=g.pool[a])


def joined(g: Drawn) -> None:
    """Two rows of one width, or a number beside each."""
    a, b = g.pick(), g.pick()
    b = b if g.pool[b] in (1, g.pool[a]) else a
    op = str(g.rng.choice(["Add", "Sub", "Mul", "Max", "Min", "Gate", "Ratio"]))
    n = g.pool[a]
    if op == "Gate":
        g.add("Mul", a, g.add("Sigmoid", a, width=n), width=n)
    elif op == "Ratio":
        floor = g.add("Add", g.add("Abs", b, width=g.pool[b]), g.net.hold(np.array(1.0)), width=g.pool[b])
        g.add("Div", a, floor, width=n)
    else:
        made = g.add(op, a, b, width=n)
        if op == "Mul":
            g.add("Tanh", made, width=n)


def reduced(g: Drawn) -> None:
    """Sums over columns."""
    a = g.pick()
    g.add(str(g.rng.choice(["ReduceSum", "ReduceMean"])), a, g.net.hold(np.array([1])), width=1)


def columns(g: Drawn) -> None:
    """Some columns, or two rows side by side."""
    a, b = g.pick(), g.pick()
    n = g.pool[a]
    if g.rng.random() < 0.5:
        picks = g.rng.integers(0, n, 3)
        g.add("Gather", a, g.net.hold(picks), width=3, axis=1)
    elif n + g.pool[b] <= LARGEST:
        g.add("Concat", a, b, width=n + g.pool[b], axis=1)


def turned(g: Drawn) -> None:
    """[M, n] as [M, n / k, k], turned, then flat, summed, or through a matrix row by row."""
    a = g.pick()
    n = g.pool[a]
    k = int(g.rng.choice([k for k in (1, 2, 3, 4, 5, 17) if n % k == 0]))
    cube = g.net.add("Reshape", a, g.net.hold(np.array([0, -1, k])))
    form = g.rng.integers(3)
    if form == 0:
        flipped = g.net.add("Transpose", cube, perm=[0, 2, 1])
        g.add("Reshape", flipped, g.net.hold(np.array([-1, n])), width=n)
    elif form == 1:
        g.add(str(g.rng.choice(["ReduceSum", "ReduceMean"])), cube, g.net.hold(np.array([1])), width=k, keepdims=0)
    else:
        weight = g.net.hold(g.rng.normal(size=(k, 2)))
        made = g.net.add("Add", g.net.add("MatMul", cube, weight), g.net.hold(g.rng.normal(size=2)))
        g.add("Reshape", made, g.net.hold(np.array([-1, 2 * n // k])), width=2 * n // k)


def rare(g: Drawn) -> None:
    """Ops that no kernel of ours runs."""
    a = g.pick()
    n, axis = g.pool[a], g.net.hold(np.array([1]))
    op = str(
        g.rng.choice(
            ["ReduceL2", "ReduceMax", "ReduceMin", "ReduceSumSquare", "CumSum", "Einsum", "Tile", "Pad", "Asinh"]
        )
    )
    if op.startswith("Reduce"):
        g.add(op, a, axis, width=1)
    elif op == "CumSum":
        g.add(op, a, g.net.hold(np.array(1)), width=n, exclusive=int(g.rng.integers(2)), reverse=int(g.rng.integers(2)))
    elif op == "Einsum":
        g.add(op, a, g.net.hold(g.rng.normal(size=(n, 3))), width=3, equation="bi,ij->bj")
    elif op == "Tile" and 2 * n <= LARGEST:
        g.add(op, a, g.net.hold(np.array([1, 2])), width=2 * n)
    elif op == "Pad":
        g.add(op, a, g.net.hold(np.array([0, 1, 0, 1])), g.number(0.2, 0.4), width=n + 2)
    elif op == "Asinh":
        g.add(op, a, width=n)


COMMON: tuple[Callable[[Drawn], None], ...] = (
    dense,
    dense,
    function,
    function,
    bounded,
    scaled,
    clipped,
    joined,
    reduced,
    columns,
    turned,
)


def graph(seed: int, *, everything: bool = False) -> Net:
    """A graph of up to a dozen steps; `everything`: also of ops that no kernel of ours runs."""
    rng = np.random.default_rng(seed)
    g = Drawn(rng, int(rng.integers(1, 4)))
    steps = (*COMMON, rare, rare) if everything else COMMON
    dense(g)
    for _ in range(int(rng.integers(2, 10))):
        steps[int(rng.integers(len(steps)))](g)
    g.net.outputs = [list(g.pool)[-1]]
    return g.net
