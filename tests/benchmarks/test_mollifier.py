"""The entry of the study of mollifiers: it finds its parts, hands them what they take and prints one table."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType

import _questions
import mollifier
import pytest
from _harness import Row

from edgepde.errors import DataError

ENTRY = Path(mollifier.__file__)


def test_parts_are_the_modules_of_the_folder_that_have_rows() -> None:
    folder = ENTRY.with_name("mollifier_parts")
    wanted = {f.stem for f in folder.glob("[!_]*.py") if "\ndef rows(" in f.read_text(encoding="utf-8")}
    assert set(mollifier.parts()) == wanted
    assert all(callable(part.rows) and part.__doc__ for part in mollifier.parts().values())


def test_a_part_that_is_not_there_is_refused_by_name() -> None:
    made = subprocess.run([sys.executable, ENTRY, "--only", "nonsense"], capture_output=True, text=True, check=False)
    assert made.returncode == 2
    assert "nonsense" in made.stderr
    assert all(name in made.stderr for name in mollifier.parts())


def test_parts_get_what_they_name_and_the_document_has_their_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_questions, "on_one_thread", lambda: None)
    given: dict[str, object] = {}

    def rows(quick: bool, seed: int, runs: Path) -> list[Row]:
        given.update(quick=quick, seed=seed, runs=runs, there=runs.is_dir())
        return [Row("case", "ours", "ms", 1.0, 2.0), Row("case", "rival", "ms", 0.5)]

    part = ModuleType("part", "What does it say?\n\nMore.")
    part.rows = rows  # type: ignore[attr-defined]
    out = tmp_path / "rows.json"
    args = Namespace(quick=True, seed=7, json=str(out), runs=tmp_path / "kept", only=None)
    _questions.ask("mollifier", {"part": part}, args)
    assert given == {"quick": True, "seed": 7, "runs": tmp_path / "kept", "there": True}
    made = json.loads(out.read_text(encoding="utf-8"))
    assert [(row["rival"], row["met"]) for row in made["rows"]] == [("ours", True), ("rival", None)]
    assert made["settings"]["parts"] == ["part"]


def test_a_part_that_fails_on_purpose_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_questions, "on_one_thread", lambda: None)

    def rows() -> list[Row]:
        raise DataError("readings.npz: expected u")

    part = ModuleType("part", "What?")
    part.rows = rows  # type: ignore[attr-defined]
    args = Namespace(quick=True, seed=0, json=None, runs=tmp_path, only=["part"])
    with pytest.raises(SystemExit, match=r"mollifier: part: readings\.npz: expected u"):
        _questions.ask("mollifier", {"part": part}, args)
