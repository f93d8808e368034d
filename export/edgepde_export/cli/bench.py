"""`edgepde bench`: the runtime's verb."""

from __future__ import annotations

import typer

from ._forward import SETTINGS, forward

__all__ = ["SETTINGS", "command"]


def command(context: typer.Context) -> None:
    """Measure how long one call of a bundle takes here, and what of it is overhead.

    Give --vs OTHER to compare two bundles fairly, interleaved.
    """
    forward(context)
