"""Training decoders: bases in closed form, waves by leave-one-out, sizes chosen on validation cases."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgepde.errors import SettingError
from edgepde.problems.zone import ZoneData

from .coefficients import Layers, Regression, features, fit_layers, solved
from .decoder import Decoder, DecoderModule
from .tucker import Tucker, tucker

Array = NDArray[np.float64]
LEFT, FLOOR = 1e-3, 1e-6


@dataclass(frozen=True)
class Search:
    """hidden: widths that are fitted, cut to a third of the training cases; ranks, positions: tried with each.

    modes: how many coefficients the waves are fitted to.
    """

    hidden: tuple[tuple[int, ...], ...] = ((48, 32), (64, 40), (48, 48), (64, 64))
    ranks: tuple[int, ...] = (0, 12, 16, 20, 24, 28, 32, 40)
    positions: tuple[int, ...] = (60, 100, 140, 180, 220, 260, 300, 350, 400, 500, 600, 800)
    modes: int = 96
    regression: Regression = field(default_factory=Regression)

    def __post_init__(self) -> None:
        for name in ("hidden", "ranks", "positions"):
            if not getattr(self, name):
                raise SettingError(f"{name}: expected at least one")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A decoder that could be built; validation: its mean relative L2 error there."""

    description: Decoder
    parameters: int
    validation: float
    layers: Layers
    left_out: float


@final
@dataclass(frozen=True, eq=False)
class Decoders:
    """Every size that was tried on the same data; seconds: by the clock, for all of them together."""

    candidates: tuple[Candidate, ...]
    cases: _Cases
    ridge: float
    seconds: float

    def smallest(self, error: float) -> Candidate:
        """The fewest numbers whose validation error is at most `error`; the most accurate where none is."""
        good = [c for c in self.candidates if c.validation <= error]
        if good:
            return min(good, key=lambda c: (c.parameters, c.validation))
        return min(self.candidates, key=lambda c: c.validation)

    def frontier(self) -> Iterator[Candidate]:
        """Those that no smaller one beats, smallest first."""
        best = math.inf
        for candidate in sorted(self.candidates, key=lambda c: (c.parameters, c.validation)):
            if candidate.validation < best:
                best = candidate.validation
                yield candidate

    def build(self, candidate: Candidate) -> DecoderModule:
        """The module of a candidate."""
        return _module(candidate, self.cases, self.ridge)


@dataclass(frozen=True, eq=False)
class _Cases:
    """Kept numbers [N, M], norms [N] and inputs in [-1, 1] of training and validation cases."""

    data: ZoneData
    tucker: Tucker
    x: tuple[Tensor, Tensor]
    core: tuple[Tensor, Tensor]
    norm: tuple[Tensor, Tensor]

    @property
    def weight(self) -> Tensor:
        """1 / norm of the training cases."""
        return 1.0 / self.norm[0]


def fit_decoders(train: ZoneData, validation: ZoneData, seed: int, search: Search | None = None) -> Decoders:
    """Fit all widths and judge all ranks and numbers of positions, on one data set.

    Raises SettingError where there are too few training cases.
    """
    how, began = search or Search(), time.monotonic()
    cases = _cases(train, validation, max(how.positions))
    modes = _modes(cases, how.modes)
    most = len(train) // 3
    if most < 1:
        raise SettingError(f"decoder: expected at least 3 training cases, got {len(train)}")
    found: list[Candidate] = []
    for hidden in dict.fromkeys(tuple(min(n, most) for n in widths) for widths in how.hidden):
        layers, left_out = fit_layers(cases.x[0], cases.core[0] @ modes, cases.weight, hidden, how.regression, seed)
        found += _judged(cases, layers, left_out, hidden, how)
    return Decoders(tuple(found), cases, how.regression.ridge, time.monotonic() - began)


def _cases(train: ZoneData, validation: ZoneData, most: int) -> _Cases:
    basis = tucker(train.field, LEFT)
    basis = basis.first(min(most, len(basis.kept)))
    half = np.where(train.high > train.low, (train.high - train.low) / 2.0, 1.0)
    parts = (train, validation)
    norms = [torch.from_numpy(np.sqrt(np.square(d.field, dtype=np.float64).sum((1, 2, 3)))) for d in parts]
    floor = FLOOR * float(norms[0].max()) + np.finfo(np.float64).tiny
    x = [torch.from_numpy((d.parameters - (train.low + train.high) / 2.0) / half) for d in parts]
    core = [torch.from_numpy(basis.project(d.field)) for d in parts]
    return _Cases(
        train, basis, (x[0], x[1]), (core[0], core[1]), (norms[0].clamp(min=floor), norms[1].clamp(min=floor))
    )


