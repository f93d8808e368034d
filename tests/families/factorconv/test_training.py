"""Training: it learns, keeps the best weights, resumes bit for bit after any epoch, and says where it goes wrong."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.standing_waves import standing
from torch import Tensor, nn

from edgepde.errors import DataError, RunError, SettingError, TrainingError
from edgepde.factorconv import training
from edgepde.factorconv.description import Generator
from edgepde.factorconv.generator import GeneratorModule
from edgepde.factorconv.norms import cancellation, layers
from edgepde.factorconv.tasks import FieldTask
from edgepde.factorconv.training import Fit, Fitted, Task, fit, relative
from edgepde.factorconv.wave_settings import WaveSettings
from edgepde.train.run_folder import Run

CPU = torch.device("cpu")
DATA = standing(24)
PARTS = DATA.split(0, 4, 6)
HOW = Generator(
    parameters=2, times=8, rows=8, columns=8, hidden=(8,), coarse=(4, 4), channels=(6, 6), form="shared", norm="batch"
)


def start(how: Generator = HOW) -> GeneratorModule:
    module = how.seeded(0)
    assert isinstance(module, GeneratorModule)
    module.fit_scales(DATA.low, DATA.high, DATA.field)
    return module


def task() -> FieldTask:
    return FieldTask(PARTS[0], PARTS[1], CPU)


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: t.clone() for name, t in module.state_dict().items()}


@pytest.mark.parametrize("mean", [0.1, 300.0, -1e6])
@pytest.mark.parametrize("spread", [0.0, 1e-4])
def test_the_scale_of_a_field_far_from_0_is_that_of_its_changes(mean: float, spread: float) -> None:
    draw = np.random.default_rng(0).standard_normal(DATA.field.shape)
    field = (mean * (1.0 + spread * draw)).astype(np.float32)
    module = start()
    module.fit_scales(DATA.low, DATA.high, field)
    wanted = field.astype(np.float64).std() if spread else 1.0
    assert float(module.get_buffer("scale")) == pytest.approx(wanted, rel=1e-5)


def test_a_field_of_one_number_is_refused() -> None:
    flat = dataclasses.replace(DATA, field=np.full_like(DATA.field, 300.0))
    with pytest.raises(DataError, match="field: expected numbers that differ, got 300 everywhere"):
        WaveSettings(test=4, validation=6).split(flat, 0)


def test_it_learns_and_keeps_the_best_weights() -> None:
    module = start(dataclasses.replace(HOW, norm="none"))
    done = fit(module, task(), Fit(25, 4, 1e-2), None, "g", 0)
    assert done.losses[-1] < 0.7 * done.losses[0]
    assert done.best < 0.9 * done.errors[0]
    assert done.best == min(done.errors)
    assert done.epoch == done.errors.index(done.best) + 1
    assert task().error(module) == pytest.approx(done.best, rel=1e-6)
    assert not module.training
    assert len(done.losses) == 25


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    made = []
    for seed in (0, 0, 1):
        module = start()
        fit(module, task(), Fit(3, 4), None, "g", seed)
        made.append(weights(module))
    assert all(torch.equal(made[0][n], made[1][n]) for n in made[0])
    assert any(not torch.equal(made[0][n], made[2][n]) for n in made[0])


def test_terms_that_cancel_are_held_back() -> None:
    """Two terms of opposite sign whose sum is small; the loss itself has no slope."""
    how = dataclasses.replace(HOW, norm="none", rank=2)
    module = start(how)
    layer = layers(module)[0]
    with torch.no_grad():
        for name, factor in layer.factors.items():
            axis = {"read": 0, "filters": 0, "write": 1}[name]
            first = factor.select(axis, 0).clone() * 3.0
            factor.select(axis, 0).copy_(first)
            factor.select(axis, 1).copy_(-first if name == "write" else first * (1.0 + 1e-3))
    before = float(cancellation(layer).detach())
    falling = [1.0 / (n + 1) for n in range(30)]
    fit(module, Steered(falling), Fit(30, 4, 1e-2, decay=0.0), None, "g", 0)
    assert before > 100
    assert float(cancellation(layer).detach()) < 0.1 * before


class Stop(Exception):  # noqa: N818 - as a person does
    """Ctrl-C."""


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_an_interrupted_training_resumes_bit_for_bit(
    tmp_path: Path, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SECONDS_BETWEEN_SAVES", -1.0)
    whole = start()
    expected = fit(whole, task(), Fit(5, 4), None, "g", 7)
    mine = task()
    counted = {"epochs": 0}
    error = mine.error

    def stopping(module: nn.Module) -> float:
        if counted["epochs"] == epochs:
            raise Stop
        counted["epochs"] += 1
        return error(module)

    monkeypatch.setattr(mine, "error", stopping)
    with Run.start(tmp_path / "r", {"a": 1}) as run, pytest.raises(Stop):
        fit(start(), mine, Fit(5, 4), run, "g", 7)
    with Run.start(tmp_path / "r", {"a": 1}) as run:
        assert run.names() == ["g"]
        torch.manual_seed(99)
        module = start()
        done = fit(module, task(), Fit(5, 4), run, "g", 7)
    assert (done.errors, done.losses, done.best, done.epoch) == (
        expected.errors,
        expected.losses,
        expected.best,
        expected.epoch,
    )
    assert all(torch.equal(t, module.state_dict()[name]) for name, t in whole.state_dict().items())


def test_a_finished_training_is_read_back(tmp_path: Path) -> None:
    with Run.start(tmp_path / "r", {"a": 1}) as run:
        first = start()
        done = fit(first, task(), Fit(3, 4), run, "g", 0)
        again = start()
        mine = task()
        mine.error = lambda _: math.nan  # type: ignore[method-assign]
        kept = fit(again, mine, Fit(3, 4), run, "g", 0)
    assert kept == done
    assert all(torch.equal(t, again.state_dict()[name]) for name, t in first.state_dict().items())


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    with Run.start(tmp_path / "r", {"a": 1}) as run:
        fit(start(), task(), Fit(2, 4), run, "g", 0)
        path = tmp_path / "r" / "checkpoint" / "g.safetensors"
        data = bytearray(path.read_bytes())
        data[-5] ^= 1
        path.write_bytes(data)
        with pytest.raises(RunError, match=r"g\.safetensors: altered.*delete this file"):
            fit(start(), task(), Fit(2, 4), run, "g", 0)


class Steered(Task):
    """Losses and errors from lists."""

    size = 4

    def __init__(self, errors: list[float], loss: float = 1.0) -> None:
        self.errors, self.value = iter(errors), loss

    def loss(self, module: nn.Module, rows: Tensor, epoch: int) -> Tensor:  # noqa: ARG002
        return sum(p.sum() for p in module.parameters()) * 0.0 + self.value  # type: ignore[no-any-return]

    def error(self, module: nn.Module) -> float:  # noqa: ARG002
        return next(self.errors)


def test_a_validation_error_that_grows_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    done = fit(nn.Linear(1, 1), Steered([0.5, 0.3, 0.9, math.inf, 0.4]), Fit(5, 4), None, "grows", 0)
    assert (done.best, done.epoch, done.grown) == (0.3, 2, 3)
    assert "best 0.3000 in epoch 2" in capsys.readouterr().err
    assert "it grows" in training._said(Fitted(best=0.3, epoch=2, errors=(0.3, 0.7)))
    assert "it grows" not in training._said(Fitted(best=0.3, epoch=2, errors=(0.3, 0.5)))


def test_a_validation_error_that_is_nan_is_never_the_best() -> None:
    done = fit(nn.Linear(1, 1), Steered([0.5, math.nan, 0.4]), Fit(3, 4), None, "g", 0)
    assert (done.best, done.epoch, done.grown) == (0.4, 3, 2)


def test_a_loss_that_is_not_finite_stops_it() -> None:
    with pytest.raises(TrainingError, match=r"epoch 1: the loss is nan; a lower --set rate helps"):
        fit(nn.Linear(1, 1), Steered([0.5], math.nan), Fit(3, 4), None, "g", 0)


@given(share=st.floats(0, 1), rate=st.floats(1e-5, 1.0))
def test_the_rate_is_one_cycle(share: float, rate: float) -> None:
    how = Fit(rate=rate)
    assert 0 < how.rate_at(share) <= rate * (1 + 1e-12)
    assert how.rate_at(training.WARM) == pytest.approx(rate)
    assert how.rate_at(0.0) == pytest.approx(rate / 25)
    assert how.rate_at(1.0) == pytest.approx(rate / 1000)
    later = min(1.0, share + 0.05)
    change = how.rate_at(later) - how.rate_at(share)
    if later <= training.WARM:
        assert change >= -1e-12 * rate
    if share >= training.WARM:
        assert change <= 1e-12 * rate


@pytest.mark.parametrize(
    "changes", [{"epochs": 0}, {"batch": 0}, {"rate": 0.0}, {"rate": math.inf}, {"clip": -1.0}, {"decay": -1.0}]
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(changes))):
        Fit(**changes)


def test_relative_errors_are_per_case_and_quiet_cases_do_not_count_more() -> None:
    wanted = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]]])
    found = wanted + torch.tensor([[[0.0, 1.0]], [[0.3, 0.4]]])
    torch.testing.assert_close(relative(found, wanted, 1.0), torch.tensor([0.2, 0.5]))
    assert torch.isfinite(relative(found, wanted)).all()


def test_the_batch_may_be_larger_than_the_data() -> None:
    done = fit(start(), task(), Fit(2, 1000), None, "g", 0)
    assert len(done.errors) == 2
    assert np.isfinite(done.errors).all()
