"""`edgepde recompress`: from a bundle whose inputs or residuals drifted to one made for what was seen."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

Because = Annotated[
    Path | None,
    typer.Option("--because", metavar="DRIFT.json", help="The state that `python -m edgepde_runtime drift` keeps."),
]
Run = Annotated[
    Path | None,
    typer.Option("--run", metavar="RUN", help="Rebuild from this run; else from the reference in the bundle."),
]
MaxError = Annotated[
    str | None,
    typer.Option("--max-error", metavar="E", help="Error to compress to, instead of the old bundle's; as of compress."),
]
MinClass = Annotated[
    str | None,
    typer.Option(
        "--min-class", metavar="sound|statistical|measured", help="Weakest class that may pass; else the old bundle's."
    ),
]
Residual = Annotated[
    str | None,
    typer.Option("--residual", metavar="FILE.py:NAME", help="The bundle's equation, where it is none of edgepde's."),
]
Accuracy = Annotated[
    str | None,
    typer.Option("--input-accuracy", metavar="nu=1%,x=1e-3", help="As of export, where the bundle was made with it."),
]
KeepBox = Annotated[bool, typer.Option("--keep-box", help="Do not grow the box, whatever inputs were seen.")]
Anyway = Annotated[bool, typer.Option("--anyway", help="Rebuild it even where there is no alarm.")]
RollBack = Annotated[bool, typer.Option("--roll-back", help="Put back the bundle that this one replaced.")]
Seconds = Annotated[
    float | None, typer.Option("--seconds", min=1.0, metavar="S", help="For each compression, its proofs included.")
]
ProveSeconds = Annotated[float, typer.Option("--prove-seconds", metavar="S", help="For proving at export, per box.")]


def command(
    *,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle to replace.", show_default=False)],
    because: Because = None,
    run: Run = None,
    max_error: MaxError = None,
    min_class: MinClass = None,
    residual: Residual = None,
    input_accuracy: Accuracy = None,
    keep_box: KeepBox = False,
    anyway: Anyway = False,
    roll_back: RollBack = False,
    seconds: Seconds = None,
    prove_seconds: ProveSeconds = 60.0,
) -> None:
    """Make a bundle anew because of a drift alarm, verify it and swap it in; the old one is kept beside it.

    Inputs outside the box: the new box must hold them, which takes a RUN trained on such a box. Residuals that grew:
    rebuilt from RUN, threshold calibrated again. Inputs that moved inside the box: the error is spent where they are.
    Options of the old bundle are kept. What changed is listed; --roll-back puts the old bundle back. A new bundle that
    does not pass `verify` never replaces (exit 1, or 4 where not verified); with no alarm, or nothing to rebuild
    from, exit 2.
    """
    from edgepde_runtime.errors import InputError

    if roll_back:
        if because is not None or run is not None or max_error is not None:
            raise InputError("--roll-back puts back what was there: expected no --because, --run or --max-error")
        _roll_back(bundle)
        return
    if because is None:
        raise InputError("--because DRIFT.json is missing: why the bundle is to be made anew")
    from ..recompressing.changes import table
    from ..recompressing.rebuilding import recompress

    made = recompress(
        bundle,
        because,
        run=run,
        max_error=max_error,
        min_class=min_class,
        residual=residual,
        input_accuracy=input_accuracy,
        keep_box=keep_box,
        anyway=anyway,
        seconds=seconds,
        prove_seconds=prove_seconds,
        log=lambda line: typer.echo(line, err=True),
    )
    typer.echo("\n".join(made.words))
    typer.echo(f"\n{table(made.changes)}\n")
    typer.echo(f"{made.bundle}: replaced; the old one is kept in {made.before}")
    typer.echo(f"back: {shlex.join(['edgepde', 'recompress', str(bundle), '--roll-back'])}")


def _roll_back(bundle: Path) -> None:
    from ..recompressing.keeping import roll_back

    kept = roll_back(bundle.absolute())
    typer.echo(f"{bundle}: put back" + (f"; what was there is kept in {kept}" if kept != bundle.absolute() else ""))
