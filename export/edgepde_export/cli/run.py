"""`edgepde run`: the runtime's verb."""

from __future__ import annotations

import typer

from ._forward import SETTINGS, forward

__all__ = ["SETTINGS", "command"]


def command(context: typer.Context) -> None:
    """Evaluate a bundle: --input IN.npz to --output OUT.npz.

    Inputs outside the box, NaN and wrong shapes are refused.
    """
    forward(context)
