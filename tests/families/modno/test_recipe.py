"""The recipes: every scheme ends in a run that is read, sizes are compared, an interruption loses nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from edgepde_export.cli.main import app
from typer.testing import CliRunner, Result

from edgepde.errors import ProblemError, SettingError
from edgepde.modno import figures, store
from edgepde.modno.closed_form import Closed
from edgepde.modno.settings import Settings
from edgepde.modno.sharing import DEPTHS
from edgepde.modno.training.trainer import Trainer
from edgepde.problems import operators
from edgepde.problems.operator_data import generate
from edgepde.recipes.modno_16 import Config as Sixteen
from edgepde.recipes.modno_pilot import Config as Pilot
from edgepde.train.run_folder import open_run

SCHEMES = ("auto", "learned", "linear", "varpro")
TWO = "operators=viscous_burgers,cahn_hilliard"


def invoke(out: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["train", "modno_pilot", "--out", str(out), "--quick", *words])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_ends_in_a_run_whose_figures_are_true(tmp_path: Path, scheme: str) -> None:
    few = ("--set", "steps=4") * (scheme in ("learned", "varpro"))
    result = invoke(tmp_path / "run", "--set", f"scheme={scheme}", *few, "--set", "test=5", "--seed", "3")
    assert result.exit_code == 0, result.output
    made = store.load(tmp_path / "run")
    assert list(made.shared.cassettes) == ["advection", "viscous_burgers"]
    history = made.run.spec["history"]
    for name, cassette in made.shared.cassettes.items():
        test = generate(name, 5, 3, split="test", sensors=12)
        measured = figures.errors(made.shared.model, cassette, test)
        said = history["operators"][name]
        np.testing.assert_allclose(said["relative"], measured.relative, rtol=1e-6)
        assert said["numbers"] == cassette.numbers
        assert f"{100 * said['test']:.3g}" in result.stderr
        assert made.shared.about[name]["statement"] == operators.operator(name).statement
    assert history["against_exact"]["compared"] == 10
    assert history["operators"]["advection"]["test"] < 1e-3, "a linear operator is exact"
    assert (history["passes"].get("branch_backward", 0) > 0) == (scheme not in ("auto", "linear"))


def test_what_reads_the_branch_is_what_changes_without_it(tmp_path: Path) -> None:
    assert invoke(tmp_path / "run", "--set", "scheme=joint", "--set", "steps=4").exit_code == 0
    shared = store.load(tmp_path / "run").shared
    data = generate("viscous_burgers", 4, 0, split="test", sensors=12)
    cassette = shared.cassettes["viscous_burgers"]
    unread = figures.without_branch(shared.model, cassette)
    assert figures.features_read(shared.model, cassette) == 8
    assert figures.features_read(shared.model, unread) == 0
    changed = figures.predicted(shared.model, cassette, data) - figures.predicted(shared.model, unread, data)
    assert np.abs(changed).max() > 1e-4
    alone = figures.predicted(shared.model, replace(unread, mixing=0.0 * unread.mixing), data)
    assert np.isfinite(alone).all()


def test_sizes_are_compared_and_what_was_compared_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--sweep", "share,basis", "--set", TWO, "--set", "bases=2,4", "--set", "scheme=joint", "--set", "steps=2")
    result = invoke(tmp_path / "run", *words)
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "run/sweep.json").read_text())
    found = {(p["share"], p["basis"]): p for p in document["points"]}
    assert set(found) == {(s, b) for s in DEPTHS for b in (2, 4)}
    for share in DEPTHS:
        assert found[share, 2]["numbers"] < found[share, 4]["numbers"]
        assert set(found[share, 2]["errors"]) == {"viscous_burgers", "cahn_hilliard"}
    assert len({(p["forward"], p["backward"]) for p in document["points"]}) == 1, "sharing changes no passes"
    for basis in (2, 4):  # hidden layer of 16: its numbers and one scale per input; then the output layer
        nothing, first, everything = (found[share, basis]["numbers"] for share in DEPTHS)
        assert first - everything == 16 * basis + basis
        assert nothing - first > 16
        assert (nothing - first - 16) % 17 == 0
    assert (tmp_path / "run/sweep.png").stat().st_size > 1000
    for text in ("mean error %", "numbers", "forward", "backward", "first layer"):
        assert text in result.stdout
    monkeypatch.setattr("edgepde.modno.sweeping.shared", None)
    again = invoke(tmp_path / "run", *words)
    assert again.exit_code == 0, again.output
    assert again.stdout == result.stdout


def test_depths_in_closed_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgepde.modno.making.Closed", partial(Closed, more=0))
    result = invoke(tmp_path / "run", "--sweep", "share", "--set", TWO, "--set", "bases=2")
    assert result.exit_code == 0, result.output
    points = json.loads((tmp_path / "run/sweep.json").read_text())["points"]
    assert [p["share"] for p in points] == list(DEPTHS)
    assert [p["basis"] for p in points] == [2, 2, 2]
    for point in points:
        assert set(point["errors"]) == {"viscous_burgers", "cahn_hilliard"}
        assert 0 < point["errors"]["cahn_hilliard"] < 0.3
        assert point["forward"] > 0


def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--set", "scheme=joint", "--set", "steps=8")
    assert invoke(tmp_path / "whole", *words).exit_code == 0
    apply = Trainer.apply

    def interrupted(trainer: Trainer, slope: object) -> None:
        if trainer.course.step == 5:
            raise KeyboardInterrupt
        apply(trainer, slope)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "apply", interrupted)
        stopped = invoke(tmp_path / "run", *words)
    assert stopped.exit_code == 130
    assert "resume with: edgepde train modno_pilot" in stopped.stderr
    assert invoke(tmp_path / "run", *words).exit_code == 0
    for name in ("advection", "viscous_burgers"):
        file = f"cassettes/{name}.npz"
        assert (tmp_path / "run" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    one, other = (open_run(tmp_path / name).weights for name in ("run", "whole"))
    assert all(torch.equal(one[name], other[name]) for name in one | other)


def test_interference_control_is_told(tmp_path: Path) -> None:
    three = "operators=viscous_burgers,cahn_hilliard,kdv"
    words = ("--set", three, "--set", "scheme=joint", "--set", "steps=4", "--set", "delta=1", "--set", "groups=2")
    result = invoke(tmp_path / "run", *words)
    assert result.exit_code == 0, result.output
    assert "group 0: viscous_burgers" in result.stderr
    for name in ("viscous_burgers", "cahn_hilliard", "kdv"):
        assert f"{name}: " in result.stderr
    assert store.load(tmp_path / "run").run.spec["history"]["training"]["interference"]


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ({"operators": ("advektion",)}, ProblemError, "did you mean advection"),
        ({"operators": ("kdv", "kdv")}, SettingError, "operators: expected names that differ"),
        ({"samples": 1}, SettingError, "samples: expected at least 2, got 1"),
        ({"rank": 0}, SettingError, "rank: expected at least 1, got 0"),
        ({"delta": -1}, SettingError, "delta: expected at least 0, got -1"),
        ({"bases": ()}, SettingError, "bases: expected"),
        ({"bases": (4, 0)}, SettingError, "bases: expected"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, object], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        Settings(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--set", "operators=heat"], "operator 'heat': not found"),
        (["--sweep", "depth"], "--sweep depth: expected share, basis, got depth"),
        (["--sweep", ","], "expected share, basis, got no name"),
        (["--set", "scheme=newton"], "scheme"),
    ],
)
def test_orders_that_cannot_be(tmp_path: Path, words: list[str], told: str) -> None:
    result = invoke(tmp_path / "run", *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (tmp_path / "run").exists()


def test_what_the_recipes_learn() -> None:
    assert Sixteen().named() == operators.names()
    assert len(operators.names()) == 16
    assert Pilot().named() == ("advection", "viscous_burgers")
    assert Sixteen().samples == 300


def test_a_recipe_without_sweeps_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", "s2gpt_burgers", "--out", str(tmp_path / "run"), "--sweep", "share"])
    assert result.exit_code == 2
    assert "--sweep share: expected nothing for this recipe" in result.stderr
