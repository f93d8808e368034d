"""The data of the study, and trainings that are kept: what was trained once in a folder is read from it afterwards."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _harness import say
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from edgepde.errors import DataError
from edgepde.factorconv.description import Description, from_json
from edgepde.factorconv.generator import GeneratorModule
from edgepde.factorconv.members import test_error
from edgepde.factorconv.modulated import ModulatedModule
from edgepde.factorconv.scaling import Scaled
from edgepde.factorconv.tasks import FieldTask
from edgepde.factorconv.training import Fit, fit
from edgepde.problems.wave2d import Wave2D, generate
from edgepde.problems.zone import ZoneData, read

VALIDATION, TEST = 100, 200
TRAINING, QUICK_TRAINING = 400, 40
SEEDS = (0, 1, 2)
TEST_SEED = 1000
"""Of the test cases. Others, of the training draw, were looked at while the nets were drawn up; they judge nothing."""


WAVE = Wave2D(
    low=(0.10, 0.40, 0.030, 2.4, 0.90, 0.55),
    high=(0.20, 0.60, 0.050, 3.2, 1.10, 0.75),
    zone_y=(0.25, 0.75),
    zone_t=(0.5, 1.3),
)
"""The study's waves: sources from 0.4 of the area of the default box, slower frequencies, a smaller zone."""


@dataclass(frozen=True)
class Data:
    """Training, validation and test cases; key: says which the first two are; test_key: which test cases."""

    key: str
    train: ZoneData
    validation: ZoneData
    test: ZoneData
    test_key: str = ""

    def first(self, cases: int) -> Data:
        """Only so many training cases."""
        return replace(self, key=f"{self.key}-{cases}", train=self.train.take(slice(0, cases)))

    def noisy(self, share: float) -> Data:
        """Training fields with white noise of a share of their root mean square; the others stay clean."""
        field = self.train.field
        noise = np.random.default_rng(7).standard_normal(field.shape, dtype=np.float32)
        made = field + share * float(np.sqrt(np.mean(np.square(field)))) * noise
        return replace(self, key=f"{self.key}-noise{share:g}", train=replace(self.train, field=made))


@dataclass(frozen=True)
class Trained:
    """A module and its figures: relative L2 errors in the mean over cases, seconds of processor time and by the clock.

    passes: over the training cases.
    """

    name: str
    module: nn.Module
    parameters: int
    passes: int
    seconds: float
    wall: float
    train: float
    validation: float
    test: float
    worst: float

    @property
    def words(self) -> str:
        """The figures beside the error."""
        return (
            f"{self.parameters} numbers, {self.passes} passes, {self.seconds:.0f} s of one core, "
            f"validation {self.validation:.4f}, worst case {self.worst:.3f}"
        )


def obtain_data(runs: Path, quick: bool) -> Data:
    """Simulated once, kept in runs; the same split for every seed; test cases of a draw of their own."""
    config = WAVE.quick() if quick else WAVE
    validation, seen = (12, 12) if quick else (VALIDATION, TEST)
    cases = (QUICK_TRAINING if quick else TRAINING) + validation + seen
    train, held, _ = simulated(runs, config, cases, 0).split(0, seen, validation)
    return Data(
        _path(runs, config, cases, 0).stem,
        train,
        held,
        simulated(runs, config, seen, TEST_SEED),
        _path(runs, config, seen, TEST_SEED).stem,
    )


def simulated(runs: Path, config: Wave2D, cases: int, seed: int) -> ZoneData:
    """Simulated once, kept in runs; raises DataError where the file there holds other waves."""
    path = _path(runs, config, cases, seed)
    if not path.exists():
        say(f"  simulating {cases} cases")
        generate(config, cases, seed).write(path)
    data = read(path)
    wanted = {"parameters": config.parameters(seed, 0, cases), **dict(zip("tyx", config.axes, strict=True))}
    for name, expected in wanted.items():
        if not np.array_equal(expected, getattr(data, name)):
            raise DataError(f"{path}: {name}: expected those of {config}, it holds others; remove it")
    return data


def _path(runs: Path, config: Wave2D, cases: int, seed: int) -> Path:
    return runs / (f"wave-{config.nx}-{cases}" + (f"-seed{seed}" if seed else "") + ".npz")


def obtain(
    runs: Path,
    data: Data,
    name: str,
    description: Description,
    how: Fit,
    seed: int,
    trainer: Callable[[Description, Data, Fit, int], nn.Module] | None = None,
) -> Trained:
    """A trained simulator, read where the same was trained before; errors of test cases it has not met are taken."""
    stated = json.dumps([data.key, description.to_json(), asdict(how), seed, trainer is None], sort_keys=True)
    stem = f"{name}-{seed}-{hashlib.sha256(stated.encode()).hexdigest()[:10]}"
    figures, weights = runs / f"{stem}.json", runs / f"{stem}.safetensors"
    if not figures.exists():
        made, found = _trained(data, name, description, how, seed, trainer or convolutional)
        save_file({k: t.contiguous() for k, t in made.state_dict().items()}, weights)
        figures.write_text(json.dumps(found, indent=1), encoding="utf-8")
    held = json.loads(figures.read_text(encoding="utf-8"))
    module = from_json(held["description"], str(figures)).build()
    module.load_state_dict(load_file(weights))
    module.eval()
    tests = held.setdefault("tests", {})
    if data.test_key not in tests:
        error = test_error(module, data.test)
        tests[data.test_key] = {"test": error.mean, "worst": error.worst}
        figures.write_text(json.dumps(held, indent=1), encoding="utf-8")
    held |= tests[data.test_key]
    kept = Trained(module=module, **{f.name: held[f.name] for f in fields(Trained) if f.name in held})
    say(f"  {kept.name}, seed {seed}: test {kept.test:.4f}; {kept.words}")
    return kept


def convolutional(description: Description, data: Data, how: Fit, seed: int) -> nn.Module:
    """Any simulator by AdamW on the relative error, the best weights on validation data kept."""
    module = description.seeded(seed)
    assert isinstance(module, Scaled)
    module.fit_scales(data.train.low, data.train.high, data.train.field)
    if isinstance(module, GeneratorModule | ModulatedModule) and module.description.modes:
        module.fit_basis(data.train.field)
    fit(module, FieldTask(data.train, data.validation, torch.device("cpu")), how, None, "benchmark", seed)
    return module


def _trained(
    data: Data,
    name: str,
    description: Description,
    how: Fit,
    seed: int,
    trainer: Callable[[Description, Data, Fit, int], nn.Module],
) -> tuple[nn.Module, dict[str, Any]]:
    """A module trained now, and its figures as they are kept."""
    began, clock = time.process_time(), time.monotonic()
    module = trainer(description, data, how, seed)
    seconds, wall = time.process_time() - began, time.monotonic() - clock
    errors = [test_error(module, part) for part in (data.train, data.validation)]
    return module, {
        "name": name,
        "parameters": sum(p.numel() for p in module.parameters()),
        "passes": how.epochs,
        "seconds": seconds,
        "wall": wall,
        "train": errors[0].mean,
        "validation": errors[1].mean,
        "description": getattr(module, "description", description).to_json(),
    }


def held(module: nn.Module, x: Tensor) -> int:
    """Bytes one AdamW step holds: what backward keeps of a batch, the output, the numbers four times over.

    Numbers, gradients and two moments. Memory shared by several kept tensors counts once.
    """
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        y = module(x)
        loss = y.square().sum()
    kept[y.untyped_storage().data_ptr()] = y.untyped_storage().nbytes()
    del loss
    return sum(kept.values()) + 4 * sum(p.numel() * p.element_size() for p in module.parameters())
