"""FILE.py:callable."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from edgepde_export.errors import SourceError
from edgepde_export.source import load_module


@pytest.mark.parametrize("name", ["net", "ready"])
def test_a_callable_or_a_module_is_found(source: Path, name: str) -> None:
    assert isinstance(load_module(f"{source}:{name}"), torch.nn.Module)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nope", "mine.py: expected a callable nope"),
        ("number", "mine.py: number expected a callable, got int"),
        ("five", r"mine.py: five\(\) expected to return a torch.nn.Module, got int"),
        ("fails", r"mine.py: fails\(\) raised: .*mine.py:20: ZeroDivisionError"),
        ("leaves", r"mine.py: leaves\(\) called exit\(7\)"),
        ("", "expected FILE.py:callable"),
    ],
)
def test_errors_name_file_and_callable(source: Path, name: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        load_module(f"{source}:{name}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none.py: cannot be read: No such file"):
        load_module(f"{tmp_path / 'none.py'}:net")


def test_a_file_that_does_not_run_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("x = 1\nimport nothing_of_this_name\n")
    with pytest.raises(SourceError, match=r"broken.py:2: ModuleNotFoundError"):
        load_module(f"{path}:net")


def test_loading_leaves_no_byte_code_beside_the_file(source: Path) -> None:
    load_module(f"{source}:net")
    assert sorted(p.name for p in source.parent.iterdir()) == ["mine.py"]
