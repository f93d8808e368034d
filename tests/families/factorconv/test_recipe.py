"""The recipes on waves: from data to a run, by every method; resumed, refused, and on the command line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.standing_waves import standing
from typer.testing import CliRunner

from edgepde.errors import DataError, SettingError
from edgepde.factorconv import decoding, members, store
from edgepde.factorconv.coefficients import Regression
from edgepde.factorconv.decoder import Decoder
from edgepde.factorconv.description import Generator, UNet
from edgepde.factorconv.members import Member, choose, time_modes
from edgepde.factorconv.modulated import Modulated
from edgepde.factorconv.wave_settings import WaveSettings, read_data
from edgepde.problems import wave_data, zone_plot
from edgepde.problems.zone import ZoneData
from edgepde.recipes import factorconv_frames, factorconv_wave
from edgepde.train.run_folder import Run, open_run

CPU = torch.device("cpu")
DATA = standing(20)
TINY = factorconv_wave.Config(validation=4, test=4, width=4, kernel=3, epochs=2, batch=6)
FRAMES = factorconv_frames.Config(
    past=2, future=1, unroll=2, width=4, levels=2, windows=1, validation=4, test=4, epochs=2, batch=6
)


FEW = decoding.Search(hidden=((4, 4),), regression=Regression(iterations=20))


@pytest.fixture(autouse=True)
def in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures, decoders of one width."""
    monkeypatch.setattr(zone_plot, "write_picture", lambda *_: None)
    monkeypatch.setattr(decoding, "Search", lambda: FEW)


def trained(path: Path, config: Any, data: Any = DATA, seed: int = 0) -> Path:
    recipe = factorconv_frames if isinstance(config, factorconv_frames.Config) else factorconv_wave
    with Run.start(path, {"config": config, "seed": seed}, data=data) as run:
        recipe.train(config, run, CPU)
    return path


def test_auto_trains_all_and_says_why_one_was_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = store.load(trained(tmp_path / "r", TINY))
    history = loaded.run.spec["history"]
    assert f"kept: {history['chosen']['name']}, " in capsys.readouterr().err
    assert [m["name"] for m in history["members"]] == [
        "dense_generator",
        "shared_generator",
        "shared_modulated",
        "decoder",
    ]
    chosen = next(m for m in history["members"] if m["name"] == history["chosen"]["name"])
    assert chosen["parameters"] == loaded.simulator.parameters
    assert "dense_generator (validation error" in history["chosen"]["why"]
    assert history["data"] == {"source": "zone data", "training": 12, "validation": 4, "test": 4}
    against = history["against_exact"]
    assert (against["compared"], against["worst"]) == (4, chosen["test"]["sup"])
    assert against["relative_mean"] <= against["relative_worst"]
    assert loaded.simulator.box == DATA.box
    assert (loaded.simulator.output, loaded.simulator.unit, loaded.simulator.axis_units) == ("u", "mm", ("s", "m", "m"))


def test_the_error_is_that_of_the_shipped_weights_on_cases_no_training_saw(tmp_path: Path) -> None:
    loaded = store.load(trained(tmp_path / "r", dataclasses.replace(TINY, method="generator")))
    test = DATA.split(0, 4, 4)[2]
    with torch.no_grad():
        found = loaded.simulator.module(torch.from_numpy(test.parameters).float()).numpy()
    worst = float(np.abs(found - test.field).max())
    against = loaded.run.spec["history"]["against_exact"]
    assert against["worst"] == pytest.approx(worst, rel=1e-5)
    wrong, size = (np.sqrt(np.square(a, dtype=np.float64).sum((1, 2, 3))) for a in (found - test.field, test.field))
    assert against["relative_mean"] == pytest.approx(float((wrong / size).mean()), rel=1e-4)


def test_a_summary_and_a_picture_come_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr(zone_plot, "write_picture", lambda _, path: drawn.append(path))
    monkeypatch.setattr(factorconv_wave, "trained", lambda *_: pytest.fail("trained" if not drawn else "after"))
    with pytest.raises(pytest.fail.Exception, match="after"):
        trained(tmp_path / "r", TINY)
    assert drawn == [tmp_path / "r" / "checkpoint" / "data.png"]
    assert f"picture: {drawn[0]}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "kind", "form"),
    [
        ("dense", Generator, "dense"),
        ("generator", Generator, "tt"),
        ("modulated", Modulated, "tt"),
        ("decoder", Decoder, ""),
    ],
)
def test_one_method_alone(tmp_path: Path, method: Any, kind: type, form: str) -> None:
    config = dataclasses.replace(TINY, method=method, form="tt", dimension=3)
    loaded = store.load(trained(tmp_path / "r", config))
    assert isinstance(loaded.simulator.description, kind)
    assert getattr(loaded.simulator.description, "form", "") == form
    assert len(loaded.run.spec["history"]["members"]) == 1


