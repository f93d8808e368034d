"""docs/factorconv_data.md: its example is a file that is read, its ranges and members are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgepde.problems import zone, zone_meshes
from edgepde.problems.wave2d import NAMES, UNITS, Wave2D

PAGE = (Path(__file__).parents[3] / "docs" / "factorconv_data.md").read_text("utf-8")


def test_the_example_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/factorconv_data.md", "exec"), {})
    data = zone.read(tmp_path / "waves.npz")
    assert (len(data), data.grid, data.names, data.field_unit) == (20, (16, 8, 8), ("speed", "width"), "mm")


def test_the_description_of_meshes_is_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "zone.json").write_text(example)
    about = zone_meshes._about(tmp_path / "zone.json")
    assert (about.field, about.unit, about.axis_units) == ("u", "mm", ("s", "m", "m"))


def test_every_member_is_told() -> None:
    for name in (*zone.NUMBERS, *zone.TEXTS):
        assert f"`{name}`" in PAGE


def test_every_range_is_told() -> None:
    config = Wave2D()
    assert len(NAMES) == len(UNITS)
    for name, low, high in zip(NAMES, config.low, config.high, strict=True):
        (line,) = [line for line in PAGE.splitlines() if line.startswith("| ") and f"`{name}`" in line and ".." in line]
        spans = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) \.\. ([\d.]+)", line)]
        assert (low, high) in spans
    for low, high in (config.zone_x, config.zone_y, config.zone_t):
        assert re.search(rf"{low:.2f} \.\. {high:.2f} m|{low:g} \.\. {high:g} ms", PAGE)
