"""How do the errors of a U-Net grow that is fed its own frames, with dense kernels and with factorised ones?

Description, data and training of the recipe factorconv_frames, smaller and with fewer passes: both nets from one
description, told apart by the form alone. Error of a frame: |u - FE| / |FE| over all test cases together.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch
from _harness import Row, say
from edgepde_runtime.rollout import error_growth
from safetensors.torch import load_file, save_file

from edgepde.factorconv.description import UNet
from edgepde.factorconv.tasks import FramesTask, Unrolled, rolled
from edgepde.factorconv.training import fit
from edgepde.factorconv.unet import UNetModule
from edgepde.problems.wave2d import generate
from edgepde.problems.zone import ZoneData, read
from edgepde.recipes.factorconv_frames import Config

from ._study import SEEDS, TEST_SEED

CASE, ERROR, FORMS = "rollout", "relative L2", ("dense", "shared")
FULL = Config(cases=80, validation=20, test=20, width=12, levels=2, epochs=8)
QUICK = replace(Config().quick(), cases=12, validation=4, test=4, width=4, epochs=1, windows=1)


def rows(quick: bool, runs: Path) -> list[Row]:
    """One seed: the error at steps 1, 2, 4, 8 .. and the last."""
    config = QUICK if quick else FULL
    train, held, _ = _simulated(runs, config, config.cases, SEEDS[0]).split(SEEDS[0], 1, config.validation)
    test = _simulated(runs, config, config.test, TEST_SEED)
    made: list[Row] = []
    for form in FORMS:
        made += list(_grown(runs, replace(config, form=form), train, held, test))
    return made


def steps(last: int) -> list[int]:
    """1, 2, 4, 8 .. and the last."""
    return [*(2**i for i in range(last.bit_length()) if 2**i < last), last]


def _grown(runs: Path, config: Config, train: ZoneData, held: ZoneData, test: ZoneData) -> Iterator[Row]:
    module, seconds = _trained(runs, config, config.unet(train), train, held)
    count = (test.grid[0] - config.past) // config.future
    with torch.no_grad():
        found = rolled(module, torch.from_numpy(test.field[:, : config.past].copy()), count).numpy()
    errors = error_growth(found, test.field[:, config.past : config.past + count * config.future])
    numbers = sum(p.numel() for p in module.parameters())
    told = f"{numbers} numbers, {len(train)} cases, {config.epochs} passes, {seconds:.0f} s of one core"
    say(f"  {config.form}: {told}")
    for step in steps(count):
        error = float(errors[step * config.future - 1])
        yield Row(f"{CASE}, step {step} of {count}", f"{config.form} U-Net", ERROR, error, note=told)


def _trained(runs: Path, config: Config, how: UNet, train: ZoneData, held: ZoneData) -> tuple[torch.nn.Module, float]:
    """The U-Net and its seconds of processor time, read where it was trained before."""
    stated = json.dumps([asdict(config), how.to_json(), len(train)], sort_keys=True)
    stem = f"unet-{how.form}-{hashlib.sha256(stated.encode()).hexdigest()[:10]}"
    figures, weights = runs / f"{stem}.json", runs / f"{stem}.safetensors"
    module = how.seeded(SEEDS[0])
    assert isinstance(module, UNetModule)
    if not figures.exists():
        began = time.process_time()
        module.fit_scales(train.low, train.high, train.field)
        ahead = Unrolled(config.epochs, config.unroll, config.noise, config.windows)
        task = FramesTask(train, held, how.past, how.future, ahead, SEEDS[0], torch.device("cpu"))
        fit(module, task, config.fit, None, "benchmark", SEEDS[0], label=f"{how.form} U-Net")
        save_file({k: t.contiguous() for k, t in module.state_dict().items()}, weights)
        figures.write_text(json.dumps({"seconds": time.process_time() - began}), encoding="utf-8")
    module.load_state_dict(load_file(weights))
    return module.eval(), float(json.loads(figures.read_text(encoding="utf-8"))["seconds"])


def _simulated(runs: Path, config: Config, cases: int, seed: int) -> ZoneData:
    path = runs / f"plate-{config.nx}-{cases}-seed{seed}.npz"
    if not path.exists():
        say(f"  simulating {cases} cases of the whole plate")
        generate(config.wave, cases, seed).write(path)
    return read(path)
