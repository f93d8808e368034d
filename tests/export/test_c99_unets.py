"""Small U-Nets over one to three axes as generated C: their bits in any batch, their numbers, and their memory."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import final

import numpy as np
import pytest
import torch
from edgepde_export import export
from edgepde_export.c99.memory import SINGLE, Life, Plan, lives, size
from edgepde_export.c99.operations import Copy, Lanes
from edgepde_export.c99.program import Part
from edgepde_export.c99.source import _plans
from edgepde_export.c99.value import Store
from edgepde_export.lowering.graph import to_onnx
from edgepde_export.lowering.prepare import prepare
from edgepde_export.passes.clean import serialize
from edgepde_runtime import load
from edgepde_runtime.backends import reference
from edgepde_runtime.box import Box
from support import onnx_writer as w
from support.generated import Generated, builds, part, same_bits
from support.kernel_libraries import needs_cc
from torch import Tensor, nn

from .test_c99_networks import planned, replayed

SIZES = {1: (16,), 2: (8, 4), 3: (4, 4, 8)}
UP = {1: "linear", 2: "bilinear", 3: "trilinear"}
PADDING = {1: "zeros", 2: "replicate", 3: "circular"}


@final
class UNet(nn.Module):
    """Rows [M, n_1 ..] -> two levels down, two up, both kinds of pooling and upsampling -> [M, 1, n_1 ..]."""

    def __init__(self, rank: int, sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        torch.manual_seed(rank)
        self.sizes, conv = sizes, getattr(nn, f"Conv{rank}d")

        def block(before: int, after: int) -> nn.Sequential:
            norm = getattr(nn, f"BatchNorm{rank}d")(after)
            norm.running_mean.uniform_(-0.5, 0.5)
            norm.running_var.uniform_(0.5, 2)
            same = conv(before, after, 3, padding=1, padding_mode=PADDING[rank])
            return nn.Sequential(same, norm, nn.LeakyReLU(0.1))

        self.down = nn.ModuleList([block(1, width), block(width, 2 * width), block(2 * width, 2 * width)])
        self.pools = nn.ModuleList([getattr(nn, f"{n}Pool{rank}d")(2) for n in ("Avg", "Max")])
        self.finer = nn.ModuleList([nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=2, mode=UP[rank])])
        self.up = nn.ModuleList([block(4 * width, width), block(2 * width, width)])
        self.last = conv(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down[0](x.reshape(-1, 1, *self.sizes))
        second = self.down[1](self.pools[0](first))
        h = self.down[2](self.pools[1](second))
        h = self.up[0](torch.cat([self.finer[0](h), second], dim=1))
        h = self.up[1](torch.cat([self.finer[1](h), first], dim=1))
        y: Tensor = self.last(h)
        return y


def exported(rank: int, sizes: tuple[int, ...], width: int = 2) -> tuple[nn.Module, bytes]:
    """The module and its graph."""
    module = UNet(rank, sizes, width).eval()
    model = to_onnx(module, {"x": torch.zeros(3, math.prod(sizes))}, {"x": {0: "M"}}, ["y"])
    return module, serialize(prepare(model, lambda line: None))


@needs_cc
@pytest.mark.parametrize("rank", SIZES)
def test_bits_in_any_batch_and_numbers(rank: int, tmp_path: Path) -> None:
    sizes = SIZES[rank]
    module, encoded = exported(rank, sizes)
    x = np.random.default_rng(rank).uniform(-1, 1, (19, math.prod(sizes))).astype(np.float32)
    made = Generated({"net": encoded}, tmp_path, "-O1")
    alone = np.concatenate([made.on("scalar")["net"]({"x": row[None]})["y"] for row in x])
    for isa, rows in itertools.product(builds(), (1, 5, 16, 19)):
        assert same_bits({"y": made.on(isa)["net"]({"x": x[:rows]}, fill=0xFF)["y"]}, {"y": alone[:rows]}), (isa, rows)
    with torch.no_grad():
        exact = module.double()(torch.from_numpy(x.astype(np.float64))).numpy()
    theirs = reference.load(encoded).run({"x": x})["y"]
    assert np.abs(alone - exact).max() < 2e-6 * np.abs(exact).max() + 2e-6
    assert np.abs(theirs - exact).max() < 2e-6 * np.abs(exact).max() + 2e-6


@needs_cc
def test_a_bundle_runs_as_c(tmp_path: Path) -> None:
    sizes = (4, 4)
    count = math.prod(sizes)
    box = Box([-1.0] * count, [1.0] * count, [f"u{i}" for i in range(count)], ["m"] * count)
    module = UNet(2, sizes, 2).eval()
    folder = export(module, tmp_path / "b", domain=box, targets=["c99"], prove_seconds=0.5, log=lambda line: None)
    x = np.random.default_rng(0).uniform(-1, 1, (17, count)).astype(np.float32)
    with torch.no_grad():
        exact = module.double()(torch.from_numpy(x.astype(np.float64))).numpy()
    for backend in ("c99", "reference"):
        model = load(folder, backend=backend, trust=True)
        found = np.asarray(model(x))
        assert model.backend == backend
        assert found.shape == exact.shape
        assert np.abs(found - exact).max() < 2e-6


LARGE = {1: (256,), 2: (32, 32), 3: (8, 16, 16)}


@pytest.mark.parametrize("rank", LARGE)
def test_scratch_is_what_is_alive_at_once(rank: int) -> None:
    made = part(exported(rank, LARGE[rank], width=4)[1], "probe")
    for plan in planned(made):
        replayed(made, plan)
    single = _plans(made)[1]
    alive = most_alive(made, single)
    assert alive <= single.bytes <= 1.1 * alive + 128


def most_alive(made: Part, plan: Plan) -> int:
    """Bytes of all stores that hold something at the same step, at the worst of them."""
    inside = [op for op in made.operations if op.varying]
    inputs, outputs = [i.value for i in made.entry.inputs], [o.value for o in made.entry.outputs]
    life: dict[Store, Life] = {s: v for s, v in lives([], inside, inputs, outputs).items() if s in plan.offsets}
    steps = range(len(inside) + 1)
    return max(sum(size(s, SINGLE) for s, v in life.items() if v.first <= step <= v.last) for step in steps)


def test_parts_of_a_concat_are_made_in_its_place() -> None:
    made = part(exported(2, LARGE[2], width=4)[1], "probe")
    assert not [op for op in made.operations if isinstance(op, Copy) and "Concat" in op.label]
    in_place = [op for op in made.operations if isinstance(op, Lanes)]
    assert in_place
    assert all(op.output.store in op.reads() for op in in_place)


NODES = {
    "x-half": [w.node("Tanh", ["x"], ["a"]), w.node("Concat", ["a", "x"], ["c"], {"axis": 1})],
    "twice": [w.node("Tanh", ["x"], ["a"]), w.node("Concat", ["a", "a"], ["c"], {"axis": 1})],
    "nested": [
        w.node("Tanh", ["x"], ["a"]),
        w.node("Sin", ["x"], ["b"]),
        w.node("Concat", ["b", "a"], ["d"], {"axis": 1}),
        w.node("Concat", ["d", "a"], ["c"], {"axis": 1}),
    ],
    # What is read again after the step that would have gone in place.
    "again": [
        w.node("Tanh", ["x"], ["a"]),
        w.node("Concat", ["a", "x"], ["d"], {"axis": 1}),
        w.node("Sin", ["d"], ["e"]),
        w.node("Concat", ["e", "a"], ["c"], {"axis": 1}),
    ],
    "chain": [
        w.node("ReduceMean", ["x", "one"], ["m"]),
        w.node("Sub", ["x", "m"], ["a"]),
        w.node("ReduceMean", ["a", "one"], ["n"]),
        w.node("Mul", ["a", "n"], ["b"]),
        w.node("Concat", ["b", "m", "x"], ["c"], {"axis": 1}),
    ],
}


@needs_cc
def test_memory_that_is_shared_changes_no_number(tmp_path: Path) -> None:
    models = {}
    for name, nodes in NODES.items():
        infos = [w.value_info("x", "float32", ["M", 512]), *(w.value_info(n, "float32", ["M", n]) for n in "ca")]
        models[name] = w.model(w.graph(nodes, infos[:1], infos[1:2], {"one": np.array([1])}))
        models[f"{name}-seen"] = w.model(w.graph(nodes, infos[:1], infos[1:], {"one": np.array([1])}))
    made = Generated(models, tmp_path)
    x = np.random.default_rng(0).normal(size=(17, 512)).astype(np.float32)
    for name, model in models.items():
        expected = reference.load(model).run({"x": x})
        for isa in builds():
            found = made.on(isa)[name]({"x": x}, fill=0xFF)
            assert all(np.allclose(found[n], y, rtol=1e-5, atol=1e-6) for n, y in expected.items()), f"{name} on {isa}"
        steps = part(model, "probe")
        for plan in planned(steps):
            replayed(steps, plan)
