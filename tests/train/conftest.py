"""Tiny recipes, and the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from edgepde_export.cli.main import app
from typer.testing import CliRunner, Result

RECIPE = """
from dataclasses import dataclass, replace
import os, sys, time
import torch


@dataclass(frozen=True)
class Config:
    parts: int = 3
    rate: float = 0.5

    def quick(self):
        return replace(self, parts=1)


def train(config, run, device):
    for i in range(config.parts):
        name = f"part-{i}"
        if run.restore(name) is not None:
            continue
        run.save(name, {"w": torch.full((2,), float(i))}, {"i": i})
        if i == 1 and os.environ.get("PAUSE"):
            print("READY", flush=True)
            time.sleep(60)
        if i == 1 and os.environ.get("CTRL_C"):
            raise KeyboardInterrupt
    weights = {n: run.restore(n)[0]["w"] for n in run.names()}
    run.finish(weights, {"family": "fake", "architecture": "none", "problem": "toy", "box": {}})
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    """A user's recipe that saves `parts` parts and finishes."""
    path = tmp_path / "toy.py"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def invoke() -> Callable[..., Result]:
    """Call `edgepde train` in this process."""

    def call(*words: object) -> Result:
        return CliRunner().invoke(app, ["train", *map(str, words)])

    return call
