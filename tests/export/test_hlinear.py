"""A network with a layer in blocks goes through export and certificate like one with a dense layer."""

from __future__ import annotations

from pathlib import Path

import edgepde_runtime
import numpy as np
import onnx
import torch
from edgepde_export.exporting import export
from edgepde_runtime import bundle as reader
from edgepde_runtime.box import Box
from torch import nn

from edgepde.certify.from_module import from_module
from edgepde.certify.network import Blocks
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.layer import HLinear

BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"])


def quiet(_: str) -> None:
    """Says nothing."""


def network() -> nn.Sequential:
    """Its units are moved, so that gathers are there."""
    torch.manual_seed(0)
    points = np.random.default_rng(0).random((24, 2))
    layer = HLinear(24, 24, HConfig(leaf=6), rank=1, points=points)
    return nn.Sequential(nn.Linear(2, 24), nn.Tanh(), layer, nn.Tanh(), nn.Linear(24, 1))


def test_is_a_drop_in_for_a_dense_layer(tmp_path: Path) -> None:
    net = network()
    made = export(net, tmp_path / "b", domain=BOX, blocks="op", log=quiet, prove_seconds=20.0)
    operations = [node.op_type for node in onnx.load(made / "model.onnx").graph.node]
    assert operations.count("block_low_rank_apply") == 1
    assert operations.count("Gather") == 2
    entry = next(iter(reader.read(made).certificate.outputs.values()))
    assert entry.sound_total is not None
    assert 0.0 < entry.sound_total < 1e-4
    x = BOX.sample(50, np.random.default_rng(1)).astype(np.float32)
    model = edgepde_runtime.load(made)
    assert np.abs(np.asarray(model(x)) - net(torch.from_numpy(x)).detach().numpy()).max() <= entry.sound_total


def test_the_certificate_reads_it_as_blocks() -> None:
    net = network()
    read = from_module(net, 2)
    assert sum(isinstance(node, Blocks) for node in read.nodes) == 1
