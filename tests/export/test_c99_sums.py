"""The order of every sum, to the bit: chunks of 16 terms, each a chain from zero, added in order; docs/numerics.md.

Whole numbers below 2^53: Python's integers are exact, and one rounding per step is one conversion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from support.generated import Array, Generated, builds
from support.kernel_libraries import needs_cc
from support.onnx_writer import graph, model, node, value_info

TERMS, ROWS, COLUMNS = 40, 37, 5
# 2^12 + 1 squared needs 25 bits: an unfused product loses its last.
NUMBERS = (1 << 24, -(1 << 24), 1, -1, 3, (1 << 12) + 1, -(1 << 12) - 1)
Form = Callable[[Sequence[int], Sequence[int], int], int]


def rounded(exact: int) -> int:
    """An integer below 2^53 rounded once, to float32."""
    assert abs(exact) < 1 << 53
    return int(np.float32(exact))


def chain(x: Sequence[int], w: Sequence[int], start: int = 0, fused: bool = True) -> int:
    """One rounding per term."""
    for a, b in zip(x, w, strict=True):
        start = rounded(a * b + start) if fused else rounded(rounded(a * b) + start)
    return start


def chunks(x: Sequence[int], w: Sequence[int], bias: int = 0, *, each: int = 16, fused: bool = True) -> int:
    """bias + chain of 16 + chain of 16 ..., from left to right."""
    for k in range(0, len(x), each):
        bias = rounded(bias + chain(x[k : k + each], w[k : k + each], fused=fused))
    return bias


OTHERS: dict[str, Form] = {
    "one chain": chain,
    "chunks of 8": lambda x, w, b: chunks(x, w, b, each=8),
    "chunks of 32": lambda x, w, b: chunks(x, w, b, each=32),
    "from the end": lambda x, w, b: chunks(x[::-1], w[::-1], b),
    "chunks from the end": lambda x, w, b: chunks([*x[32:], *x[16:32], *x[:16]], [*w[32:], *w[16:32], *w[:16]], b),
    "a chunk goes on from the last": lambda x, w, b: rounded(chain(x, w) + b),
    "exact": lambda x, w, b: rounded(sum(p * q for p, q in zip(x, w, strict=True)) + b),
}
UNFUSED: Form = lambda x, w, b: chunks(x, w, b, fused=False)  # noqa: E731
BIAS_LAST: Form = lambda x, w, b: rounded(chunks(x, w) + b)  # noqa: E731


def numbers(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).choice(np.array(NUMBERS, np.float32), shape)


LEFT, RIGHT, W, BIAS = numbers(0, ROWS, TERMS), numbers(1, ROWS, TERMS), numbers(2, TERMS, COLUMNS), numbers(3, COLUMNS)
SMALL = np.abs(LEFT) < 1 << 24, np.abs(RIGHT) < 1 << 24  # rows whose products nothing drowns
LEFT[20:], RIGHT[20:] = np.where(SMALL[0], LEFT, 1)[20:], np.where(SMALL[1], RIGHT, 3)[20:]
LEFT[0], LEFT[1, ::2], LEFT[1, 1::2] = -0.0, 1 << 24, 1
TIMES, STACK = numbers(4, 3, TERMS), numbers(5, ROWS, TERMS, COLUMNS)


def encoded() -> bytes:
    """All sums of one batch of rows: a Gemm, a MatMul of two inputs, one of a constant and matrices, a sum, a mean."""
    nodes = [
        node("Gemm", ["x", "w", "b"], ["dense"]),
        node("MatMul", ["left", "right"], ["products"]),
        node("MatMul", ["times", "stack"], ["stacked"]),
        node("ReduceSum", ["x", "axes"], ["sum"]),
        node("ReduceMean", ["x", "axes"], ["mean"]),
    ]
    shapes = {"x": (TERMS,), "left": (1, TERMS), "right": (TERMS, 1), "stack": (TERMS, COLUMNS)}
    made = {"dense": (COLUMNS,), "products": (1, 1), "stacked": (len(TIMES), COLUMNS), "sum": (1,), "mean": (1,)}
    given = [value_info(n, np.float32, ["M", *s]) for n, s in shapes.items()]
    outputs = [value_info(n, np.float32, ["M", *s]) for n, s in made.items()]
    return model(graph(nodes, given, outputs, {"w": W, "b": BIAS, "times": TIMES, "axes": np.array([1])}))


def each(form: Form, name: str) -> Array:
    """What `form` makes of every sum of an output, float32 [ROWS, sums]."""
    if name == "stacked":
        stacks = [[[form(whole(t), whole(c), 0) for c in one.T] for t in TIMES] for one in STACK]
        return np.array(stacks, np.float32)
    one = [1] * TERMS
    right = [whole(r) for r in RIGHT]
    factors = {"dense": [(w, int(b)) for w, b in zip(map(whole, W.T), BIAS, strict=True)]}.get(name)
    rows = []
    for row, x in enumerate(map(whole, LEFT)):
        terms = factors or [(right[row] if name == "products" else one, 0)]
        rows.append([form(x, w, b) for w, b in terms])
    found = np.array(rows, np.float32)
    return found / np.float32(TERMS) if name == "mean" else found


def whole(x: Array) -> list[int]:
    return [int(v) for v in x]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """The model as one C file, compiled once for each instruction set."""
    return Generated({"sums": encoded()}, tmp_path_factory.mktemp("sums"), "-O1")


@needs_cc
@pytest.mark.parametrize("isa", builds())
@pytest.mark.parametrize("rows", [1, 9, ROWS])
def test_every_sum_has_its_order(made: Generated, isa: str, rows: int) -> None:
    for first in range(0, ROWS - rows + 1, max(rows, 4)):
        at = slice(first, first + rows)
        inputs = {"x": LEFT[at], "left": LEFT[at][:, None], "right": RIGHT[at][..., None], "stack": STACK[at]}
        for name, got in made.on(isa)["sums"](inputs).items():
            expected = each(chunks, name)[at]
            assert got.tobytes() == expected.tobytes(), f"{name}, rows from {first}: {got.ravel()}, not {expected}"


@pytest.mark.parametrize("name", ["dense", "products", "stacked", "sum", "mean"])
def test_these_numbers_tell_the_forms_apart(name: str) -> None:
    others = {**OTHERS, **({"unfused": UNFUSED} if name in ("dense", "products", "stacked") else {})}
    others |= {"bias last": BIAS_LAST} if name == "dense" else {}
    right = each(chunks, name)
    same = [other for other, form in others.items() if np.array_equal(each(form, name), right)]
    assert not same
