"""The shared model, and the form of it that is exported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from .branches._branch import Branch
from .cassette import SLOTS, Cassette, Sizes
from .encoding import Encoding, frame, rotate
from .spectral import Spectral


@final
class SharedModel(nn.Module):
    """u = R^-1 [L R s + features(R s) @ mixing @ basis] * scale, with R, L, mixing, basis and scale of a cassette.

    features [B, K'] = [branch(c) [B, K], c [B, I], 1] of canonical coefficients c = R s [B, I], I = 2 m_in + 1.
    terms: q; modes: m of outputs; rank: R; delta: r, 0 where no cassette changes the branch. Times are fractions of a
    cassette's horizon. Source: arXiv 2404.02892 (shared branch, one output basis per operator).
    """

    def __init__(
        self,
        encoding: Encoding,
        branch: Branch,
        terms: int,
        modes: int,
        rank: int,
        delta: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.encoding, self.branch = encoding, branch
        features = branch.width + encoding.width + 1
        self.sizes = Sizes(encoding.width, features, rank, terms, modes, delta)
        self.register_buffer("analysis", torch.tensor(encoding.analysis, dtype=dtype), persistent=False)

    @property
    def spectral(self) -> Spectral:
        """Of its outputs, with fractions of the horizon as times."""
        return Spectral(self.encoding.period, self.sizes.modes, 1.0, self.sizes.terms - 1)

    def slots(self, cassette: Cassette) -> tuple[Tensor, ...]:
        """A cassette's tensors as `forward` takes them."""
        analysis = self.get_buffer("analysis")
        kind = np.float64 if analysis.dtype == torch.float64 else np.float32
        arrays = cassette.arrays(self.sizes, kind)
        return tuple(torch.from_numpy(arrays[n]).to(analysis.device) for n in SLOTS if n in arrays)

    def features(self, canonical: Tensor, *delta: Tensor) -> Tensor:
        """[B, I] to [B, K']; delta: left [I, r] and right [r, I] of a cassette."""
        return torch.concatenate([self.branch(canonical, *delta), canonical, torch.ones_like(canonical[:, :1])], -1)

    def forward(
        self,
        sensors: Tensor,
        turned: Tensor,
        multiplier: Tensor,
        mixing: Tensor,
        basis: Tensor,
        scale: Tensor,
        *delta: Tensor,
    ) -> Tensor:
        """Sensors [B, S] and a cassette's slots to coefficients [B, q, 2m+1]."""
        sizes = self.sizes
        given = sensors @ self.get_buffer("analysis")
        turn = frame(given, max(sizes.inputs // 2, sizes.modes), turned)
        own = rotate(given, turn)
        weights = self.features(own, *delta) @ mixing
        flat = (weights @ basis.to(weights.dtype)) * scale
        found = flat.reshape(-1, sizes.terms, 2 * sizes.modes + 1)
        return rotate(found + self._linear(own, multiplier) * scale, turn, back=True)

    def _linear(self, own: Tensor, multiplier: Tensor) -> Tensor:
        """[B, I] to [B, q, 2m+1]: mode k times multiplier[0] + i multiplier[1] of mode k."""
        n, m = self.sizes.inputs // 2, self.sizes.linear
        c = own.unsqueeze(1)
        a, b = c[..., 1 : m + 1], c[..., n + 1 : n + m + 1]
        p, r = multiplier[:1, :, 1:], multiplier[1:, :, 1:]
        rest = (0, self.sizes.modes - m)
        parts = [c[..., :1] * multiplier[:1, :, :1], pad(p * a + r * b, rest), pad(p * b - r * a, rest)]
        return torch.concatenate(parts, -1)


@final
class Deployed(nn.Module):
    """Sensors and a cassette's slots to u [B, T, n] on a fixed grid; times: fractions of the horizon."""

    def __init__(self, model: SharedModel, times: Sequence[float], x: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        dtype: Any = model.get_buffer("analysis").dtype
        spectral = model.spectral
        self.register_buffer("time", torch.tensor(spectral.time_matrix(times), dtype=dtype), persistent=False)
        self.register_buffer("space", torch.tensor(spectral.space_matrix(x), dtype=dtype), persistent=False)

    def forward(
        self,
        sensors: Tensor,
        frame: Tensor,
        multiplier: Tensor,
        mixing: Tensor,
        basis: Tensor,
        scale: Tensor,
        *delta: Tensor,
    ) -> Tensor:
        """Sensors [B, S] to u [B, T, n]."""
        found = self.model(sensors, frame, multiplier, mixing, basis, scale, *delta)
        return torch.matmul(self.get_buffer("time"), found) @ self.get_buffer("space")
