"""Budget files and limits: typed keys, the nearest name for an unknown one, and the table that is meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgepde_runtime import budget, limits
from edgepde_runtime.errorlimits import ErrorLimits
from edgepde_runtime.errors import BudgetError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.refusal import only_refused

WHOLE = """
[[model]]
path = "bundles/a"
p50_us = 100
p99_us = 250.5
max_error = "u=1e-3,u_x=1e-2"
min_class = "statistical"
max_ram_kb = 64
max_flash_kb = 512
batch = 16
board = "stm32h7"

[[model]]
path = "bundles/b"
max_error = 1e-3
"""


def write(folder: Path, text: str) -> Path:
    """A budget file."""
    file = folder / "budget.toml"
    file.write_text(text)
    return file


def test_tables_are_read(tmp_path: Path) -> None:
    first, second = budget.read(write(tmp_path, WHOLE))
    assert first.path == tmp_path / "bundles/a"
    assert first.limits == limits.Limits(
        100.0, 250.5, ErrorLimits({"u": 1e-3, "u_x": 1e-2}), "statistical", 64.0, 512.0, 16, "stm32h7"
    )
    assert second.limits == limits.Limits(max_error=ErrorLimits({"": 1e-3}))


def test_the_table_of_that_bundle_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, WHOLE)
    assert budget.find(file, tmp_path / "bundles" / "b").max_error.outputs == {"": 1e-3}
    monkeypatch.chdir(tmp_path)
    assert budget.find("budget.toml", "bundles/../bundles/a/").batch == 16
    with pytest.raises(BudgetError, match="expected one table for elsewhere, got 0"):
        budget.find(file, "elsewhere")


def test_the_only_table_is_for_any_bundle(tmp_path: Path) -> None:
    file = write(tmp_path, '[[model]]\npath = "x"\np50_us = 3\n')
    limits = budget.find(file, tmp_path / "any")
    assert limits.p50_us == 3.0
    assert limits.origin == f"limits of the only table of {file}, path = x"
    assert budget.find(file, tmp_path / "x").origin == ""


def test_two_tables_for_one_bundle_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path, '[[model]]\npath = "x"\n[[model]]\npath = "./x"\n')
    with pytest.raises(BudgetError, match="got 2"):
        budget.find(file, tmp_path / "x")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("p50 = 3", r"model\[0\]: unknown key 'p50'; the nearest known is p50_us"),
        ("max_eror = 3", "the nearest known is max_error"),
        ("p50_us = 0", r"model\[0\].p50_us: expected a number above 0, got 0"),
        ("p50_us = -1.0", "expected a number above 0"),
        ("p50_us = nan", "expected a number above 0, got nan"),
        ("p50_us = inf", "expected a number above 0, got inf"),
        ("p50_us = true", "expected a number above 0, got True"),
        ('p50_us = "3"', "expected a number above 0, got '3'"),
        ("p99_us = [1]", r"expected a number above 0, got \[1\]"),
        ('max_error = "u=1,u=2"', "each output once"),
        ('max_error = "=1"', "each output once"),
        ('max_error = "u=x"', "max_error: u: expected a number above 0"),
        ("max_error = {u = 0}", r"max_error.u: expected a number above 0"),
        ("max_error = {}", "got an empty table"),
        ('min_class = "proved"', "expected sound, statistical, measured, got 'proved'"),
        ('min_class = "not verified"', "expected sound, statistical, measured"),
        ("min_class = 1", "expected sound"),
        ("batch = 0", "expected a whole number above 0"),
        ("batch = 1.5", "expected a whole number above 0"),
        ("batch = true", "expected a whole number above 0"),
        ('board = ""', "expected a text"),
        ("board = 7", "expected a text"),
    ],
)
def test_every_wrong_value_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(BudgetError, match=message):
        budget.read(write(tmp_path, f'[[model]]\npath = "x"\n{line}\n'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"expected one \[\[model\]\] table"),
        ("[model]\npath = 'x'", r"expected one \[\[model\]\] table"),
        ("model = [1]", r"expected one \[\[model\]\] table"),
        ("[[models]]\npath = 'x'", "unknown key 'models'; the nearest known is model"),
        ("[[model]]\npath = 7", r"model\[0\].path: expected a text, got 7"),
        ("[[model]]\np50_us = 1", r"model\[0\].path is missing"),
        ("[[model]", "expected TOML"),
    ],
)
def test_every_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BudgetError, match=rf"budget\.toml.*{message}"):
        budget.read(write(tmp_path, text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="No such file"):
        budget.read(tmp_path / "none.toml")
    with pytest.raises(BudgetError, match="directory"):
        budget.read(tmp_path)
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BudgetError, match="expected TOML"):
        budget.read(tmp_path / "b.toml")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(text=st.text(max_size=80))
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "budget.toml"
    file.write_bytes(text.encode(errors="surrogatepass"))
    with only_refused(str(file), BudgetError):
        budget.read(file)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), st.floats(1e-300, 1e300), min_size=1, max_size=4))
def test_max_error_reads_what_it_is_told(wanted: dict[str, float]) -> None:
    text = ",".join(f"{name}={value!r}" for name, value in wanted.items())
    assert limits.max_error(text, "--max-error") == ErrorLimits(wanted)


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ({"u": 5e-3}, {"u": 5e-3, "u_x": 1e-2}),
        ({"v": 1.0}, {"u": 1e-3, "u_x": 1e-2, "v": 1.0}),
        ({"": 5e-3}, {"": 5e-3}),
    ],
)
def test_max_error_flags_are_merged_by_output(flag: dict[str, float], expected: dict[str, float]) -> None:
    table = limits.Limits(max_error=ErrorLimits({"u": 1e-3, "u_x": 1e-2}), batch=16, board="stm32h7")
    merged = table.overridden({"max_error": ErrorLimits(flag)})
    assert merged.max_error.outputs == expected
    assert (merged.batch, merged.board, merged.here) == (16, "stm32h7", {"max_error"})
    every = limits.Limits(max_error=ErrorLimits({"": 1.0})).overridden({"max_error": ErrorLimits({"u": 2.0})})
    assert every.max_error.outputs == {"": 1.0, "u": 2.0}
    assert table.overridden({}) == table
