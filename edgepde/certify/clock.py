"""The latest a pass over a network may take; looked at between nodes, for one pass of a wide network takes minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_latest: ContextVar[float] = ContextVar("latest", default=float("inf"))


class OutOfTime(Exception):  # noqa: N818 - no error: the bound of the box stays what it was
    """A pass over a network was left before its end."""


@contextmanager
def until(latest: float) -> Iterator[None]:
    """Within, `check` raises OutOfTime once time.monotonic() is beyond `latest`."""
    token = _latest.set(min(latest, _latest.get()))
    try:
        yield
    finally:
        _latest.reset(token)


def check() -> None:
    """Raises OutOfTime where the time is up."""
    if time.monotonic() > _latest.get():
        raise OutOfTime
