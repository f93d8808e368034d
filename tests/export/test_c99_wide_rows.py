"""Rows that need much scratch run one by one: a batch of them takes the memory of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgepde_export.c99.memory import SINGLE, TILE, WIDE
from edgepde_export.c99.source import _plans
from support import onnx_writer as w
from support.generated import Generated, builds, part, same_bits
from support.kernel_libraries import needs_cc

COLUMNS = WIDE // 4


def chain(columns: int) -> bytes:
    """y = tanh(x) reversed, x [M, columns]."""
    held = {"end": np.array([-1]), "least": np.array([np.iinfo(np.int64).min]), "one": np.array([1])}
    nodes = [w.node("Tanh", ["x"], ["t"]), w.node("Slice", ["t", "end", "least", "one", "end"], ["y"])]
    infos = [w.value_info(n, "float32", ["M", columns]) for n in ("x", "y")]
    return w.model(w.graph(nodes, infos[:1], infos[1:], held))


@pytest.mark.parametrize(("columns", "lanes"), [(COLUMNS // 8, TILE), (COLUMNS, SINGLE)])
def test_the_tile_depends_on_what_a_row_needs(columns: int, lanes: int) -> None:
    tiled, single = _plans(part(chain(columns), "probe"))
    assert (tiled.lanes, single.lanes) == (lanes, SINGLE)
    assert (tiled.bytes == single.bytes) == (lanes == SINGLE)


@needs_cc
def test_rows_one_by_one_are_the_rows_of_a_tile(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(19, COLUMNS)).astype(np.float32)
    made = Generated({"wide": chain(COLUMNS), "narrow": chain(COLUMNS // 8)}, tmp_path)
    cut = np.ascontiguousarray(x[:, : COLUMNS // 8])
    results = [made.on(isa)["wide"]({"x": x})["y"] for isa in builds()]
    assert all(same_bits({"y": results[0]}, {"y": y}) for y in results)
    for isa in builds():
        narrow = made.on(isa)["narrow"]({"x": cut})["y"]
        assert same_bits({"y": narrow}, {"y": np.ascontiguousarray(results[0][:, -(COLUMNS // 8) :])})
