"""What do the forms of one layer cost in training: numbers held, and a step forwards and backwards?"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import torch
from _harness import Row, say
from torch import nn

from edgepde.factorconv.forms import names
from edgepde.factorconv.layers import FactorConv, FactorConv2d, FactorConv3d

LAYERS: dict[str, tuple[type[FactorConv], int, tuple[int, ...], int]] = {
    "2-D, 32 to 32 channels, k = 5, grid 32 x 32, batch 8": (FactorConv2d, 32, (32, 32), 8),
    "3-D, 16 to 16 channels, k = 5, grid 12 x 12 x 12, batch 2": (FactorConv3d, 16, (12, 12, 12), 2),
}
ROUNDS, QUICK = 9, 3
ROWS = 4


def rows(quick: bool, seed: int = 0) -> list[Row]:
    """Median milliseconds of interleaved steps; torch's dense layer is the rival, usual ranks for every form."""
    made = []
    for case, (kind, channels, grid, batch) in LAYERS.items():
        torch.manual_seed(seed)
        x = torch.randn(batch, channels, *grid)
        steps = {name: _step(layer, x) for name, layer in _layers(kind, channels).items()}
        numbers = {name: _numbers(layer) for name, layer in _layers(kind, channels).items()}
        say(f"layers: {case}")
        found: dict[str, list[float]] = {name: [] for name in steps}
        for turn in range(1 + (QUICK if quick else ROUNDS)):
            for name, step in steps.items():
                begin = time.perf_counter()
                step()
                if turn:
                    found[name].append(1e3 * (time.perf_counter() - begin))
        for name, times in found.items():
            cuts = statistics.quantiles(times, n=4)
            made.append(Row(f"{case}: numbers", name, "", float(numbers[name])))
            made.append(Row(f"{case}: step", name, "ms", statistics.median(times), spread=(cuts[0], cuts[2])))
    return made


def _layers(kind: type[FactorConv], channels: int) -> dict[str, nn.Module]:
    dense = nn.Conv2d if kind is FactorConv2d else nn.Conv3d
    made: dict[str, nn.Module] = {"torch's dense": dense(channels, channels, 5, padding=2)}
    for form in (name for name in names() if name != "dense"):
        layer: FactorConv = kind(channels, channels, 5, padding=2, form=form)  # type: ignore[call-arg, arg-type]
        made[f"{form} {list(layer.ranks)}"] = layer
        if form == "cp":
            merging: FactorConv = kind(channels, channels, 5, padding=2, form=form)  # type: ignore[call-arg, arg-type]
            merging.merge_rows = ROWS
            made[f"{form} {list(layer.ranks)}, {ROWS} rows of K at a time"] = merging
    return made


def _step(layer: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    def step() -> None:
        layer.zero_grad()
        y = layer(x)
        y.backward(y.detach())

    return step


def _numbers(layer: nn.Module) -> int:
    return sum(math.prod(p.shape) for name, p in layer.named_parameters() if name != "bias")
