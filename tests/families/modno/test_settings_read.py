"""Settings that a scheme does not read are refused, and it reads all others."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from edgepde_export.cli.main import app
from typer.testing import CliRunner

from edgepde.errors import SettingError
from edgepde.modno.cases import drawn
from edgepde.modno.closed_form import Closed
from edgepde.modno.making import make
from edgepde.modno.settings import BY_GRADIENTS, READ, Settings
from edgepde.modno.training.learned import VARPRO
from edgepde.modno.training_run import common_encoding
from edgepde.train.ranks import Alone
from edgepde.train.recipe import apply_settings, load_recipe
from edgepde.train.run_folder import Run

KNOWN = frozenset[str]().union(*READ.values())
GIVEN = {
    "branch": "gaussian", "widths": "3", "units": "5", "features": "3", "rank": "2", "steps": "3", "batch": "4",
    "rate": "0.5", "groups": "2", "delta": "2", "q": "0.5",
}  # fmt: skip
PILOT = load_recipe("modno_pilot")


class Watched(Settings):
    """Notes which settings are read."""

    seen: set[str]

    def __getattribute__(self, name: str) -> Any:
        if name in KNOWN and "seen" in object.__getattribute__(self, "__dict__"):
            object.__getattribute__(self, "seen").add(name)
        return object.__getattribute__(self, name)


def set_to(scheme: str, *names: str, quick: bool = False) -> Settings:
    given = [f"scheme={scheme}", *(f"{name}={GIVEN[name]}" for name in names)]
    made: Settings = apply_settings(PILOT.config(quick), given)
    return made


def test_every_setting_is_tried() -> None:
    assert set(GIVEN) == KNOWN


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("scheme", ["auto", *READ])
def test_what_a_scheme_does_not_read_is_refused(scheme: str, quick: bool) -> None:
    read = READ["closed" if scheme == "auto" else scheme]
    for name in sorted(KNOWN - read):
        readers = ", ".join(one for one in READ if name in READ[one])
        with pytest.raises(SettingError, match=f"{name}: scheme .*does not read it; those that do: {readers}$"):
            set_to(scheme, name, quick=quick)
    for name in sorted(read - {"units"} if scheme in BY_GRADIENTS else read):
        set_to(scheme, name, quick=quick)


def test_auto_says_what_it_is() -> None:
    with pytest.raises(SettingError, match=r"groups: scheme closed \(which auto is\) does not read it; .*: varpro"):
        set_to("auto", "groups")


def test_auto_in_several_processes_is_joint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert set_to("auto", "rate").resolved(2).scheme == "joint"
    with pytest.raises(SettingError, match=r"q: scheme joint \(which auto is\) does not read it; .*: alternating"):
        set_to("auto", "q")


def test_sizes_of_another_branch_are_refused() -> None:
    with pytest.raises(SettingError, match="units: branch mlp does not read it; the one that does: gaussian"):
        set_to("joint", "units")
    with pytest.raises(SettingError, match="widths: branch gaussian does not read it; the one that does: mlp"):
        set_to("joint", "branch", "widths")
    assert set_to("joint", "branch", "units").units == 5


def test_what_stays_as_it_was_is_not_refused() -> None:
    assert apply_settings(PILOT.config(), ["groups=0", "q=1"]) == PILOT.config()


def test_the_command_refuses_before_anything_is_drawn(tmp_path: Path) -> None:
    words = ["train", "modno_pilot", "--quick", "--out", str(tmp_path / "run"), "--set", "groups=2", "--set", "rate=7"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "groups: scheme closed" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("scheme", [one for one in READ if one != "linear"])
def test_a_scheme_reads_what_is_said_and_no_more(tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgepde.modno.making.Closed", partial(Closed, more=0, images=False))
    how = Watched(
        operators=("viscous_burgers", "cahn_hilliard"), samples=32, validation=4, test=1, sensors=12, scheme=scheme,  # type: ignore[arg-type]
        units=8, features=3, rank=2, widths=(4,), steps=2, groups=2 * (scheme in BY_GRADIENTS), delta=1,
    )  # fmt: skip
    mine = [drawn(name, how, 0) for name in how.operators]
    encoding = common_encoding(mine, Alone())
    object.__setattr__(how, "seen", set())
    with Run.start(tmp_path / "run", {"seed": 0}) as run:
        made = make(mine, encoding, how, Alone(), run, torch.device("cpu"))
        run.finished = True
    assert how.seen == READ[scheme] - ({"units"} if scheme in BY_GRADIENTS else set())
    assert (len(made.history.get("checks", ())) > 0) == ("steps" in READ[scheme])


def test_steps_are_as_many_as_are_asked_for(tmp_path: Path) -> None:
    from edgepde.modno.making import _learner

    with Run.start(tmp_path / "run", {"seed": 0}) as run:
        assert _learner(Settings(scheme="learned", steps=1000), run).how.steps == 1000
        assert _learner(Settings(scheme="learned"), run).how == VARPRO
        run.finished = True
