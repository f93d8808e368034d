"""Progress: lines where nobody watches, a bar on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from edgepde.train import progress as module
from edgepde.train.progress import duration, progress

BAR = """
import time
from edgepde.train.progress import progress
with progress("outer [x]", 4) as outer:
    for i in range(4):
        with progress("inner") as inner:
            inner.note("loss [bold] 1e-3")
            inner.advance()
            time.sleep(0.3)
        outer.advance()
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module._Lines, "last", float("-inf"))
    return now


def test_lines_are_few_and_say_what_is_left(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("snapshots", 100) as stage:
        for _ in range(100):
            stage.note("loss 1e-3")
            clock[0] += 0.2
            stage.advance()
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "snapshots: 0/100 (0%) - loss 1e-3"
    assert lines[1] == "snapshots: 25/100 (25%), 15 s left - loss 1e-3"
    assert lines[-1] == "snapshots: done in 20 s - loss 1e-3"
    assert len(lines) <= 6


def test_inner_stages_share_the_rate(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("outer", 50) as outer:
        for _ in range(50):
            with progress("inner") as inner:
                clock[0] += 0.1
                inner.update(3)
            outer.advance()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 3
    assert lines[-1] == "outer: done in 5.0 s"


def test_an_exception_is_told_where_it_stopped(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        with progress("steps", 10) as stage:
            stage.advance(4)
            clock[0] += 90
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert capsys.readouterr().err.splitlines()[-1] == "steps: stopped at 4/10 (40%) after 1 min 30 s"
    assert module._Lines.depth == 0


@pytest.mark.parametrize("total", [None, 0, 0.5])
def test_totals_of_every_kind(total: float | None, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("x", total) as stage:
        stage.update(0.25)
        stage.advance(10)
    assert "done" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (125, "2 min 05 s"), (3720, "1 h 02 min")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def on_terminal(**environment: str) -> bytes:
    leader, follower = pty.openpty()
    keep = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-c", BAR], stderr=follower, stdout=subprocess.DEVNULL, env={**keep, **environment}
    ) as child:
        os.close(follower)
        seen = b""
        while True:
            try:
                chunk = os.read(leader, 4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
    os.close(leader)
    assert child.returncode == 0
    return seen


def test_a_terminal_gets_a_bar() -> None:
    seen = on_terminal(TERM="xterm-256color", COLUMNS="120")
    assert b"outer [x]" in seen
    assert b"loss [bold] 1e-3" in seen
    assert b"100%" in seen
    assert b"\x1b[38;" in seen or b"\x1b[3" in seen
    assert b"left" in seen


def test_no_color_is_honoured() -> None:
    assert b"\x1b[3" not in on_terminal(TERM="xterm-256color", COLUMNS="120", NO_COLOR="1")


def test_a_dumb_terminal_gets_lines() -> None:
    assert b"\x1b" not in on_terminal(TERM="dumb")
