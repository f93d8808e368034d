"""`edgepde report`: one page that shows what a bundle does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    *,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.html", help="Page to write; an older one is replaced.")],
    budget: Annotated[
        Path | None, typer.Option("--budget", metavar="FILE.toml", help="Limits from its [[model]] tables; flags win.")
    ] = None,
    p50_us: Annotated[
        str | None, typer.Option("--p50-us", metavar="T", help="The median of a call takes at most T microseconds.")
    ] = None,
    p99_us: Annotated[
        str | None, typer.Option("--p99-us", metavar="T", help="99 of 100 calls take at most T microseconds.")
    ] = None,
    backend: Annotated[
        str, typer.Option("--backend", metavar="NAME", help="What computes: auto, c99, ort, reference.")
    ] = "auto",
    seconds: Annotated[str, typer.Option("--seconds", metavar="S", help="How long each latency is measured.")] = "1",
) -> None:
    """Draw what a bundle does: one HTML page without outside parts, for a screen, a phone or paper.

    Verifies the bundle and measures it on this machine: fields and error maps, chosen points and snapshots, latency
    against the budget, break-even against the reference solver. The page tells the verdict and the exit code is 0 once
    it is written; `edgepde verify` is the one that fails a pipeline.
    """
    from ..report.write import Asked, write

    verdict = write(bundle, out, Asked(budget, p50_us, p99_us, backend, seconds))
    typer.echo(f"{out}: {out.stat().st_size / 1024:.0f} KB, verdict: {verdict}")
