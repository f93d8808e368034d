"""`edgepde drift`: the runtime's verb."""

from __future__ import annotations

import typer

from ._forward import SETTINGS, forward

__all__ = ["SETTINGS", "command"]


def command(context: typer.Context) -> None:
    """Watch a bundle's calls for drift: --input IN.npz is counted in --state DRIFT.json.

    Exit code 1 where there is an alarm.
    """
    forward(context)
