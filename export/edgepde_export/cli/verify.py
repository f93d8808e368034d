"""`edgepde verify`: the runtime's verb."""

from __future__ import annotations

import typer

from ._forward import SETTINGS, forward

__all__ = ["SETTINGS", "command"]


def command(context: typer.Context) -> None:
    """Check a bundle on this machine and print a verdict.

    Replays golden data, checks hashes, measures time, holds error bounds against limits. What cannot be checked is
    not verified (exit 4), never a pass. `edgepde verify --help` lists the limits.
    """
    forward(context)
