"""For fuzzing: reading may succeed or be refused in our own words, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgepde_runtime.errors import EdgePDEError


@contextmanager
def only_refused(start: str, *kinds: type[EdgePDEError]) -> Iterator[None]:
    """Passes success and errors of `kinds` whose message begins with `start`; anything else fails the test."""
    try:
        yield
    except kinds as error:
        if not str(error).startswith(start):
            raise AssertionError(f"expected a message that starts with {start!r}, got {error}") from error
