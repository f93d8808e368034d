"""`python -m edgepde.mollifier.outputs`: exact derivatives beside stencils, on one small network in float32."""

from __future__ import annotations

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import UnsupportedModel
from torch import nn

from ..names import combination
from .choosing import chosen

NAMES = ("u_x", "u_xx", "u_xt", "u_xxx", "u_xxxx")
LETTERS = ("x", "t", "k")


def main() -> None:
    """Prints one line per derivative."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    box = Box([-1.0, 0.0, 0.1], [1.0, 1.0, 1.0], LETTERS)
    for name in NAMES:
        told: list[str] = []
        try:
            chosen(net, box, {name: combination(name, LETTERS)}, "auto", told.append)
        except UnsupportedModel as error:
            told.append(str(error))
        print(f"{name:7s} {told[0].removeprefix('derivatives: ')}")


if __name__ == "__main__":
    main()
