"""The example of docs/compress.md is run as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "compress.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["y"].shape == (1, 1)
    assert names["small"].ledger["error"]["value"] <= 1e-2


def test_every_option_of_the_page_exists() -> None:
    from edgepde_export.cli.main import app
    from typer.testing import CliRunner

    said = CliRunner().invoke(app, ["compress", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    own = "".join(line for line in PAGE.read_text().splitlines(keepends=True) if "edgepde recompress" not in line)
    for option in set(re.findall(r"--[a-z][a-z-]+", own)) - {"--target", "--only"}:
        assert option in said
