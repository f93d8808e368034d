"""The files printed in docs/training.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from edgepde.train.recipe import load_recipe
from edgepde.train.run_folder import Run, open_run
from edgepde.train.spec import KINDS

PAGE = (Path(__file__).parents[2] / "docs/training.md").read_text()


@pytest.fixture
def files() -> list[str]:
    """The Python blocks of the page."""
    return re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_pde_is_a_problem(files: list[str]) -> None:
    namespace: dict[str, object] = {}
    exec(compile(files[0], "heat_loss.py", "exec"), namespace)
    problem = namespace["PROBLEM"]
    assert problem.factors == ("u_t", "u_xx", "u")  # type: ignore[attr-defined]


def test_the_recipe_trains_and_resumes_to_the_same_numbers(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(files[1])
    recipe = load_recipe(str(tmp_path / "mine.py"))
    config = recipe.config(quick=True)
    for name in ("whole", "resumed"):
        run = Run.start(tmp_path / name, {"seed": 3})
        if name == "resumed":
            run.save("part-000", {"weight": open_run(tmp_path / "whole").weights["part-000"]}, {})
        recipe.train(config, run, torch.device("cpu"))
    first, second = (open_run(tmp_path / name).weights for name in ("whole", "resumed"))
    assert first.keys() == second.keys() == {"part-000", "part-001"}
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_page_names_every_key_of_the_spec() -> None:
    assert [key for key in KINDS if f"`{key}`" not in PAGE] == []
