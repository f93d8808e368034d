"""A convolution that reads through the pads before it gives the bits of one that reads a padded map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_export.c99.operations import Copy
from edgepde_runtime.ops.pad.places import MODES
from support import onnx_writer as w
from support.generated import Generated, builds, part, same_bits
from support.kernel_libraries import needs_cc

SIZES = {1: (9,), 2: (5, 19), 3: (3, 4, 5)}
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "strided": {"strides": [2]},
    "dilated": {"dilations": [2]},
    "groups": {"group": 2},
}


def model(rank: int, mode: str, way: dict[str, Any], *, written: bool, own: int = 0) -> bytes:
    """y = Conv(Pad(x)), x [M, 4, ..]; `written`: by way of a product with 1, so that the padded map exists."""
    ends = [0, 0, *[2] * rank, 0, 0, *[1, 2, 1][:rank]]
    group = way.get("group", 1)
    weights = np.random.default_rng(rank).normal(size=(6, 4 // group, *[3] * rank)).astype(np.float32)
    held = {"pads": np.array(ends), "w": weights, "one": np.ones(1, np.float32)}
    spread = {n: v * rank if isinstance(v, list) else v for n, v in way.items()} | {"pads": [own] * (2 * rank)}
    nodes = [w.node("Pad", ["x", "pads"], ["p"], {"mode": mode})]
    nodes += [w.node("Mul", ["p", "one"], ["q"])] if written else []
    nodes += [w.node("Conv", ["q" if written else "p", "w"], ["y"], spread)]
    infos = [
        w.value_info("x", "float32", ["M", 4, *SIZES[rank]]),
        w.value_info("y", "float32", ["M", 6, *"abc"[:rank]]),
    ]
    return w.model(w.graph(nodes, infos[:1], infos[1:], held))


@needs_cc
@pytest.mark.parametrize("rank", SIZES)
def test_the_bits_are_those_of_a_padded_map(rank: int, tmp_path: Path) -> None:
    ways = {f"{mode}-{name}": (mode, way, 0) for mode in MODES for name, way in WAYS.items()}
    ways["constant-both"] = ("constant", {}, 1)
    models = {
        f"{name}-{written}": model(rank, mode, way, written=written, own=own)
        for name, (mode, way, own) in ways.items()
        for written in (False, True)
    }
    made = Generated(models, tmp_path)
    x = np.random.default_rng(0).normal(size=(17, 4, *SIZES[rank])).astype(np.float32)
    for name in ways:
        copies = [
            any(isinstance(op, Copy) for op in part(models[f"{name}-{k}"], "probe").operations) for k in (False, True)
        ]
        assert copies == [False, True], name
        for isa in builds():
            for rows in (1, 17):
                given = {"x": x[:rows]}
                found = made.on(isa)[f"{name}-False"](given), made.on(isa)[f"{name}-True"](given)
                assert same_bits(*found), f"{name} on {isa}, {rows} rows"


def test_a_padded_map_that_is_read_besides_stays() -> None:
    held = {"pads": np.array([0, 0, 1, 0, 0, 1]), "w": np.ones((4, 4, 3), np.float32)}
    nodes = [w.node("Pad", ["x", "pads"], ["p"], {"mode": "edge"}), w.node("Conv", ["p", "w"], ["c"])]
    infos = [w.value_info(n, "float32", ["M", 4, k]) for n, k in (("x", 9), ("c", 9), ("p", 11))]
    steps = part(w.model(w.graph(nodes, infos[:1], infos[1:], held)), "probe").operations
    assert len([op for op in steps if isinstance(op, Copy)]) == 3


@pytest.mark.parametrize(("value", "own"), [(0.5, 0), (None, 1)])
def test_what_a_convolution_cannot_read_through(value: float | None, own: int) -> None:
    held: dict[str, np.ndarray] = {"pads": np.array([0, 0, 1, 0, 0, 1]), "w": np.ones((4, 4, 3), np.float32)}
    names, mode = ["x", "pads"], "wrap"
    if value is not None:
        held["v"], names, mode = np.array(value, np.float32), [*names, "v"], "constant"
    nodes = [w.node("Pad", names, ["p"], {"mode": mode}), w.node("Conv", ["p", "w"], ["y"], {"pads": [own, own]})]
    infos = [w.value_info("x", "float32", ["M", 4, 9]), w.value_info("y", "float32", ["M", 4, 9 + 2 * own])]
    steps = part(w.model(w.graph(nodes, infos[:1], infos[1:], held)), "probe").operations
    assert any(isinstance(op, Copy) for op in steps)
