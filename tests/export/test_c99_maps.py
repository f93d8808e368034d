"""Layers on maps as torch exports them, as generated C: one to three axes, in both precisions and any batch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
import torch
from edgepde_export.lowering.graph import to_onnx
from edgepde_export.lowering.prepare import prepare
from edgepde_export.passes.clean import serialize
from edgepde_runtime.backends import reference
from support.generated import Generated, builds, same_bits
from support.kernel_libraries import needs_cc
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

Layer = Callable[[Tensor], Tensor]
CHANNELS, SIZES = 2, {1: (8,), 2: (6, 5), 3: (4, 3, 6)}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
CIRCULAR = {1: nn.CircularPad1d, 2: nn.CircularPad2d, 3: nn.CircularPad3d}


def of(name: str, rank: int) -> Any:
    """torch.nn.<name><rank>d."""
    return getattr(nn, f"{name}{rank}d")


def trained(module: nn.Module) -> nn.Module:
    """With statistics and factors that are not 0 and 1."""
    for number, (_, value) in enumerate(sorted(module.state_dict().items())):
        if value.dtype.is_floating_point:
            value.copy_(torch.linspace(0.3, 1.2 + 0.1 * number, value.numel()).reshape(value.shape))
    return module


def layers(rank: int) -> dict[str, Layer]:
    """What networks on maps of `rank` axes are made of, besides convolutions."""
    ends = [1, 2] * rank
    found: dict[str, Layer] = {
        "batch": trained(of("BatchNorm", rank)(CHANNELS)),
        "instance": of("InstanceNorm", rank)(CHANNELS),
        "instance-affine": trained(of("InstanceNorm", rank)(CHANNELS, affine=True)),
        "group": trained(nn.GroupNorm(1, CHANNELS)),
        "mean": of("AvgPool", rank)(2),
        "mean-inside": of("AvgPool", rank)(3, stride=2, padding=1, count_include_pad=False),
        "mean-ceil": of("AvgPool", rank)(3, stride=2, padding=1, ceil_mode=True),
        "most": of("MaxPool", rank)(2),
        "most-dilated": of("MaxPool", rank)(2, stride=1, padding=1, dilation=2),
        "global": of("AdaptiveAvgPool", rank)(1),
        "nearest": nn.Upsample(scale_factor=2),
        "nearest-sizes": lambda x: interpolate(x, size=[7] * rank),
        "linear": nn.Upsample(scale_factor=2, mode=LINEAR[rank]),
        "linear-corners": nn.Upsample(scale_factor=2, mode=LINEAR[rank], align_corners=True),
        "linear-sizes": lambda x: interpolate(x, size=[5] * rank, mode=LINEAR[rank]),
        "zeros": lambda x: pad(x, ends, value=0.5),
        "leaky": nn.LeakyReLU(0.1),
        "softplus": nn.Softplus(),
        "silu": nn.SiLU(),
        "gelu": nn.GELU(),
    }
    modes = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    return found | {name: lambda x, mode=mode: pad(x, ends, mode=mode) for name, mode in modes.items()}


@final
class All(nn.Module):
    """Rows x [M, C n_1 ..] -> all layers' outputs side by side [M, ..]; `widths` says how wide each is."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.rank, self.layers = rank, layers(rank)
        self.held = nn.ModuleList([m for m in self.layers.values() if isinstance(m, nn.Module)])

    def parts(self, x: Tensor) -> list[Tensor]:
        h = x.reshape(-1, CHANNELS, *SIZES[self.rank])
        return [layer(h).flatten(1) for layer in self.layers.values()]

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(self.parts(x), dim=1)


def exported(rank: int, dtype: torch.dtype) -> tuple[All, bytes]:
    module = All(rank).to(dtype).eval()
    example = torch.zeros(3, CHANNELS * int(np.prod(SIZES[rank])), dtype=dtype)
    model = to_onnx(module, {"x": example}, {"x": {0: "M"}}, ["y"])
    return module, serialize(prepare(model, lambda line: None))


@needs_cc
@pytest.mark.parametrize("rank", SIZES)
def test_layers_keep_their_bounds_and_bits(rank: int, tmp_path: Path) -> None:
    module, encoded = exported(rank, torch.float32)
    x = np.random.default_rng(rank).normal(size=(19, CHANNELS * int(np.prod(SIZES[rank])))).astype(np.float32)
    made = Generated({"all": encoded}, tmp_path, "-O1")
    alone = np.concatenate([made.on("scalar")["all"]({"x": row[None]})["y"] for row in x])
    for isa, rows in itertools.product(builds(), (1, 3, 16, 19)):
        assert same_bits({"y": made.on(isa)["all"]({"x": x[:rows]})["y"]}, {"y": alone[:rows]}), f"{isa}, {rows} rows"
    # A few dozen roundings of numbers below 10: what a wrong element would show at once.
    expected = reference.load(encoded).run({"x": x})["y"]
    with torch.no_grad():
        exact = [p.numpy() for p in module.double().parts(torch.from_numpy(x.astype(np.float64)))]
    ends = np.cumsum([p.shape[1] for p in exact])[:-1]
    for name, got, theirs, truth in zip(
        module.layers, *(np.split(a, ends, 1) for a in (alone, expected)), exact, strict=True
    ):
        assert np.abs(got - truth).max() < 4e-6, name
        assert np.abs(theirs - truth).max() < 4e-6, name
