"""What every part is about: operators, their data by seed, sizes of nets; data and nets are kept in a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _harness import say
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from edgepde.errors import DataError
from edgepde.problems import operator_data, operators
from edgepde.problems.operator_data import OperatorData

from . import _deeponets, _grid
from ._deeponets import Cases, Falling, How, Net, Shape

Floats = NDArray[np.floating]
SEEDS = (0, 1, 2)
SENSORS, WAVES, TERMS = 32, 8, 100
TOGETHER = 4
"""Nets trained side by side; what was finished is kept, so a study that was stopped goes on with the next ones."""
JOINED = Falling(cases=200, rate=3e-3, check=300, longest=300)
"""Of one net for all operators: about as many steps as a separate net takes."""


@dataclass(frozen=True)
class Plan:
    """How much is asked. numbers: of a separate net; joined: of one for all; steps, width: of POD with an MLP."""

    names: tuple[str, ...]
    seeds: tuple[int, ...]
    training: int
    validation: int
    test: int
    points: int
    times: int
    numbers: int
    how: How
    joined: int
    joined_how: How
    steps: int
    width: int

    @property
    def shape(self) -> Shape:
        """Of a separate net."""
        return Shape.of(self.numbers, SENSORS, TERMS, WAVES)


def plan(quick: bool, names: Sequence[str] | None = None) -> Plan:
    """The whole study, or a small one of three operators."""
    if quick:
        few = tuple(names or ("advection", "viscous_burgers", "mix_klein_gordon"))
        how = How(longest=40, check=20, patience=2, cuts=1)
        return Plan(few, SEEDS[:1], 60, 20, 20, 64, 12, 4000, how, 8000, how, 200, 32)
    return Plan(
        tuple(names or operators.names()), SEEDS, 300, 100, 200, 256, 24, 180_000, How(), 400_000, JOINED, 3000, 100
    )


@dataclass(frozen=True, eq=False)
class Study:
    """One operator's data of one seed; errors are of test cases, on points and at times that training never saw."""

    name: str
    seed: int
    horizon: float
    train: OperatorData
    held: OperatorData
    test: OperatorData

    @property
    def pair(self) -> tuple[Cases, Cases]:
        """Training and validation cases of a rival."""
        return self.cases(self.train), self.cases(self.held)

    def cases(self, data: OperatorData) -> Cases:
        """As nets take them."""
        return Cases(data.sensors, data.field, data.times / self.horizon, data.x)

    @property
    def digest(self) -> str:
        """Of the cases that are trained on and chosen by."""
        return digest(self.train, self.held)

    @property
    def reach(self) -> float:
        """How far tests go, in horizons."""
        return max(1.0, float(self.test.times[-1]) / self.horizon)

    def on_grid(self, fields: Floats, data: OperatorData | None = None) -> NDArray[np.float64]:
        """Fields [N, T n] of the training grid at the points and times of other data, the test's unless told."""
        wanted = data or self.test
        shaped = np.asarray(fields, np.float64).reshape(-1, len(self.train.times), len(self.train.x))
        degree = _grid.continuation(self.train.field, self.train.times, self.horizon)
        time = _grid.time_matrix(self.train.times, wanted.times, self.horizon, degree)
        return np.asarray(time @ shaped @ _grid.space_matrix(self.train.x, wanted.x, self.train.period))


def digest(first: OperatorData, *others: OperatorData) -> str:
    """Of cases of one operator: its name, the inputs, where and when fields are read."""
    made = hashlib.sha256(first.name.encode())
    for data in (first, *others):
        for values in (data.sensors, data.times, data.x):
            made.update(np.ascontiguousarray(values, np.float32).tobytes())
    return made.hexdigest()


@cache
def study(runs: Path, made: Plan, name: str, seed: int) -> Study:
    """An operator's data, solved once and kept in runs."""
    parts = {
        split: obtained(runs, made, name, seed, split, count)
        for split, count in (("train", made.training), ("validation", made.validation), ("test", made.test))
    }
    horizon = operators.operator(name).horizon
    return Study(name, seed, horizon, parts["train"], parts["validation"], parts["test"])


def obtained(runs: Path, made: Plan, name: str, seed: int, split: str, count: int) -> OperatorData:
    """One set of cases, solved once and kept in runs."""
    path = runs / f"{name}-{split}-{made.points}x{made.times}-{count}-seed{seed}.npz"
    if not path.exists():
        grid = {"points": made.points, "times": made.times} if split == "train" else {}
        found = operator_data.generate(name, count, seed, split=split, **grid)
        found.save(path)
    return replace(operator_data.load(path), name=name)