def test_a_resumed_run_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = open_run(trained(tmp_path / "whole", TINY))

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(factorconv_wave, "train_decoder", stopped)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "part", TINY)
    with Run.start(tmp_path / "part", {"config": TINY, "seed": 0}, data=DATA) as run:
        assert run.resumed
        assert run.names() == ["dense_generator", "shared_generator", "shared_modulated"]
        factorconv_wave.train(TINY, run, CPU)
    again = open_run(tmp_path / "part")
    assert whole.weights.keys() == again.weights.keys()
    assert all(torch.equal(t, again.weights[name]) for name, t in whole.weights.items())


def test_a_decoder_that_was_kept_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = DATA.split(0, 4, 4)
    with Run.start(tmp_path / "r", {"seed": 0}) as run:
        first = members.train_decoder(parts[0], parts[1], run, None, 0)
        monkeypatch.delattr("edgepde.factorconv.decoding.fit_decoders")
        again = members.train_decoder(parts[0], parts[1], run, None, 0)
    assert (again.description, again.validation, again.about) == (first.description, first.validation, first.about)
    x = torch.from_numpy(parts[2].parameters).float()
    assert torch.equal(again.module(x), first.module(x))


def member(name: str, numbers: int, validation: float, form: str = "shared") -> Member:
    how = Generator(parameters=2, times=8, rows=8, columns=8, coarse=(4, 4), channels=(2, 2), form=form)
    return Member(name, how, torch.nn.Linear(numbers, 1, bias=False), validation, 1.0, {})


def test_the_fewest_numbers_near_the_best_dense_one_are_taken() -> None:
    dense, thin = member("dense", 90, 0.10, "dense"), member("thin", 20, 0.13, "dense")
    near, far, best = member("near", 30, 0.1049), member("far", 10, 0.1051), member("best", 80, 0.05)
    chosen, why = choose([thin, dense, near, far, best])
    assert chosen is near
    assert "3 within 5 % of dense" in why
    assert choose([dense, far])[0] is dense
    assert choose([far, best])[0] is best
    assert choose([dense, near, far, best], 40)[0] is near
    assert choose([dense, near, far, best], 29)[0] is far
    with pytest.raises(SettingError, match=r"max_parameters: expected at least 10 \(far has as many\), got 9"):
        choose([dense, far], 9)


def test_time_modes_leave_what_they_should() -> None:
    field = standing(40, (12, 6, 6)).field
    flat = np.moveaxis(field, 1, 0).reshape(12, -1).astype(np.float64)
    energy = np.linalg.svd(flat, compute_uv=False) ** 2
    for left in (0.5, 0.1, 0.01):
        count = time_modes(field, left)
        remaining = [np.sqrt(energy[k:].sum() / energy.sum()) for k in (count - 1, count)]
        assert remaining[0] > left >= remaining[1] - 1e-6


def test_the_simulated_data_is_kept_and_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = dataclasses.replace(TINY, cases=10, nx=4, ny=4, nt=4, gap=0.06, workers=1, stages=1, method="dense")
    trained(tmp_path / "a", config, None)
    kept = list((tmp_path / "a" / "checkpoint").glob("wave-*.npz"))
    assert len(kept) == 1
    (tmp_path / "b" / "checkpoint").mkdir(parents=True)
    (tmp_path / "b" / "checkpoint" / kept[0].name).write_bytes(kept[0].read_bytes())
    monkeypatch.delattr(wave_data, "make")
    runs = [open_run(path) for path in (tmp_path / "a", trained(tmp_path / "b", config, None))]
    assert all(torch.equal(t, runs[1].weights[name]) for name, t in runs[0].weights.items())


def test_frames_are_trained_with_their_rollouts_measured(tmp_path: Path) -> None:
    loaded = store.load(trained(tmp_path / "r", FRAMES))
    how = loaded.simulator.description
    assert isinstance(how, UNet)
    assert (how.past, how.future, how.form) == (2, 1, "shared")
    most = 1.25 * float(np.abs(DATA.field).max())
    assert loaded.simulator.box.dimension == 2 * 64
    assert (loaded.simulator.box.low[0], loaded.simulator.box.high[-1]) == (-most, most)
    assert set(loaded.simulator.box.units) == {"mm"}
    history = loaded.run.spec["history"]
    assert len(history["frame_errors"]) == 8 - 2
    assert history["against_exact"]["relative_mean"] > 0
    assert history["against_exact"]["rollout_mean"] <= history["against_exact"]["rollout_worst"]
    np.testing.assert_allclose(loaded.simulator.axes["t"], [DATA.t[1] - DATA.t[0]])


def test_data_on_the_command_line(tmp_path: Path) -> None:
    from edgepde_export.cli.main import app

    DATA.write(tmp_path / "d.npz")
    arguments = ["train", "factorconv_wave", "--out", str(tmp_path / "r"), "--data", str(tmp_path / "d.npz")]
    settings = {"validation": 4, "test": 4, "epochs": 1, "width": 4, "method": "generator"}
    arguments += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "factorconv of d," in done.output
    data, digest = read_data(tmp_path / "d.npz")
    assert open_run(tmp_path / "r").spec["identity"]["data_sha256"] == digest
    assert np.array_equal(data.field, DATA.field)


