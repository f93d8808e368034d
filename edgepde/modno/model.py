"""The shared model, and the form of it that is exported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

import numpy as np
import torch
from edgepde_runtime.errors import InputError
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.functional import pad

from .basis_readout import basis_readout
from .branches._branch import Branch
from .cassette import Cassette, Sizes
from .encoding import Encoding, frame, rotate
from .spectral import Spectral


@final
class SharedModel(nn.Module):
    """u = R^-1 [L R s + features(P R s) @ mixing @ basis] * scale, with R, P, L, mixing, basis, scale of a cassette.

    features [B, K'] = [branch(c) [B, K], c [B, I], 1] of canonical coefficients c = P R s [B, I], I = 2 m_in + 1;
    P keeps the modes that the operator's training inputs had: others are left to L, whose law may know them.
    terms: q; modes: m of outputs; rank: R; delta: r, 0 where no cassette changes the branch; linear_terms: q_l, that of
    L's degrees in time, q where not given. Times are fractions of a cassette's horizon. InputError where the branch
    takes another number of inputs. Source: arXiv 2404.02892 (shared branch, one output basis per operator).
    """

    analysis: Tensor

    def __init__(
        self,
        encoding: Encoding,
        branch: Branch,
        terms: int,
        modes: int,
        rank: int,
        delta: int = 0,
        linear_terms: int | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if branch.inputs != encoding.width:
            raise InputError(f"branch: expected {encoding.width} inputs, got {branch.inputs}")
        self.encoding, self.branch = encoding, branch
        features = branch.width + encoding.width + 1
        own = terms if linear_terms is None else linear_terms
        self.sizes = Sizes(encoding.width, features, max(rank, 1), terms, modes, delta, own)
        self.register_buffer("analysis", torch.tensor(encoding.analysis, dtype=dtype), persistent=False)

    @property
    def spectral(self) -> Spectral:
        """Of its outputs, with fractions of the horizon as times."""
        degree = max(self.sizes.terms, self.sizes.linear_terms) - 1
        return Spectral(self.encoding.period, self.sizes.modes, 1.0, degree)

    def slots(self, cassette: Cassette) -> tuple[Tensor, ...]:
        """A cassette's tensors as `forward` takes them; InputError where it is larger than the model."""
        kind = np.float64 if self.analysis.dtype == torch.float64 else np.float32
        arrays = cassette.arrays(self.sizes, kind)
        return tuple(torch.from_numpy(array).to(self.analysis.device) for array in arrays.values())

    def features(self, canonical: Tensor, *delta: Tensor) -> Tensor:
        """[B, I] to [B, K']; delta: left [I, r] and right [r, I] of a cassette."""
        return torch.concatenate([self.branch(canonical, *delta), canonical, torch.ones_like(canonical[:, :1])], -1)

    def forward(self, sensors: Tensor, *slots: Tensor) -> Tensor:
        """Sensors [B, S] and a cassette's slots to coefficients [B, max(q, q_l), 2m+1], see `spectral`."""
        every = torch.eye(self.spectral.terms, dtype=sensors.dtype, device=sensors.device)
        return self.at(every, sensors, *slots)

    def at(
        self,
        time: Tensor,
        sensors: Tensor,
        turned: Tensor,
        reads: Tensor,
        multiplier: Tensor,
        mixing: Tensor,
        basis: Tensor,
        scale: Tensor,
        *delta: Tensor,
    ) -> Tensor:
        """Coefficients [B, T, 2m+1] in space, where time [T, max(q, q_l)] sums the degrees."""
        sizes = self.sizes
        given = sensors @ self.analysis
        turn = frame(given, max(self.encoding.modes, sizes.modes), turned)
        own = rotate(given, turn)
        flat = basis_readout(self.features(own * reads, *delta) @ mixing, basis, scale)
        found = time[:, : sizes.terms] @ flat.reshape(-1, sizes.terms, sizes.width)
        linear = self._linear(own, (time[:, : sizes.linear_terms] @ multiplier) * scale)
        return rotate(found + linear, turn, back=True)

    def _linear(self, own: Tensor, multiplier: Tensor) -> Tensor:
        """[B, I] to [B, T, 2m+1]: mode k times multiplier[0] + i multiplier[1] of mode k, [2, T, l+1]."""
        n, m = self.encoding.modes, self.sizes.linear
        c = own.unsqueeze(1)
        a, b = c[..., 1 : m + 1], c[..., n + 1 : n + m + 1]
        p, r = multiplier[:1, :, 1:], multiplier[1:, :, 1:]
        rest = (0, self.sizes.modes - m)
        parts = [c[..., :1] * multiplier[:1, :, :1], pad(p * a + r * b, rest), pad(p * b - r * a, rest)]
        return torch.concatenate(parts, -1)


def model_for(encoding: Encoding, branch: Branch, cassettes: Iterable[Cassette]) -> SharedModel:
    """A float32 model with room for all of them."""
    terms, modes, rank, delta, linear = (
        max(sizes)
        for sizes in zip(*((c.terms, c.modes, c.rank, c.delta, c.linear_terms) for c in cassettes), strict=True)
    )
    return SharedModel(encoding, branch.float(), terms, modes, rank, delta, linear).eval()


@final
class Deployed(nn.Module):
    """Sensors and a cassette's slots to u [B, T, n] at fixed times and places; times: fractions of the horizon.

    Cosines and sines are summed apart, so that zeros of a smaller cassette are the last terms of every sum: in the
    generated C, where the order of sums is fixed, room for more changes no bit.
    """

    time: Tensor
    space: Tensor

    def __init__(self, model: SharedModel, times: ArrayLike, x: ArrayLike) -> None:
        super().__init__()
        self.model = model
        dtype = model.analysis.dtype
        self.register_buffer("time", torch.tensor(model.spectral.time_matrix(times), dtype=dtype), persistent=False)
        self.register_buffer("space", torch.tensor(model.spectral.space_matrix(x), dtype=dtype), persistent=False)

    def forward(
        self,
        sensors: Tensor,
        frame: Tensor,
        reads: Tensor,
        multiplier: Tensor,
        mixing: Tensor,
        basis: Tensor,
        scale: Tensor,
        *delta: Tensor,
    ) -> Tensor:
        """Sensors [B, S] to u [B, T, n]."""
        found = self.model.at(self.time, sensors, frame, reads, multiplier, mixing, basis, scale, *delta)
        even = self.model.sizes.modes + 1
        return found[..., :even] @ self.space[:even] + found[..., even:] @ self.space[even:]