def separate(runs: Path, made: Plan, seed: int, how: How | None = None) -> dict[str, Net]:
    """One DeepONet per operator, read where it was trained before."""
    how = how or made.how
    found: dict[str, Net] = {}
    for k in range(0, len(made.names), TOGETHER):
        names = made.names[k : k + TOGETHER]
        left = [n for n in names if not _paths(runs, made, n, seed, how)[0].exists()]
        if left:
            studies = [study(runs, made, n, seed) for n in left]
            say(f"  DeepONets of {made.shape.numbers} numbers, seed {seed}: {', '.join(left)}")
            nets = _deeponets.train(made.shape, [s.pair for s in studies], how, seed)
            for name, net in zip(left, nets, strict=True):
                write(net, *_paths(runs, made, name, seed, how))
        found |= {n: read(*_paths(runs, made, n, seed, how)) for n in names}
    return found


@dataclass(frozen=True, eq=False)
class Joined:
    """One net for all operators: sensors and which operator it is go into the branch, every field has a scale."""

    net: Net
    names: tuple[str, ...]
    scales: Mapping[str, tuple[float, float]]

    @property
    def numbers(self) -> int:
        """Those of the net and two per operator."""
        return self.net.shape.numbers + 2 * len(self.names)

    def __call__(self, name: str, inputs: Floats, times: Floats, x: Floats) -> NDArray[np.float64]:
        """u [N, T, n]; times in units of the horizon."""
        shift, scale = self.scales[name]
        return self.net(_named(inputs, self.names.index(name), len(self.names)), times, x) * scale + shift


def joined(runs: Path, made: Plan, seed: int) -> Joined:
    """The concatenated DeepONet, read where it was trained before."""
    studies = [study(runs, made, n, seed) for n in made.names]
    scales = {s.name: (float(s.train.field.mean()), float(s.train.field.std()) or 1.0) for s in studies}
    shape = Shape.of(made.joined, SENSORS, terms=128, waves=WAVES, extra=len(studies))
    paths = kept(runs, f"joined-{seed}", [[s.digest for s in studies], asdict(shape), asdict(made.joined_how)])
    if not paths[0].exists():
        say(f"  one DeepONet of {shape.numbers} numbers for all, seed {seed}")
        pair = [_together([getattr(s, part) for s in studies], studies, scales) for part in ("train", "held")]
        (net,) = _deeponets.train(shape, [(pair[0], pair[1])], made.joined_how, seed)
        write(net, *paths)
    return Joined(read(*paths), made.names, scales)


def _together(
    parts: Sequence[OperatorData], studies: Sequence[Study], scales: Mapping[str, tuple[float, float]]
) -> Cases:
    """Cases of all operators; their times agree in units of the horizon."""
    inputs = [_named(p.sensors, k, len(parts)) for k, p in enumerate(parts)]
    fields = [((p.field - scales[p.name][0]) / scales[p.name][1]).astype(np.float32) for p in parts]
    sizes = [np.sqrt(np.square(p.field).mean((1, 2))) / scales[p.name][1] for p in parts]
    first = studies[0].cases(parts[0])
    for own, data in zip(studies, parts, strict=True):
        if not np.allclose(own.cases(data).times, first.times, rtol=0.0, atol=1e-9):
            raise DataError(f"{own.name}: times: expected those of {studies[0].name} in units of the horizon")
    return Cases(np.concatenate(inputs), np.concatenate(fields), first.times, first.x, np.concatenate(sizes))


def _named(inputs: Floats, which: int, count: int) -> NDArray[np.float64]:
    """Sensors [N, S] and a one at the operator's place."""
    return np.hstack([inputs, np.tile(np.eye(count)[which], (len(inputs), 1))])


def _paths(runs: Path, made: Plan, name: str, seed: int, how: How) -> tuple[Path, Path]:
    stated = [study(runs, made, name, seed).digest, asdict(made.shape), asdict(how)]
    return kept(runs, f"deeponet-{name}-{seed}", stated)


def kept(runs: Path, name: str, stated: Any) -> tuple[Path, Path]:
    """Figures and weights of what was trained, by all that it depends on."""
    text = json.dumps(stated, sort_keys=True, default=asdict)
    stem = runs / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    return stem.with_suffix(".json"), stem.with_suffix(".safetensors")


def write(net: Net, figures: Path, weights: Path) -> None:
    """Weights first, figures last."""
    save_file({str(k): leaf.detach().contiguous() for k, leaf in enumerate(net.leaves)}, weights)
    scales = {name: getattr(net, name) for name in ("shift", "scale", "center", "spread")}
    stated = {"shape": asdict(net.shape), "passes": net.passes, "history": net.history, **scales}
    figures.write_text(json.dumps(stated, indent=1), encoding="utf-8")


def read(figures: Path, weights: Path) -> Net:
    """A net as it was kept."""
    stated: Mapping[str, Any] = json.loads(figures.read_text(encoding="utf-8"))
    tensors = load_file(weights)
    shape = Shape(**{k: tuple(v) if isinstance(v, list) else v for k, v in stated["shape"].items()})
    scales = {name: stated[name] for name in ("shift", "scale", "center", "spread")}
    history = [(float(a), float(b)) for a, b in stated["history"]]
    leaves: list[torch.Tensor] = [tensors[str(k)] for k in range(len(tensors))]
    return Net(shape, leaves, **scales, history=history, passes=stated["passes"])
