"""Our side: runs of the recipe, trained by the command of the product and read as an export would."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _harness import say
from numpy.typing import NDArray

from edgepde.modno import figures, store
from edgepde.problems.operator_data import OperatorData

from ._study import Plan

RECIPE = "modno_16"
HELD = "held"
"""Forward passes of cases that something is chosen by; no part of a training's own passes, as for the rivals."""


@dataclass(frozen=True, eq=False)
class Ours:
    """A finished run of the recipe."""

    loaded: store.Loaded

    @property
    def names(self) -> tuple[str, ...]:
        """Operators it has."""
        return tuple(self.loaded.shared.cassettes)

    @property
    def shared(self) -> int:
        """Numbers that all operators share."""
        return store.shared_numbers(self.loaded.shared.model)

    @property
    def history(self) -> dict[str, Any]:
        """What the run says of its training."""
        found = self.loaded.run.spec["history"]
        assert isinstance(found, dict)
        return found

    @property
    def passes(self) -> int:
        """Of branch and trunks, all operators together: those that were iterated, those of every solve."""
        return sum(int(v) for k, v in self.history["passes"].items() if k != HELD)

    @property
    def seconds(self) -> float:
        """Of the whole training by the clock."""
        return float(self.history["offline_seconds"])

    def own(self, name: str) -> int:
        """Numbers of an operator's cassette."""
        return self.loaded.shared.cassettes[name].numbers

    def numbers(self, name: str) -> int:
        """What one operator alone would need: the shared part and its cassette."""
        return self.shared + self.own(name)

    @property
    def total(self) -> int:
        """All operators together."""
        return self.loaded.shared.numbers

    def predicted(self, name: str, data: OperatorData) -> NDArray[np.float64]:
        """u [N, T, n] at the data's times and points."""
        shared = self.loaded.shared
        return figures.predicted(shared.model, shared.cassettes[name], data)

    def without_branch(self, name: str, data: OperatorData) -> float:
        """Mean error where the shared features are zero: the linear part and what is read of the inputs themselves."""
        shared = self.loaded.shared
        return figures.errors(shared.model, figures.without_branch(shared.model, shared.cassettes[name]), data).mean

    def features(self, name: str) -> tuple[int, int]:
        """How many of the branch's features the operator reads, and how many there are."""
        shared = self.loaded.shared
        return figures.features_read(shared.model, shared.cassettes[name]), shared.model.branch.width


def obtain(runs: Path, made: Plan, seed: int, **settings: object) -> Ours:
    """The run of these settings, trained where there is none; settings: fields of the recipe's Config."""
    cases = {"samples": made.training, "validation": made.validation, "test": made.test}
    asked = {"operators": ",".join(made.names), **cases, **settings}
    stem = "-".join([RECIPE, str(len(made.names)), str(made.training), *(f"{k}={v}" for k, v in settings.items())])
    path = runs / f"{stem}-seed{seed}"
    if not (path / "spec.json").exists():
        say(f"  training {path.name}")
        command = [sys.executable, "-m", "edgepde_export.cli", "train", RECIPE, "--out", str(path), "--device", "cpu"]
        command += ["--seed", str(seed), *(a for k, v in asked.items() for a in ("--set", f"{k}={v}"))]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return Ours(store.load(path))
