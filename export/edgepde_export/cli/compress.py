"""`edgepde compress`: from a run or a module to a smaller run."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .outcome import INTERRUPTED

if TYPE_CHECKING:
    from edgepde.network.compress import Source


@dataclass(frozen=True)
class Order:
    """What was typed."""

    source: str
    out: Path | None
    max_error: str | None
    sweep: str | None
    min_class: str | None
    domain: str | None
    method: str
    seconds: float | None
    seed: int
    budget: Path | None
    plot: Path | None
    points: Path | None = None
    previous: Path | None = None

    @property
    def command(self) -> str:
        """The command line that repeats this order."""
        words = ["edgepde", "compress", self.source]
        for name in ("out", "max_error", "sweep", "min_class", "domain", "seconds", "budget", "plot", "points"):
            value = getattr(self, name)
            words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
        words += [] if self.previous is None else ["--from", str(self.previous)]
        words += ["--method", self.method] * (self.method != "auto")
        words += ["--seed", str(self.seed)] * (self.seed != 0)
        return shlex.join(words)

    @property
    def is_module(self) -> bool:
        """Whether FILE.py:callable was given."""
        return ".py" in self.source.rpartition(":")[0]


What = Annotated[str, typer.Argument(metavar="RUN|FILE.py:callable", help="What to compress.", show_default=False)]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="RUN2", help="Folder of the compressed run; not for --sweep.")
]
MaxError = Annotated[
    str | None,
    typer.Option(
        "--max-error",
        metavar="E",
        help="Error to stay under: 1e-3, u=1e-3, 1e-2,[x=0.4:0.6]=1e-4 for a part; u_x=0.1,u_xx=5 beside it, measured.",
    ),
]
Sweep = Annotated[
    str | None, typer.Option("--sweep", metavar="A:B", help="Try a range of errors and print size against error.")
]
MinClass = Annotated[
    str | None,
    typer.Option(
        "--min-class", metavar="sound|statistical|measured", help="Weakest class the error may have; else sound."
    ),
]
Domain = Annotated[
    str | None,
    typer.Option("--domain", metavar="LOW:HIGH,...", help="Box of a module's inputs; f=-1:1*600: 600 columns."),
]
Method = Annotated[
    str,
    typer.Option(
        "--method",
        help="auto takes the smallest; or one: hmatrix, low-rank, merge; s2gpt: tucker; factorconv: truncate, shared, "
        "tucker2, svd, decoder.",
    ),
]
Seconds = Annotated[float | None, typer.Option("--seconds", min=1.0, help="For the search and its proofs, per error.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the points that are sampled.")]
Budget = Annotated[
    Path | None, typer.Option("--budget", metavar="FILE.toml", help="With --sweep: marks the cheapest that meets it.")
]
Plot = Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", help="With --sweep: draws what it prints.")]
Points = Annotated[
    Path | None,
    typer.Option(
        "--points", metavar="FILE.npz|MESH", help="Where an operator's inputs and outputs lie; a run may have them."
    ),
]
From = Annotated[
    Path | None,
    typer.Option("--from", metavar="OLD", help="Keep what still holds of this compressed run, and its error."),
]


def command(
    *,
    run: What,
    out: Out = None,
    max_error: MaxError = None,
    sweep: Sweep = None,
    min_class: MinClass = None,
    domain: Domain = None,
    method: Method = "auto",
    seconds: Seconds = None,
    seed: Seed = 0,
    budget: Budget = None,
    plot: Plot = None,
    points: Points = None,
    previous: From = None,
) -> None:
    """Make a trained run smaller and prove what that costs.

    Give the error you can afford with --max-error, or --sweep A:B to see what each error would save. The original is
    kept in the new run as the reference, and ledger.json says per part what was chosen and why. The error covers
    compression, stored weights and the device's arithmetic, and is proved for every input of the box; where nothing
    within it is proved the command exits 4 with the best bound. Limits on derivatives, u_x=0.1, are measured and need
    no class. Runs of the family s2gpt have a measured error and need --min-class measured. Simulators of the family
    factorconv get lower ranks or a smaller core and are taught by the original; their error is proved where it can be,
    and measured with --min-class measured. Where weights drifted, --from OLD keeps what still holds of an earlier
    compression. Ctrl-C loses nothing that was proved: the same command resumes.
    """
    order = Order(run, out, max_error, sweep, min_class, domain, method, seconds, seed, budget, plot, points, previous)
    try:
        _compress(order)
    except KeyboardInterrupt:
        there = order.out is not None and order.out.exists()
        kept = f"what was proved is kept in {order.out}, resume with" if there else "nothing is kept, start again with"
        typer.echo(f"edgepde compress: interrupted; {kept}: {order.command}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _compress(order: Order) -> None:
    _check(order)
    if order.sweep is not None and _is_network(order):
        _sweep(order)
    elif order.is_module:
        _module(order)
    else:
        _run(order)
    if order.out is not None and order.sweep is None:
        bundle = order.out.parent / "bundle"
        typer.echo(f"next: {shlex.join(['edgepde', 'export', str(order.out), '--out', str(bundle)])}")


def _check(order: Order) -> None:
    """Raise InputError for options that do not go together."""
    from edgepde_runtime.errors import InputError

    given = (order.max_error is not None, order.sweep is not None)
    if given == (True, True) or (given == (False, False) and order.previous is None):
        raise InputError("expected either --max-error E or --sweep A:B")
    if order.sweep is None and (order.budget is not None or order.plot is not None):
        raise InputError("--budget and --plot expected --sweep A:B with them")
    if order.sweep is not None and (order.points is not None or order.previous is not None):
        raise InputError("--points and --from expected --max-error E with them, not --sweep")
    if order.domain is not None and not order.is_module:
        raise InputError(f"{order.source}: --domain is for modules of your own; a run has the box it was trained for")


def _run(order: Order) -> None:
    """Compress a run of any family that can be."""
    from edgepde.compress import compress_run

    compress_run(
        Path(order.source),
        order.out,
        order.max_error,
        order.sweep,
        order.min_class,
        order.method,
        order.seconds,
        order.seed,
        order.command,
        points=order.points,
        previous=order.previous,
    )


def _is_network(order: Order) -> bool:
    """Whether a plain network is compressed: a module of the user's own, or a run of that family."""
    if order.is_module:
        return True
    from edgepde.compress.run import family_compressor

    return family_compressor(Path(order.source)).__name__ == "edgepde.network.compress"


