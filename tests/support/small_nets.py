"""Small networks of every structure that the tests of compressing share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """A skip around two layers; the vector is read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner, self.back, self.last = (
            nn.Linear(2, 12),
            nn.Linear(12, 12),
            nn.Linear(12, 12),
            nn.Linear(12, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        out: Tensor = self.last(h + self.back(torch.tanh(self.inner(h))))
        return out


class Shared(nn.Module):
    """One layer used twice; the output has no columns."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.twice, self.last = nn.Linear(2, 8), nn.Linear(8, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        h = torch.tanh(self.twice(torch.tanh(self.twice(h))))
        out: Tensor = self.last(h)[:, 0]
        return out


class Gated(nn.Module):
    """A product of two branches."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.last = nn.Linear(2, 10), nn.Linear(2, 10), nn.Linear(10, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(torch.tanh(self.a(x)) * torch.sigmoid(self.b(x)))
        return out


class Fourier(nn.Module):
    """Nothing proves bounds on it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x).real


def plain(act: type[nn.Module] = nn.Tanh, width: int = 12, outputs: int = 1, seed: int = 0) -> nn.Sequential:
    """Two hidden layers."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, width), act(), nn.Linear(width, width), act(), nn.Linear(width, outputs))


def seeded(kind: type[nn.Module]) -> nn.Module:
    """The same network every time."""
    torch.manual_seed(0)
    return kind()
