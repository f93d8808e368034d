"""What the tests of exporting share."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgepde_runtime.box import Box


@pytest.fixture
def box() -> Box:
    """x in [-1, 1] m, t in [0, 0.3] s; 0.3 rounds upwards to float32."""
    return Box([-1.0, 0.0], [1.0, 0.3], ["x", "t"], ["m", "s"])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A user's file with a callable for every way to be right or wrong."""
    path = tmp_path / "mine.py"
    path.write_text(
        "import torch\n"
        "from torch import nn\n"
        "def net():\n"
        "    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))\n"
        "ready = net()\n"
        "class Fourier(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.fft.fft(x).real\n"
        "def fourier():\n"
        "    return nn.Sequential(nn.Linear(2, 8), Fourier(), nn.Linear(8, 1))\n"
        "def poisoned():\n"
        "    made = net()\n"
        "    with torch.no_grad():\n"
        "        made[2].bias[0] = float('nan')\n"
        "    return made\n"
        "def five():\n"
        "    return 5\n"
        "def fails():\n"
        "    return 1 / 0\n"
        "def leaves():\n"
        "    raise SystemExit(7)\n"
        "number = 5\n"
    )
    return path
