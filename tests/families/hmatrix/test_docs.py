"""docs/hmatrix.md: its example runs as it stands, its conventions are the code's."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from edgepde.hmatrix.config import HConfig

PAGE = (Path(__file__).parents[3] / "docs" / "hmatrix.md").read_text("utf-8")


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/hmatrix.md", "exec"), {})
    built, updated = capsys.readouterr().out.splitlines()
    storage, in_bytes, error = map(float, built.split()[:3])
    assert 0.0 < in_bytes < storage < 0.5
    assert 0.0 < error <= 1e-3
    kept, changed, _, held = updated.split()
    assert int(kept) > int(changed) > 0
    assert held == "True"


def test_every_convention_is_told() -> None:
    for field in fields(HConfig):
        assert f"| `{field.name}` |" in PAGE
    assert f"| {HConfig().leaf} |" in PAGE


def test_every_part_of_the_benchmark_is_told() -> None:
    folder = Path(__file__).parents[3] / "benchmarks" / "hmatrix_parts"
    parts = {path.stem for path in folder.glob("[!_]*.py") if "\ndef rows(" in path.read_text("utf-8")}
    assert set(re.findall(r"--only (\w+)", PAGE)) == parts
