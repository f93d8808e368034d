"""`edgepde compress`: from a run to a smaller run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer


def command(
    *,
    run: Annotated[str, typer.Argument(metavar="RUN|FILE.py:callable", help="What to compress.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN2", help="Folder of the compressed run; not for --sweep.")
    ] = None,
    max_error: Annotated[
        str | None, typer.Option("--max-error", metavar="E", help="Error to stay under: 1e-3, or u=1e-3,u_x=1e-2.")
    ] = None,
    sweep: Annotated[
        str | None, typer.Option("--sweep", metavar="A:B", help="Try a range of errors and print size against error.")
    ] = None,
    min_class: Annotated[
        str | None,
        typer.Option("--min-class", metavar="sound|statistical|measured", help="Weakest class the error may have."),
    ] = None,
    domain: Annotated[
        str | None, typer.Option("--domain", metavar="LOW:HIGH,...", help="Box of inputs of a module of your own.")
    ] = None,
    method: Annotated[str, typer.Option("--method", help="How to compress.")] = "auto",
) -> None:
    """Make a trained run smaller and state what that costs.

    Give the error you can afford with --max-error, or --sweep A:B to see what each error would save. The original is
    kept in the new run as the reference, and ledger.json says per part what was chosen and why. Runs of the family
    s2gpt can be compressed; others and modules of your own exit 3 until their family lands.
    """
    from edgepde_runtime.errors import InputError, UnsupportedModel

    if (max_error is None) == (sweep is None):
        raise InputError("expected either --max-error E or --sweep A:B")
    if ".py" in run.rpartition(":")[0] or domain is not None:
        raise UnsupportedModel(f"{run}: modules of your own cannot be compressed until their family lands")
    from edgepde.compress import compress_run

    compress_run(Path(run), out, max_error, sweep, min_class, method)
    if out is not None and max_error is not None:
        bundle = out.parent / "bundle"
        typer.echo(f"next: {shlex.join(['edgepde', 'export', str(out), '--out', str(bundle)])}")