def test_a_run_that_was_begun_on_other_data_is_refused(tmp_path: Path) -> None:
    from edgepde_export.cli.main import app

    for name, cases in (("a.npz", DATA), ("b.npz", standing(20, seed=1))):
        cases.write(tmp_path / name)

    def command(name: str) -> Any:
        words = ["--data", str(tmp_path / name), "--set", "epochs=1", "--set", "validation=4", "--set", "test=4"]
        return CliRunner().invoke(app, ["train", "factorconv_wave", "--out", str(tmp_path / "q"), *words])

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factorconv_wave, "train_decoder", stopped)
        patch.setattr(factorconv_wave, "METHODS", {"auto": ("generator", "decoder")})
        assert command("a.npz").exit_code == 130
    other = command("b.npz")
    assert other.exit_code != 0
    assert "data_sha256" in str(other.output) + str(other.exception)


def broken(path: Path, **changes: Any) -> Path:
    DATA.write(path / "whole.npz")
    with np.load(path / "whole.npz") as held:
        arrays = {**held, **changes}
    np.savez(path / "d.npz", **{k: v for k, v in arrays.items() if v is not None})
    return path / "d.npz"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"field": np.where(np.arange(8) == 3, np.nan, DATA.field)}, "field: .*finite"),
        ({"field": DATA.field[:, :, :7]}, "field: expected"),
        ({"parameters": DATA.parameters + 9.0}, "parameters: case 0: x0 expected in"),
        ({"t": None}, "t"),
    ],
)
def test_bad_data_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_data(broken(tmp_path, **changes))


def test_data_that_is_none_or_too_little_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected an npz file or a folder, there is none"):
        read_data(tmp_path / "nowhere.npz")
    with pytest.raises(DataError, match="--data: expected zone data, got str"):
        trained(tmp_path / "a", TINY, "a text")
    with pytest.raises(DataError, match="20 cases: expected at least 1"):
        trained(tmp_path / "b", dataclasses.replace(TINY, test=18))
    with pytest.raises(SettingError, match="t: expected at least 10 frames"):
        trained(tmp_path / "c", dataclasses.replace(FRAMES, past=4, future=2, unroll=3))
    with pytest.raises(SettingError, match=r"stages: 5 need a zone divisible by 32, got \(8, 8\)"):
        trained(tmp_path / "d", dataclasses.replace(TINY, stages=5))
    with pytest.raises(DataError, match=r"field: expected its largest value between 1e-12 and 1e\+12 mm.* got 0;"):
        trained(tmp_path / "e", TINY, dataclasses.replace(DATA, field=np.zeros_like(DATA.field)))
    with pytest.raises(DataError, match=r"field: expected its largest value .* got \d"):
        trained(tmp_path / "f", TINY, dataclasses.replace(DATA, field=DATA.field * np.float32(1e30)))
    assert not any((tmp_path / name / "spec.json").exists() for name in "abcdef")


@pytest.mark.parametrize(
    ("config", "changes", "told"),
    [
        (TINY, {"cases": 8}, "cases: expected more than are held out, got 8: test=4 and validation=4"),
        (TINY, {"nx": 10}, r"stages: 2 need a zone divisible by 4, got \(32, 10\)"),
        (FRAMES, {"past": 40}, "t: expected at least 42 frames"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_is_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: WaveSettings, changes: dict[str, Any], told: str
) -> None:
    monkeypatch.setattr(wave_data, "cached", lambda *_: pytest.fail("simulated"))
    with pytest.raises(SettingError, match=told):
        trained(tmp_path / "r", dataclasses.replace(config, **changes), None)


def test_data_of_ones_own_is_not_called_the_plate(tmp_path: Path) -> None:
    data = dataclasses.replace(DATA, source=str(tmp_path / "7 my waves.npz"))
    spec = open_run(trained(tmp_path / "r", dataclasses.replace(TINY, method="generator"), data)).spec
    assert spec["problem"]["name"] == "zone_7_my_waves"
    assert "u_tt" not in spec["problem"]["about"]
    assert "finite elements" not in spec["history"]["against_exact"]["solution"]


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        (TINY, {"cases": 0}),
        (TINY, {"width": 0}),
        (TINY, {"max_parameters": -1}),
        (TINY, {"modes": -2}),
        (TINY, {"form": "dense"}),
        (TINY, {"form": "tuker"}),
        (TINY, {"rank": 0}),
        (TINY, {"rank": 1.5}),
        (TINY, {"nx": 1}),
        (TINY, {"epochs": 0}),
        (TINY, {"threads": 0}),
        (FRAMES, {"unroll": 0}),
        (FRAMES, {"noise": 1.0}),
        (FRAMES, {"rate": -1.0}),
    ],
)
def test_settings_that_make_no_sense_are_refused(config: WaveSettings, changes: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=next(iter(changes))):
        dataclasses.replace(config, **changes)


def test_quick_settings_are_smaller() -> None:
    for config in (factorconv_wave.Config(), factorconv_frames.Config()):
        quick = config.quick()
        assert isinstance(quick, type(config))
        assert (quick.cases, quick.epochs) < (config.cases, config.epochs)
        assert quick.wave.nx < config.wave.nx
    assert isinstance(DATA, ZoneData)
