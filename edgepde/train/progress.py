"""How far long work is, on stderr: a bar with the time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from rich import progress as bars
from rich.console import Console
from rich.markup import escape

SECONDS_BETWEEN_LINES = 5.0


class Progress(ABC):
    """One stage of long work; `total` is in the caller's own measure, None if unknown."""

    def __init__(self, label: str, total: float | None) -> None:
        self.label = label
        self.total = total
        self.done = 0.0
        self.text = ""

    def advance(self, amount: float = 1.0) -> None:
        """Add to what is done."""
        self.update(self.done + amount)

    def update(self, done: float) -> None:
        """Set what is done."""
        self.done = done
        self.show()

    def note(self, text: str) -> None:
        """Replace the remark behind the bar."""
        self.text = text
        self.show()

    @abstractmethod
    def show(self) -> None:
        """Bring the display up to date."""

    @abstractmethod
    def close(self, complete: bool) -> None:
        """The stage ended; `complete` is false where an exception ended it."""


@contextmanager
def progress(label: str, total: float | None = None) -> Iterator[Progress]:
    """Show a stage while its block runs; stages may nest."""
    shown: Progress = _Bar(label, total) if _is_terminal() else _Lines(label, total)
    complete = False
    try:
        yield shown
        complete = True
    finally:
        shown.close(complete)


def _is_terminal() -> bool:
    return sys.stderr.isatty() and not Console(stderr=True).is_dumb_terminal


@final
class _Bar(Progress):
    """A task in one rich display that all nested stages share."""

    display: bars.Progress | None = None
    stages = 0

    def __init__(self, label: str, total: float | None) -> None:
        super().__init__(label, total)
        if _Bar.display is None:
            _Bar.display = _display()
            _Bar.display.start()
        _Bar.stages += 1
        self._display = _Bar.display
        self._task = self._display.add_task(escape(label), total=total, note="")

    def show(self) -> None:
        self._display.update(self._task, completed=self.done, note=escape(self.text))

    def close(self, complete: bool) -> None:
        if complete and self.total is not None:
            self._display.update(self._task, completed=self.total)
        _Bar.stages -= 1
        if _Bar.stages == 0:
            self._display.stop()
            _Bar.display = None
        else:
            self._display.remove_task(self._task)


def _display() -> bars.Progress:
    return bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TaskProgressColumn(show_speed=False),
        bars.TimeElapsedColumn(),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        speed_estimate_period=600.0,
        refresh_per_second=4,
    )


@final
class _Lines(Progress):
    """Plain lines, at most one every SECONDS_BETWEEN_LINES over all stages; the outermost stage says its end."""

    depth = 0
    last = float("-inf")

    def __init__(self, label: str, total: float | None) -> None:
        super().__init__(label, total)
        self._began = time.monotonic()
        self._outermost = _Lines.depth == 0
        _Lines.depth += 1

    def show(self) -> None:
        now = time.monotonic()
        if now - _Lines.last < SECONDS_BETWEEN_LINES:
            return
        _Lines.last = now
        self._print(f"{self._amount()}{self._left(now)}")

    def close(self, complete: bool) -> None:
        _Lines.depth -= 1
        if self._outermost:
            spent = duration(time.monotonic() - self._began)
            self._print(f"done in {spent}" if complete else f"stopped at {self._amount()} after {spent}")

    def _amount(self) -> str:
        if not self.total:
            return f"{self.done:.6g}"
        return f"{self.done:.6g}/{self.total:.6g} ({100.0 * min(self.done / self.total, 1.0):.0f}%)"

    def _left(self, now: float) -> str:
        if not self.total or not 0.0 < self.done < self.total:
            return ""
        return f", {duration((now - self._began) * (self.total - self.done) / self.done)} left"

    def _print(self, state: str) -> None:
        remark = f" - {self.text}" if self.text else ""
        print(f"{self.label}: {state}{remark}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Seconds as a person says them: 0.4 s, 35 s, 2 min 05 s, 1 h 02 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
