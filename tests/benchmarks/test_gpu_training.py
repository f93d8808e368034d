"""The GPU benchmark without a GPU: its families, its rows, what it says."""

from __future__ import annotations

import importlib
from pathlib import Path

import gpu
import gpu_training
import pytest
import torch
from _harness import Row
from gpu import s2gpt

HERE = Path(gpu.__path__[0])


def test_families_are_those_in_the_folder() -> None:
    assert gpu_training.families() == sorted(path.stem for path in HERE.glob("[!_]*.py"))
    assert all(callable(importlib.import_module(f"gpu.{name}").rows) for name in gpu_training.families())


def test_without_a_gpu_the_rows_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s2gpt, "QUICK", s2gpt.Size((1, 2), 1, 1))
    rows = s2gpt.rows(True, 0, None)
    there = [row for row in rows if row.rival == s2gpt.CPU]
    missing = [row for row in rows if row.rival == s2gpt.GPU]
    assert len(there) == 4
    assert all(row.measured is not None and row.measured > 0 for row in there)
    assert len(missing) == 5
    assert all((row.measured, row.met, row.note) == (None, None, "skipped: no GPU") for row in missing)
    assert "no GPU here" in gpu_training.summary(rows)


def test_times_become_rates() -> None:
    each, rate = s2gpt.speed_rows(8, s2gpt.GPU, [0.016, 0.008, 0.004])
    assert each.measured == pytest.approx(1.0)
    assert each.spread == pytest.approx((0.75, 1.5))
    assert rate.measured == pytest.approx(8 / (s2gpt.WHOLE.iterations * 0.008))
    assert rate.goal == ">="


def test_training_repeats_and_moves() -> None:
    once, again = (s2gpt.trained(2, 2, 5, torch.device("cpu")) for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.equal(once, s2gpt.trained(2, 0, 5, torch.device("cpu")))


def test_where_a_core_is_better_is_said() -> None:
    rows = [Row("case", gpu_training.CPU, "ms", 1.0), Row("case", gpu_training.GPU, "ms", 2.0)]
    assert gpu_training.summary(rows) == "where one CPU core is better: case (ms)"
    assert gpu_training.summary([rows[0], Row("case", gpu_training.GPU, "ms", 0.5)]).endswith("nowhere in this table")
