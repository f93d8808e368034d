"""`edgepde doctor`: the runtime's verb."""

from __future__ import annotations

import typer

from ._forward import SETTINGS, forward

__all__ = ["SETTINGS", "command"]


def command(context: typer.Context) -> None:
    """Say what this machine can run and what is missing.

    Attach its output to a bug report.
    """
    forward(context)
