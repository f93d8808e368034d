"""Finding and loading recipes, ours and a user's."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgepde.errors import RecipeError
from edgepde.train import recipe as module
from edgepde.train.recipe import load_recipe, recipe_names

CONFIG = """
from dataclasses import dataclass
@dataclass(frozen=True)
class Config:
    n: int = 3
    @classmethod
    def quick(cls):
        return cls(1)
"""
TRAIN = "def train(config, run, device): ...\n"
PROBLEM = """
import torch
from edgepde.problems.problem import Problem, Term
from edgepde_runtime.box import Box
PROBLEM = Problem(
    name="decay", coordinates=Box([0.0], [1.0], ["t"]), parameters=Box([1.0], [2.0], ["k"]),
    terms=(Term(lambda c, p: torch.ones_like(c["t"]), ("u_t",)), Term(lambda c, p: p["k"], ("u",))),
    lift=lambda c, p: torch.ones_like(c["t"]), mask=lambda c: c["t"],
)
"""


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in the place of edgepde.recipes."""
    folder = tmp_path / "some_recipes"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    for name in ("burgers", "burgers_wide", "heat"):
        (folder / f"{name}.py").write_text(CONFIG + TRAIN)
    (folder / "shared.py").write_text(CONFIG + "def train_problem(problem, config, run, device, source): ...\n")
    (folder / "_hidden.py").write_text(TRAIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(module, "PACKAGE", "some_recipes")
    for name in [n for n in sys.modules if n.startswith("some_recipes")]:
        monkeypatch.delitem(sys.modules, name)
    return folder


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch, ours: Path) -> list[tuple[object, ...]]:
    """The default training of a PROBLEM, recording its calls."""
    calls: list[tuple[object, ...]] = []
    (ours / "recording.py").write_text(CONFIG + "calls = []\ndef train_problem(*a): calls.append(a)\n")
    monkeypatch.setattr(module, "DEFAULT", "some_recipes.recording")
    import importlib

    monkeypatch.setattr(importlib.import_module("some_recipes.recording"), "calls", calls)
    return calls


def user(tmp_path: Path, text: str, name: str = "mine.py") -> str:
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


def test_names_are_the_files_that_train(ours: Path) -> None:
    assert recipe_names() == ["burgers", "burgers_wide", "heat"]
    (ours / "wave.py").write_text("from some_recipes.heat import Config, train\n")
    assert "wave" in recipe_names()


def test_a_name(ours: Path) -> None:
    found = load_recipe("heat")
    assert (found.name, found.source, found.is_own, found.problem) == ("heat", ours / "heat.py", False, None)
    assert found.config().n == 3
    assert found.config(quick=True).n == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [("burger", "did you mean burgers"), ("xyz", "known: burgers, burgers_wide, heat"), ("shared", "not found")],
)
@pytest.mark.usefixtures("ours")
def test_an_unknown_name(name: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        load_recipe(name)


def test_every_recipe_of_ours_loads() -> None:
    for name in recipe_names():
        made = load_recipe(name)
        made.config(quick=True)


def test_a_users_file(tmp_path: Path) -> None:
    (tmp_path / "my_helper.py").write_text("VALUE = 7\n")
    text = CONFIG.replace("= 3", "= my_helper.VALUE").replace("from", "import my_helper\nfrom", 1) + TRAIN
    found = load_recipe(user(tmp_path, text))
    assert (found.name, found.is_own, found.config().n) == ("mine", True, 7)
    assert not (tmp_path / "__pycache__" / "mine.cpython-311.pyc").exists()


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    first = load_recipe(user(tmp_path, CONFIG + TRAIN))
    second = load_recipe(user(tmp_path, CONFIG.replace("= 3", "= 4") + TRAIN))
    assert (first.config().n, second.config().n) == (3, 4)
    assert first.sha256 != second.sha256


def test_a_file_with_only_a_problem(tmp_path: Path, default: list[tuple[object, ...]]) -> None:
    found = load_recipe(user(tmp_path, PROBLEM))
    assert found.problem.name == "decay"
    config, run, device = found.config(quick=True), SimpleNamespace(), "cpu"
    found.train(config, run, device)
    assert default == [(found.problem, config, run, device, tmp_path / "mine.py")]


@pytest.mark.usefixtures("default")
def test_a_problem_with_its_own_config(tmp_path: Path) -> None:
    assert load_recipe(user(tmp_path, PROBLEM + CONFIG.replace("= 3", "= 9"))).config().n == 9


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\ndef f(:\n", r"mine.py:2: SyntaxError: .*\n    def f\(:"),
        ("x = 1\ny = z\n", r"mine.py:2: NameError: name 'z'.*\n    y = z"),
        ("def f():\n    return 1 / 0\nf()\n", r"mine.py:2: ZeroDivisionError"),
        ("import no_such_module\n", r"mine.py:1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("import json\njson.loads('{')\n", r"mine.py:2: JSONDecodeError"),
        ("x = '\\0'\n\0", r"mine.py"),
        ("PROBLEM = 3\n", r"mine.py: PROBLEM: expected an edgepde.problems.Problem, got int"),
        (PROBLEM.replace('["t"]', '["time"]'), r"mine.py:5: problem decay: coordinate names"),
        ("x = 1\n", "defines neither"),
        (CONFIG, "train: expected a function"),
        (CONFIG + "train = 3\n", "train: expected a function"),
        (TRAIN, "Config: expected a frozen dataclass, got None"),
        (CONFIG.replace("(frozen=True)", "") + TRAIN, "expected a frozen dataclass"),
        ("class Config: ...\n" + TRAIN, "expected a frozen dataclass"),
        (CONFIG.replace("n: int = 3", "n: int") + TRAIN, r"Config\.n: expected a default"),
        (CONFIG.replace("quick", "slow") + TRAIN, r"Config\.quick: expected a method"),
    ],
)
def test_a_users_file_that_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told) as caught:
        load_recipe(user(tmp_path, text))
    assert "edgepde/train" not in str(caught.value)


def test_a_users_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"absent\.py: cannot be read: No such file"):
        load_recipe(str(tmp_path / "absent.py"))
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(RecipeError, match=r"folder\.py: cannot be read"):
        load_recipe(str(tmp_path / "folder.py"))
