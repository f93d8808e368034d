"""Compressing networks into run folders: a run of this family, or a module of the user's own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.term import upward

from edgepde.compress.allowance import MaxError
from edgepde.compress.compressing import SECONDS, Compressed, compress
from edgepde.compress.geometry import Geometry, geometry
from edgepde.compress.hunt import Known
from edgepde.compress.ledger import told
from edgepde.errors import RunError
from edgepde.network import folders, store
from edgepde.network.module import NetworkModule
from edgepde.network.reading import read_module
from edgepde.train.layout import CHECKPOINT, SPEC
from edgepde.train.run_folder import Run

BEST = "best"


@dataclass(frozen=True)
class Source:
    """What is compressed: the module, its box, what spec.json says of it, and what it is called."""

    module: torch.nn.Module
    box: Box
    names: Mapping[str, str]
    spec: Mapping[str, Any]
    identity: Mapping[str, Any]
    geometry: Geometry = field(default_factory=Geometry)


def of_run(path: Path) -> Source:
    """The network of a run; of a compressed run its original, so that errors do not add up."""
    loaded = store.load(path)
    carried = {key: loaded.run.spec[key] for key in ("problem", "units", "history")}
    identity = {"compressed": path.name, "of": loaded.run.spec["identity"]}
    names = {"input": loaded.input, "output": loaded.output}
    at = folders.geometry_of(loaded)
    return Source(loaded.reference or loaded.module, loaded.box, names, carried, identity, at)


def of_module(text: str, module: torch.nn.Module, box: Box) -> Source:
    """A module of the user's own."""
    spec = {"problem": {"name": text.rpartition(":")[2] or text}}
    return Source(module, box, {"input": "x", "output": "y"}, spec, {"compressed": text})


def compress_to(
    source: Source,
    out: Path,
    max_error: MaxError | None,
    *,
    min_class: str = "sound",
    method: str = "auto",
    seconds: float | None = None,
    seed: int = 0,
    command: str = "",
    points: Any = None,
    previous: Path | None = None,
) -> Compressed:
    """Write the compressed run `out`; the best form proved so far is kept while it goes, the same command resumes.

    points: as of compress(), else the source's. previous: a compressed run whose blocks are kept where they still hold.
    Where nothing was proved the folder is removed again. Raises what compress() raises; RunError for a folder in use.
    """
    identity = {**source.identity, "max_error": str(max_error), "method": method, "min_class": min_class, "seed": seed}
    identity |= {} if previous is None else {"from": previous.name}
    old = None if previous is None else folders.previous_of(previous)
    at = source.geometry if points is None else geometry(points)
    existed = out.exists()
    with Run.start(out, identity, command=command) as run:
        try:
            how: dict[str, Any] = {"min_class": min_class, "method": method, "seed": seed, "points": at}
            how |= {"output": source.names["output"], "seconds": SECONDS if seconds is None else seconds}
            how |= {"keep": partial(_keep, run), "known": _known(run), "previous": old}
            made = compress(source.module, source.box, max_error, **how)
            write(run, source, made)
        except BaseException:
            _leave(run, existed)
            raise
    return made


def write(run: Run, source: Source, made: Compressed) -> None:
    """Finish a run with a compressed network."""
    small = made.module
    assert isinstance(small, NetworkModule)
    reference = read_module(source.module, source.box).rebuilt()
    tensors, more = folders.kept(made)
    run.finish(
        {**store.tensors(small), **tensors},
        {
            "family": store.FAMILY,
            "architecture": store.architecture(small),
            "box": {"x": source.box},
            **source.spec,
            store.FAMILY: {**store.section(reference, source.names), **more},
        },
        reference=store.tensors(reference),
        ledger=made.ledger,
    )


def summary(out: Path, made: Compressed) -> str:
    """What a compression cost and gained, in a line."""
    error, total = made.ledger["error"], made.ledger["total"]
    share = total["bytes_after"] / max(1, total["bytes_before"])
    lines = [f"  {line}" for line in told(made.ledger)]
    bound = f"|original - device| <= {upward(error['value'])}, {error['class']}"
    for one in error.get("derivatives", []):
        bound += f"; {one['name']} {upward(one['value'])}, {one['class']}"
    sizes = f"{total['bytes_before'] / 1024:.1f} to {total['bytes_after'] / 1024:.1f} KB of weights, {share:.3f} of it"
    return "\n".join([f"{out}: {sizes}; {bound}", *lines[:-1], *folders.told_of_update(made.ledger)])


def _keep(run: Run, known: Known) -> None:
    module = NetworkModule(known.network, None, torch.float64)
    meta = {
        "architecture": store.architecture(module),
        "form": known.form,
        "options": list(known.options),
        "fitted": known.fitted,
    }
    run.save(BEST, store.tensors(module), meta)


def _known(run: Run) -> Known | None:
    kept = run.restore(BEST)
    if kept is None:
        return None
    tensors, meta = kept
    network = store.rebuilt(meta["architecture"], tensors, f"{run.path / CHECKPOINT / BEST}").network()
    return Known(str(meta["form"]), tuple(int(o) for o in meta["options"]), network, bool(meta["fitted"]))


def _leave(run: Run, existed: bool) -> None:
    """Remove what nobody needs: a folder of ours in which nothing was kept."""
    if run.names() or (run.path / SPEC).exists():
        return
    run.close()
    shutil.rmtree(run.path / CHECKPOINT, ignore_errors=True)
    if not existed:
        try:
            run.path.rmdir()
        except OSError as error:
            raise RunError(f"{run.path}: cannot be removed: {error.strerror}") from error
