"""docs/verify.md says what the code does: its budget is read, and no key, flag or exit code is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from edgepde_runtime import budget, inputs, latency
from edgepde_runtime.__main__ import commands
from edgepde_runtime.errorlimits import ErrorLimits
from edgepde_runtime.limits import Limits
from edgepde_runtime.term import CLASSES
from edgepde_runtime.verbs import replay

PAGE = Path(__file__).parents[2] / "docs" / "verify.md"


@pytest.fixture
def page() -> str:
    """The page, where the checkout has it."""
    if not PAGE.is_file():
        pytest.skip("no docs here")
    return PAGE.read_text(encoding="utf-8")


def test_the_budget_of_the_page_is_read_and_shows_every_key(page: str, tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "budget.toml").write_text(text)
    first, second = budget.read(tmp_path / "budget.toml")
    assert first.limits == Limits(2000.0, 20000.0, ErrorLimits({"u": 5e-3}), "measured")
    assert (second.limits.board, second.limits.max_ram_kb, second.limits.max_flash_kb) == ("stm32h7", 64.0, 512.0)
    assert {key for key in budget.KEYS if re.search(rf"^{key} = ", text, re.MULTILINE)} == set(budget.KEYS)


def test_every_flag_exit_code_class_and_command_is_on_the_page(page: str) -> None:
    rows = re.findall(r"^\| (\d) \|", page, re.MULTILINE)
    assert rows == [*"01234", *map(str, inputs.WORDS)]
    assert all(f"`{name}`" in page for name in CLASSES)
    assert all(f"edgepde {name}" in page for name in commands())


def test_the_numbers_of_the_page_are_those_of_the_code(page: str) -> None:
    assert f"A p99 needs {latency.LEAST_FOR_P99} samples" in page
    assert f"differ by at most {replay.RESIDUAL_SHARE:.0%} of it" in page
