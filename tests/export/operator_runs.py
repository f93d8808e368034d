"""A run of many operators made without training: linear parts by least squares, a branch of random centres."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from edgepde.modno import linear_part
from edgepde.modno.branches.gaussian import Gaussian
from edgepde.modno.cassette import Cassette
from edgepde.modno.encoding import Encoding, frame, rotate
from edgepde.modno.held_out import keep
from edgepde.modno.model import SharedModel
from edgepde.modno.spectral import Spectral
from edgepde.modno.store import Shared, save
from edgepde.problems import operators
from edgepde.problems.operator_data import OperatorData, generate
from edgepde.train.run_folder import Run

TERMS, MODES, RANK, CASES = 6, 6, 4, 40
OWN = "my-own"


@dataclass(frozen=True)
class Config:
    """What the run says it was made with."""

    tiny: bool = True


def write(folder: Path, names: tuple[str, ...]) -> Path:
    """The run of known operators, and of OWN, whose held-out cases are the first's: it is wrong about them."""
    data = {name: generate(name, CASES, 0) for name in names}
    torch.manual_seed(0)
    encoding = Encoding(data[names[0]].sensor_x, 2.0, 6)
    model = SharedModel(encoding, Gaussian(encoding.width, 5, 8), TERMS, MODES, RANK)
    cassettes = {name: _cassette(model, found) for name, found in data.items()}
    about = {name: {"statement": operators.operator(name).statement, "unit": "1"} for name in names}
    cassettes[OWN] = _bent(cassettes[names[0]])
    with Run.start(folder, {"seed": 0, "config": Config()}) as run:
        keep(run.path, replace(data[names[0]], name=OWN))
        save(run, Shared(model, cassettes, {**about, OWN: {"unit": "1"}}), {"name": "tiny"}, {})
    return folder


def _bent(like: Cassette) -> Cassette:
    """Nobody's operator, whose basis is not nothing, without a canonical frame."""
    rng = np.random.default_rng(0)
    mixing, basis = (rng.normal(size=a.shape).astype(np.float32) for a in (like.mixing, like.basis))
    return Cassette(OWN, False, like.multiplier, mixing, basis, 1.0, 2.0, like.low, like.high)


def _cassette(model: SharedModel, data: OperatorData) -> Cassette:
    horizon = operators.operator(data.name).horizon
    wanted = Spectral(2.0, MODES, horizon, TERMS - 1).coefficients(data.field, data.times, data.x)
    given = model.encoding.coefficients(data.sensors)
    turn = frame(given, MODES)
    given, wanted = rotate(given, turn), rotate(wanted, turn)
    factors = linear_part.multiplier(given, wanted)
    rest = (wanted - linear_part.apply(factors, given, wanted.shape[-1])).reshape(len(data), -1)
    with torch.no_grad():
        features = model.features(torch.from_numpy(given).float()).double().numpy()
    weights = np.linalg.solve(features.T @ features + 1e-3 * np.eye(features.shape[1]), features.T @ rest)
    left, sizes, right = np.linalg.svd(weights, full_matrices=False)
    box = 1.5 * np.abs(data.sensors).max(0)
    held = (factors, left[:, :RANK] * sizes[:RANK], right[:RANK].reshape(RANK, TERMS, -1))
    return Cassette(data.name, True, *(a.astype(np.float32) for a in held), 1.0, horizon, -box, box)
