"""The command `edgepde`: its verbs are the modules of this folder that define `command`, imported when asked for."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from importlib import resources
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperGroup

from .outcome import guarded

ORDER = ("train", "compress", "export", "verify", "run")


@functools.cache
def verbs() -> tuple[str, ...]:
    """Names of the verbs, the path's own in its order, then the others: files that define `command` at top level."""
    files = [f for f in resources.files(__package__).iterdir() if f.name.endswith(".py") and not f.name.startswith("_")]
    found = {f.name.removesuffix(".py") for f in files if "\ndef command(" in f.read_text("utf-8")}
    return (*(verb for verb in ORDER if verb in found), *sorted(found - set(ORDER)))


class Verbs(TyperGroup):
    """A group that knows its verbs by name and imports one when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the group's interface
        """Every verb."""
        return list(verbs())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """One verb's command; None for an unknown name, which typer reports with the nearest ones."""
        if cmd_name not in verbs():
            return None
        made = _build(cmd_name)
        self.commands[cmd_name] = made
        return made


@functools.cache
def _build(verb: str) -> Any:
    module: ModuleType = importlib.import_module(f".{verb}", __package__)
    function: Callable[..., None] = module.command
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name=verb, **getattr(module, "SETTINGS", {}))(guarded(verb, function))
    return typer.main.get_command(single)


app = typer.Typer(
    name="edgepde",
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def main() -> None:
    """From a PDE to a small verified device bundle: train, compress, export, verify, run.

    Exit codes: 0 pass, 1 a check failed, 2 usage, 3 unsupported model, 4 not verified, 130 interrupted.
    """
