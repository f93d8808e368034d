"""What becomes of a verb: errors raised on purpose are one line on stderr and an exit code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer
from edgepde_runtime.errors import EdgePDEError

from ..errors import BoundExceeded, Rejected

INTERRUPTED = 130
USAGE, FAIL = 2, 1


def exit_code(error: EdgePDEError) -> int:
    """The exit code that stands for an error: the runtime's, and 1 for a bound above its limit or a bundle rejected."""
    from edgepde_runtime.__main__ import EXIT_CODES

    from edgepde.errors import CompressionError

    codes: dict[type[EdgePDEError], int] = {BoundExceeded: FAIL, Rejected: FAIL, CompressionError: FAIL, **EXIT_CODES}
    return next((codes[kind] for kind in type(error).__mro__ if kind in codes), USAGE)


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
