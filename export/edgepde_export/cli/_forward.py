"""Verbs the runtime owns: everything typed after the verb goes to it unchanged."""

from __future__ import annotations

from typing import Any

import typer

SETTINGS: dict[str, Any] = {
    "add_help_option": False,
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
}


def forward(context: typer.Context) -> None:
    """Run the runtime's verb of the same name and leave with its exit code."""
    from edgepde_runtime.__main__ import main

    raise typer.Exit(main([str(context.info_name), *context.args], prog="edgepde"))
