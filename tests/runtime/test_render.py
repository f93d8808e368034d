"""Tables for people: aligned, safe for a terminal, coloured only where that is wanted."""

from __future__ import annotations

import io

import pytest
from edgepde_runtime import render
from edgepde_runtime.verdict import FAIL
from hypothesis import given
from hypothesis import strategies as st


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


cells = st.text(st.characters(max_codepoint=0x3FF, exclude_characters="\n"), max_size=6)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), min_size=1, max_size=4)))
def test_columns_line_up(rows: list[list[str]]) -> None:
    marked = [[*row, "|"] for row in rows]
    assert len({render.width(line) for line in render.table(marked).split("\n")}) == 1


def test_numbers_end_flush() -> None:
    assert render.table([("a", "1"), ("b", "100")], ("n", "v"), right=(1,)).split("\n") == [
        "n    v",
        "─  ───",
        "a    1",
        "b  100",
    ]


def test_nothing_is_an_empty_table() -> None:
    assert render.table([]) == ""


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    assert all(c.isprintable() or c == "\n" for c in render.safe(text))


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_only_where_wanted(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert render.wants_colour(Terminal())
    assert not render.wants_colour(io.StringIO())
    monkeypatch.setenv(variable, value)
    assert not render.wants_colour(Terminal())


def test_colour_is_beside_the_words() -> None:
    assert render.coloured("x ✗ FAIL y") == "x \x1b[31m✗ FAIL\x1b[0m y"
    assert render.word(FAIL) == "✗ FAIL"
