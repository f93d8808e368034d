"""Tables of overlapping windows that are looked up where they were cut from: the same numbers as from the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from edgepde_export.c99.operations import Windows
from support import onnx_writer as w
from support.generated import Array, Generated, builds, part
from support.kernel_libraries import needs_cc

WIDE = 24


@dataclass(frozen=True)
class Table:
    """Columns cut from p [B, 24], or from p as [B, 4, 6]: (first, step) of each; whether no table is written down."""

    cuts: tuple[tuple[int, int], ...]
    length: int
    cube: bool = False
    whole: bool = True
    output: bool = False

    def model(self) -> bytes:
        """found [B, M, n] = table[B, index[M], n], index = x towards zero."""
        constants: dict[str, Any] = {n: np.array([v]) for n, v in (("one", 1), ("axis", 2 if self.cube else 1))}
        nodes = [w.node("Reshape", ["p", "grid"], ["q"])] if self.cube else []
        constants["grid"] = np.array([-1, 4, 6])
        for i, (first, step) in enumerate(self.cuts):
            ends = first + step * self.length
            constants |= {f"s{i}": np.array([first]), f"e{i}": np.array([ends if ends >= 0 else -99])}
            constants |= {f"t{i}": np.array([step]), "last": np.array([-1])}
            source = "q" if self.cube else "p"
            nodes.append(w.node("Slice", [source, f"s{i}", f"e{i}", "axis", f"t{i}"], [f"c{i}"]))
            nodes.append(w.node("Unsqueeze", [f"c{i}", "last"], [f"d{i}"]))
        nodes.append(w.node("Concat", [f"d{i}" for i in range(len(self.cuts))], ["joined"], {"axis": -1}))
        constants["flat"] = np.array([-1, self.rows, len(self.cuts)])
        nodes.append(w.node("Reshape", ["joined", "flat"], ["table"]))
        nodes += [w.node("Cast", ["x"], ["wide"], {"to": 7}), w.node("Squeeze", ["wide", "one"], ["index"])]
        nodes.append(w.node("Gather", ["table", "index"], ["found"], {"axis": 1}))
        outputs = [w.value_info("found", "float32", ["B", "M", len(self.cuts)])]
        outputs += [w.value_info("table", "float32", ["B", self.rows, len(self.cuts)])] if self.output else []
        inputs = [w.value_info("p", "float32", ["B", WIDE]), w.value_info("x", "float32", ["M", 1])]
        return w.model(w.graph(nodes, inputs, outputs, constants))

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return self.length * (4 if self.cube else 1)

    def expected(self, p: Array, x: Array) -> Array:
        """The table written down and looked up; NaN outside."""
        q = p.reshape(-1, 4, 6) if self.cube else p
        parts = [np.take(q, range(f, f + s * self.length, s), axis=-1) for f, s in self.cuts]
        table = np.stack(parts, axis=-1).reshape(len(p), self.rows, len(self.cuts))
        with np.errstate(invalid="ignore"):
            index = np.trunc(x[:, 0]).astype(np.int64)
        outside = (index < -self.rows) | (index >= self.rows)
        found = table[:, np.where(outside, 0, index)].copy()
        found[:, outside] = np.nan
        return np.asarray(found)


TABLES = {
    "next to each other": Table(((0, 1), (1, 1), (2, 1), (3, 1)), 21),
    "not in the beginning": Table(((3, 1), (4, 1)), 7),
    "apart": Table(((0, 1), (5, 1), (10, 1)), 9),
    "every other": Table(((0, 2), (1, 2), (2, 2)), 11),
    "of a cube": Table(((0, 1), (1, 1), (2, 1)), 4, cube=True),
    "of a cube with steps": Table(((0, 2), (1, 2)), 2, cube=True),
    "alone": Table(((2, 1),), 5),
    "unequal distances": Table(((0, 1), (1, 1), (3, 1)), 20, whole=False),
    "other strides": Table(((0, 1), (1, 2)), 10, whole=False),
    "backwards in order": Table(((2, 1), (1, 1), (0, 1)), 20, whole=False),
    "the same twice": Table(((1, 1), (1, 1)), 20, whole=False),
    "backwards in steps": Table(((20, -1), (21, -1)), 20),
    "also an output": Table(((0, 1), (1, 1)), 20, whole=False, output=True),
}


@pytest.mark.parametrize("name", TABLES)
def test_only_windows_of_equal_form_are_left_out(name: str) -> None:
    table = TABLES[name]
    used = [op for op in part(table.model(), "probe").operations if isinstance(op, Windows)]
    assert bool(used) == table.whole


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """All tables in one file."""
    return Generated({n: t.model() for n, t in TABLES.items()}, tmp_path_factory.mktemp("windows"), "-O1")


@needs_cc
@pytest.mark.parametrize("isa", builds())
@pytest.mark.parametrize("name", TABLES)
def test_lookups_are_those_of_the_table(made: Generated, name: str, isa: str) -> None:
    table = TABLES[name]
    p = np.random.default_rng(0).normal(size=(3, WIDE)).astype(np.float32)
    for x in rows(table.rows):
        found = made.on(isa)[name]({"p": p, "x": x})["found"]
        np.testing.assert_array_equal(found, table.expected(p, x))


def rows(count: int) -> Sequence[Array]:
    """Every index from either end, fractions, and what lies outside, in batches of several sizes."""
    inside = np.arange(-count, count)
    fractions = np.array([0.9, -0.9, 1.5, count - 0.5])
    outside = np.array([count, -count - 1, 1e9, -1e9, 3e38, -3e38])
    whole = np.concatenate([inside, fractions, outside]).astype(np.float32)[:, None]
    return [whole, whole[:1], whole[-3:], np.repeat(whole[-1:], 17, axis=0)]
