"""`edgepde inspect`: the runtime's verb."""

from __future__ import annotations

import typer

from ._forward import SETTINGS, forward

__all__ = ["SETTINGS", "command"]


def command(context: typer.Context) -> None:
    """Show what a bundle or model file holds: inputs, box, bounds, sizes.

    Nothing of it is executed.
    """
    forward(context)
