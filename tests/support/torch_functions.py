"""Small modules of many operations that the certificate reads."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

D = 3


class Function(nn.Module):
    """A function of x [M, D] with two linear layers and a matrix at hand."""

    def __init__(self, function: Callable[[Function, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.first, self.second = nn.Linear(D, 4), nn.Linear(4, 4)
        self.weight = nn.Parameter(torch.randn(D, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


Table = dict[str, Callable[[Function, Tensor], Tensor]]
f = nn.functional
READ: Table = {
    "skip": lambda m, x: m.first(x) + torch.tanh(m.second(torch.tanh(m.first(x)))),
    "gate": lambda m, x: m.first(x) * torch.sigmoid(m.second(m.first(x))),
    "columns": lambda m, x: torch.cat([x[:, 1:], torch.sin(x[:, :1]), x[:, [0]]], dim=1),
    "branch and trunk": lambda m, x: (m.first(x) * torch.cos(m.first(x))).sum(dim=-1, keepdim=True),
    "features": lambda m, x: torch.cat([torch.sin(x @ m.weight), torch.cos(x @ m.weight)], dim=-1),
    "scaled": lambda m, x: (m.first(x) - 0.3) * torch.tensor([1.0, 2.0, 3.0, 4.0]) / 1.7 + x[:, :1],
    "powers": lambda m, x: m.first(x) ** 2 + m.first(x).pow(3) - 2.0 * m.first(x),
    "divided": lambda m, x: m.first(x) / (2.0 + torch.exp(x[:, 1:2])),
    "gelus": lambda m, x: f.gelu(m.first(x)) + f.gelu(m.first(x), approximate="tanh"),
    "others": lambda m, x: f.silu(m.first(x)) + f.softplus(m.first(x)) + torch.erf(m.first(x)),
    "shapes": lambda m, x: m.first(x).view(-1, 2, 2).transpose(1, 2).flatten(1),
    "rows": lambda m, x: m.second(m.first(x)[:, None, :].expand(-1, 2, 4)).flatten(1),
    "chunks": lambda m, x: torch.relu(m.first(x).chunk(2, dim=1)[1] - m.first(x).split([1, 3], dim=1)[0]),
    "mean": lambda m, x: m.first(x).mean(dim=1, keepdim=True) - m.first(x).sum(dim=1, keepdim=True),
    "stacked": lambda m, x: torch.stack([x[:, 0], 1.0 - x[:, 1]], dim=1).neg(),
    "selected": lambda m, x: m.first(x)[:, 2].unsqueeze(1) * m.first(x),
}
# Operations that are read but costly to bound, or like others of READ.
MORE: Table = {
    "leaky": lambda m, x: f.leaky_relu(m.first(x), 0.1),
    "elu": lambda m, x: f.elu(m.first(x)),
    "elu2": lambda m, x: f.elu(m.first(x), 0.7),
    "selu": lambda m, x: f.selu(m.first(x)),
    "hardsigmoid": lambda m, x: f.hardsigmoid(m.first(x)),
    "hardtanh": lambda m, x: f.hardtanh(m.first(x)),
    "relu6": lambda m, x: f.relu6(m.first(x)),
    "logsig": lambda m, x: f.logsigmoid(m.first(x)),
    "softsign": lambda m, x: f.softsign(m.first(x)),
    "tanhshrink": lambda m, x: f.tanhshrink(m.first(x)),
    "abs": lambda m, x: m.first(x).abs(),
    "clamp": lambda m, x: m.first(x).clamp(-0.3, 0.4),
    "clampmin": lambda m, x: m.first(x).clamp(min=-0.3),
    "clampmax": lambda m, x: m.first(x).clamp_max(0.3),
    "minmax": lambda m, x: torch.minimum(m.first(x), x[:, :1]) + torch.maximum(m.first(x), x[:, 1:2]),
    "log": lambda m, x: torch.log(2 + m.first(x) ** 2),
    "sqrt": lambda m, x: torch.sqrt(1 + m.first(x) ** 2),
    "rsqrt": lambda m, x: torch.rsqrt(1 + m.first(x) ** 2),
    "sinh": lambda m, x: torch.sinh(m.first(x)) + torch.cosh(x[:, :1]),
    "asinh": lambda m, x: torch.asinh(m.first(x)),
    "norm": lambda m, x: torch.linalg.vector_norm(m.first(x) + 2, dim=1, keepdim=True),
    "norm2": lambda m, x: (m.first(x) + 2).norm(dim=1),
    "softplus2": lambda m, x: f.softplus(m.first(x), 2.0),
    "softplus3": lambda m, x: f.softplus(m.first(x), 3.0),
    "einsum": lambda m, x: torch.einsum("bi,bi->b", m.first(x), torch.tanh(m.second(m.first(x)))),
    "einsumc": lambda m, x: torch.einsum("bi,ij->bj", x, m.weight),
    "bmm": lambda m, x: torch.bmm(m.first(x).view(-1, 2, 2), m.first(x).view(-1, 2, 2)).flatten(1),
    "cumsum": lambda m, x: m.first(x).cumsum(1),
    "amax": lambda m, x: m.first(x).amax(1, keepdim=True),
    "halfpow": lambda m, x: (1 + m.first(x) ** 2) ** 0.5,
    "p15": lambda m, x: (1 + m.first(x) ** 2) ** -1.5,
    "swish": lambda m, x: m.first(x) * torch.sigmoid(m.first(x)),
    "norminput": lambda m, x: torch.tanh(m.first(2 * (x - 0.3) / (1.7 - 0.3) - 1)),
    "pi": lambda m, x: torch.sin(torch.pi * x) * m.first(x)[:, :3],
    "scaledtanh": lambda m, x: torch.tanh(1.1 * m.first(x)),
    "ones": lambda m, x: torch.cat([torch.ones_like(x[:, :1]), x], 1) @ m.second.weight,
    "zeros": lambda m, x: m.second(torch.cat([x, torch.zeros(x.shape[0], 1, dtype=x.dtype)], 1)),
    "repeat": lambda m, x: m.first(x).repeat(1, 2),
    "where": lambda m, x: torch.where(torch.tensor([True, False, True, False]), m.first(x), torch.tanh(m.first(x))),
    "pad": lambda m, x: f.pad(x, (0, 1)),
    "batchfeat": lambda m, x: (m.first(x)[:, :, None] * m.second(m.first(x))[:, None, :]).sum(1),
    "exppair": lambda m, x: torch.exp(-(m.first(x) ** 2)),
    "rowsmlp": lambda m, x: m.second(
        torch.tanh(m.second(m.first(x)[:, None, :].expand(-1, 3, 4) + x[:, :, None]))
    ).mean(1),
    "glu": lambda m, x: f.glu(m.first(x)),
    "distance": lambda m, x: (x**2).sum(1, keepdim=True).sqrt() + m.first(x),
    "divself": lambda m, x: m.first(x) / (1 + m.first(x).abs()),
    "rdiv": lambda m, x: 3.0 / (2 + x * x),
    "std": lambda m, x: (
        (x - torch.tensor([0.1, 0.2, 0.3], dtype=x.dtype)) / torch.tensor([0.5, 2.0, 3.0], dtype=x.dtype)
    ),
}
# No ONNX op of theirs has a room.
MODULE_ONLY: Table = {
    "celu": lambda m, x: f.celu(m.first(x), 1.3),
    "hardswish": lambda m, x: f.hardswish(m.first(x)),
    "mish": lambda m, x: f.mish(m.first(x)),
}