def _modes(cases: _Cases, most: int) -> Tensor:
    """Directions [M, K] of the largest energy of the kept numbers."""
    right: Tensor = torch.linalg.svd(cases.core[0] * cases.weight[:, None], full_matrices=False)[2]
    return right[:most].T.contiguous()


def _judged(cases: _Cases, layers: Layers, left_out: float, hidden: Sequence[int], how: Search) -> Iterator[Candidate]:
    """Every rank and number of positions with these waves."""
    wave, bias = _readout(cases, layers, how.regression.ridge)
    held = features(layers, cases.x[1])[:, :-1]
    core, norm, mean = cases.core[1], cases.norm[1], features(layers, cases.x[0])[:, :-1].mean(0)
    for count in dict.fromkeys(min(n, core.shape[1]) for n in how.positions):
        right = _directions(cases, layers, wave[:, :count])
        rest = norm.square() - core[:, :count].square().sum(1)
        shape = cases.tucker.first(count).shape
        for rank in how.ranks:
            if rank > min(hidden[-1], count):
                continue
            found = held @ wave[:, :count] + bias[:count]
            if rank:
                v = right[:, :rank]
                found = found + ((held - mean) @ wave[:, :count]) @ (v @ v.T - torch.eye(count, dtype=v.dtype))
            error = ((found - core[:, :count]).square().sum(1) + rest).clamp(min=0.0).sqrt() / norm
            t, y, x = cases.data.grid
            description = Decoder(cases.x[0].shape[1], t, y, x, tuple(hidden), rank, count, shape)
            yield Candidate(description, _numbers(description), float(error.mean()), layers, left_out)


def _readout(cases: _Cases, layers: Layers, ridge: float) -> tuple[Tensor, Tensor]:
    """The linear layer from waves to all kept numbers: [H, M], [M]."""
    with torch.no_grad():
        c, _ = solved(features(layers, cases.x[0]), cases.core[0], cases.weight, ridge)
    return c[:-1], c[-1]


def _directions(cases: _Cases, layers: Layers, wave: Tensor) -> Tensor:
    """Right singular vectors of what the waves add to the kept numbers of the training cases: [M, min(H, M)]."""
    h = features(layers, cases.x[0])[:, :-1]
    weighted = (h - h.mean(0)) * cases.weight[:, None]
    triangle = torch.linalg.qr(weighted, mode="r")[1]
    right: Tensor = torch.linalg.svd(triangle @ wave, full_matrices=False)[2]
    return right.T


def _module(candidate: Candidate, cases: _Cases, ridge: float) -> DecoderModule:
    how = candidate.description
    count, data = how.positions, cases.data
    module = DecoderModule(how)
    module.fit_scales(data.low, data.high, data.field)
    module.get_buffer("offset").zero_()
    module.get_buffer("scale").fill_(1.0)
    wave, bias = _readout(cases, candidate.layers, ridge)
    wave, bias = wave[:, :count], bias[:count]
    basis = cases.tucker.first(count)
    with torch.no_grad():
        for layer, (weight, offset) in zip(module.waves, candidate.layers, strict=True):
            assert isinstance(layer, nn.Linear)
            layer.weight.copy_(weight)
            layer.bias.copy_(offset)
        right = wave.T
        if how.rank:
            right = _directions(cases, candidate.layers, wave)[:, : how.rank]
            kept = wave @ right
            assert isinstance(module.mix, nn.Linear)
            module.mix.weight.copy_(kept.T)
            mean = features(candidate.layers, cases.x[0])[:, :-1].mean(0)
            bias = bias + mean @ (wave - kept @ right.T)
        module.core.weight.copy_(right)
        module.core.bias.copy_(bias)
        for held, matrix in zip((module.time, module.row, module.column), basis.bases, strict=True):
            held.copy_(torch.from_numpy(matrix.T.copy()))
        place = basis.place.reshape(basis.shape).transpose().ravel()
        module.get_buffer("place").copy_(torch.from_numpy(place.copy()))
    module.eval()
    return module


def _numbers(how: Decoder) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in how.build().parameters())
