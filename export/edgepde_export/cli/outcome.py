"""What becomes of a verb: errors raised on purpose are one line on stderr and an exit code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer
from edgepde_runtime.errors import EdgePDEError, NotVerified, UnsupportedModel

from ..errors import BoundExceeded

CODES: tuple[tuple[type[EdgePDEError], int], ...] = (
    (BoundExceeded, 1),
    (UnsupportedModel, 3),
    (NotVerified, 4),
    (EdgePDEError, 2),
)
INTERRUPTED = 130


def exit_code(error: EdgePDEError) -> int:
    """The exit code that stands for an error."""
    return next(code for kind, code in CODES if isinstance(error, kind))


def guarded(verb: str, function: Callable[..., None]) -> Callable[..., None]:
    """The verb's function with its errors told; a bug keeps its traceback."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except EdgePDEError as error:
            typer.echo(f"edgepde {verb}: {error}", err=True)
            raise typer.Exit(exit_code(error)) from None
        except KeyboardInterrupt:
            typer.echo(f"edgepde {verb}: interrupted; nothing half-done was left", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return run
