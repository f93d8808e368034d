"""Layers in blocks on their way out: as our op, in standard nodes, merged back; halves; every way proved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from edgepde_export.exporting import export
from edgepde_export.lowering import blocks
from edgepde_runtime import bundle as reader
from edgepde_runtime import load
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from edgepde_runtime.onnxfile import parse
from support.block_matrices import random_blocks

from edgepde.certify.network import Affine, Blocks, Gather, Input, Network, Pointwise, tensor
from edgepde.network.module import NetworkModule

BOX = Box([-1.0, -1.0], [1.0, 1.0])
N = 24


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def net() -> Network:
    rng = np.random.default_rng(0)
    parts = (random_blocks(rng, N, N), random_blocks(rng, N, N, dtype=np.float16, size=0.05))
    order = torch.from_numpy(rng.permutation(N))

    def numbers(*shape: int) -> torch.Tensor:
        return tensor((0.5 * rng.standard_normal(shape)).astype(np.float32))

    return Network(
        (
            Input(2),
            Affine((0,), numbers(N, 2), numbers(N)),
            Pointwise((1,), "tanh"),
            Gather((2,), order),
            Blocks((3,), parts, numbers(N)),
            Gather((4,), torch.argsort(order)),
            Pointwise((5,), "tanh"),
            Affine((6,), numbers(1, N), numbers(1)),
        )
    )


@pytest.fixture(scope="module")
def small(net: Network) -> NetworkModule:
    return NetworkModule(net).eval()


def _ops(folder: Path) -> list[str]:
    return [node.op_type for node in parse(reader.read(folder).model).graph.nodes]


@pytest.mark.parametrize("way", ["op", "plain", "dense"])
def test_every_way_is_the_same_function_and_proved(way: str, small: NetworkModule, tmp_path: Path) -> None:
    made = export(small, tmp_path / "b", domain=BOX, blocks=way, prove_seconds=4.0, log=quiet)
    entry = reader.read(made).certificate.outputs["y"]
    assert entry.terms["quantisation"].class_ == "sound"
    assert (entry.terms["quantisation"].value or 0.0) <= (1e-12 if way == "plain" else 2e-6)
    assert (entry.terms["quantisation"].value == 0.0) == (way == "op")
    assert ("block_low_rank_apply" in _ops(made)) == (way == "op")
    ledger = json.loads((made / "ledger.json").read_text())
    assert [(row["form"], row["shape"]) for row in ledger["blocks"]] == [(way, [N, N])] * 2
    assert f"--blocks {way}" in ledger["blocks"][0]["why"]
    x = np.random.default_rng(1).uniform(-1.0, 1.0, (50, 2)).astype(np.float32)
    with torch.no_grad():
        wanted = small(torch.from_numpy(x)).numpy()
    for backend in ("ort", "reference"):
        assert load(made, backend=backend)(x) == pytest.approx(wanted, abs=1e-5)


def test_two_exports_in_one_way_are_one_model(small: NetworkModule, tmp_path: Path) -> None:
    made = [export(small, tmp_path / f"{i}", domain=BOX, blocks="op", prove_seconds=1.0, log=quiet) for i in range(2)]
    assert len({reader.read(folder).manifest.model_hash for folder in made}) == 1


def test_what_is_measured_is_said_and_kept_out_of_the_bundle(small: NetworkModule, tmp_path: Path) -> None:
    told: list[str] = []
    made = export(small, tmp_path / "b", domain=BOX, prove_seconds=2.0, log=told.append)
    rows = json.loads((made / "ledger.json").read_text())["blocks"]
    assert {row["form"] for row in rows} <= {"op", "plain", "dense"}
    assert all(row["why"] for row in rows)
    assert " us" not in json.dumps(rows)
    assert any(line.startswith("blocks: ") for line in told)


@pytest.mark.parametrize("way", [w for w in blocks.WAYS if w != "auto"])
def test_the_fastest_is_taken_where_clearly_so(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"op": 2.0, "plain": 2.1, "dense": 2.2} | {way: 1.0}
    monkeypatch.setattr(blocks, "_rewritten", lambda model, name, kind: kind)
    monkeypatch.setattr(blocks, "_timed", lambda kind, layer: seconds[kind])
    monkeypatch.setattr(blocks.native, "library", lambda: Path("here"))
    assert blocks._fastest(_layer(), False, quiet)[0] == way
    assert blocks._fastest(_layer(), True, quiet)[0] == ("op" if way == "plain" else way)
    monkeypatch.setattr(blocks, "CLEARLY", 4.0)
    assert blocks._fastest(_layer(), False, quiet)[0] == "op"


def _layer() -> blocks._Layer:
    part = random_blocks(np.random.default_rng(0), 4, 4)
    return blocks._Layer("y", onnx.ModelProto(), part, "float32")


def test_nothing_is_measured_without_our_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks.native, "library", lambda: None)
    assert blocks._fastest(_layer(), False, quiet) == (
        "op",
        "not measured: this installation has no library of kernels",
    )


def test_halves_are_stored_as_halves(small: NetworkModule, tmp_path: Path) -> None:
    told: list[str] = []
    made = export(small, tmp_path / "b", domain=BOX, blocks="op", precision="f16w", prove_seconds=4.0, log=told.append)
    graph = parse(reader.read(made).model).graph
    held = [
        graph.initializers[n.inputs[i]].dtype
        for n in graph.nodes
        if n.op_type == "block_low_rank_apply"
        for i in (2, 5)
    ]
    assert held == [np.dtype(np.float16)] * 4
    assert any("factors of layers in blocks as halves, 2 were" in line for line in told)
    entry = reader.read(made).certificate.outputs["y"]
    assert entry.terms["quantisation"].class_ == "sound"
    assert 1e-6 < (entry.terms["quantisation"].value or 0.0) < 1e-2


def test_bytes_leave_factors_as_they_are(small: NetworkModule, tmp_path: Path) -> None:
    told: list[str] = []
    made = export(small, tmp_path / "b", domain=BOX, blocks="op", precision="i8w", prove_seconds=2.0, log=told.append)
    graph = parse(reader.read(made).model).graph
    held = [graph.initializers[n.inputs[2]].dtype.name for n in graph.nodes if n.op_type == "block_low_rank_apply"]
    assert sorted(held) == ["float16", "float32"]
    assert any("stay as they are, 2 of them halves" in line for line in told)


def test_a_way_nobody_knows_is_refused(small: NetworkModule, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--blocks expected auto, op, plain, dense, got 'sparse'"):
        export(small, tmp_path / "b", domain=BOX, blocks="sparse", log=quiet)


def test_a_layer_with_the_op_of_any_module(tmp_path: Path) -> None:
    from edgepde.hmatrix.block_low_rank_apply import block_low_rank_apply

    class Own(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            part = random_blocks(np.random.default_rng(2), 6, 5)
            for name, values in zip(("cg", "right", "rg", "index", "left"), part.arrays, strict=True):
                self.register_buffer(name, torch.from_numpy(values.copy()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(block_low_rank_apply(x, self.cg, self.right, self.rg, self.index, self.left, 6))

    box = Box([-1.0] * 5, [1.0] * 5)
    made = export(Own(), tmp_path / "b", domain=box, blocks="op", prove_seconds=2.0, log=quiet)
    assert reader.read(made).certificate.outputs["y"].terms["quantisation"].value == 0.0
