"""What the device really computes: the network exported with its C code, compiled here, beside the float64 network."""

from __future__ import annotations

import tempfile
from pathlib import Path

import edgepde_export
import edgepde_runtime
import numpy as np
import torch
from edgepde_runtime.box import Box

from .compress import Layers, evaluate
from .train import uniform

POINTS, PROVING = 50_000, 0.2


def stored(net: Layers) -> Layers:
    """The network with weights that are float32 numbers."""
    return [(w.astype(np.float32).astype(np.float64), b.astype(np.float32).astype(np.float64)) for w, b in net]


def module(net: Layers) -> torch.nn.Sequential:
    """The float32 tanh network of these layers."""
    made: list[torch.nn.Module] = []
    for weight, bias in net:
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight))
            linear.bias.copy_(torch.from_numpy(bias))
        made += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*made[:-1])


def deviations(net: Layers, seed: int) -> dict[str, float]:
    """max |computed - network in float64| over random float32 points, by who computes: the C code, torch."""
    d = net[0][0].shape[1]
    x = uniform(POINTS, d, seed).numpy().astype(np.float32)
    exact, ours = evaluate(net, x.astype(np.float64)), module(net)
    with torch.no_grad():
        made = {"torch": ours(torch.from_numpy(x)).numpy()}
    with tempfile.TemporaryDirectory() as folder:
        bundle = edgepde_export.export(
            ours,
            Path(folder) / "mlp",
            domain=Box([-1.0] * d, [1.0] * d),
            targets=["onnx", "c99"],
            prove_seconds=PROVING,
            log=lambda _: None,
        )
        device = edgepde_runtime.load(bundle, backend="c99", trust=True)
        made["c99"] = np.asarray(device(x))
    return {name: float(np.abs(y - exact).max()) for name, y in made.items()}
