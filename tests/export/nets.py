"""Small networks the tests of exporting share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}


class Sine(nn.Module):
    """sin(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


ACTIVATIONS["sin"] = Sine


class Fourier(nn.Module):
    """Exports to ONNX, but no room runs it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x).real


class Branching(nn.Module):
    """Control flow that depends on data."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Bessel(nn.Module):
    """Has no ONNX form."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)


class Recurrent(nn.Module):
    """An LSTM over the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.memory(x)[0]
        return out


def mlp(activation: str = "tanh", inputs: int = 2, outputs: int = 1, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Two hidden layers of 8."""
    torch.manual_seed(0)
    act = ACTIVATIONS[activation]
    layers = [nn.Linear(inputs, 8), act(), nn.Linear(8, 8), act(), nn.Linear(8, outputs)]
    return nn.Sequential(*layers).to(dtype)


def around(middle: nn.Module) -> nn.Module:
    """Linear, `middle` at path 1, Linear."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), middle, nn.Linear(8, 1))