def _source(order: Order) -> Source:
    """The network that was named."""
    from edgepde_runtime.errors import InputError

    from edgepde.network.compress import of_module, of_run

    if not order.is_module:
        return of_run(Path(order.source))
    from ..domain import parse_domain
    from ..source import load_module

    if order.domain is None:
        raise InputError("the box of inputs is missing: give --domain low:high,..., one per column")
    return of_module(order.source, load_module(order.source), parse_domain(order.domain))


def _module(order: Order) -> None:
    """Compress a module of the user's own."""
    from edgepde_runtime.errors import InputError
    from edgepde_runtime.limits import class_name

    from edgepde.network.compress import compress_to, summary

    source = _source(order)
    if order.out is None:
        raise InputError("--out RUN2 is missing: where to write the compressed run")
    made = compress_to(
        source,
        order.out,
        order.max_error,
        min_class=class_name(order.min_class or "sound", "--min-class"),
        method=order.method,
        seconds=order.seconds,
        seed=order.seed,
        command=order.command,
        points=order.points,
        previous=order.previous,
    )
    typer.echo(summary(order.out, made))


def _sweep(order: Order) -> None:
    """Print, draw and mark what every error would save."""
    from edgepde_runtime import budget
    from edgepde_runtime.errors import NotVerified

    from .. import sweeping

    source = _source(order)
    limits = None if order.budget is None else budget.find(order.budget, order.out or Path(order.source))
    points = sweeping.sweep(source, order.sweep or "", method=order.method, seconds=order.seconds, seed=order.seed)
    output = source.names["output"]
    marked = sweeping.cheapest(points, limits, output)
    unit = str(source.spec.get("units", {}).get(output, ""))
    typer.echo(sweeping.table(points, unit, marked))
    if order.plot is not None:
        sweeping.draw(points, order.plot, unit, marked)
        typer.echo(f"drawn: {order.plot}")
    if limits is not None and marked is None:
        raise NotVerified(f"{order.budget}: no point of the sweep meets it")
