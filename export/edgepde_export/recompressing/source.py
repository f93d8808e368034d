"""What a new bundle is made of: a run, or the reference network that the old bundle carries."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.bundle import REFERENCE, Bundle
from edgepde_runtime.errors import InputError, UnsupportedModel
from edgepde_runtime.onnxfile import parse

from edgepde.certify.from_graph import from_graph
from edgepde.compress import compress, compress_run
from edgepde.network.module import NetworkModule
from edgepde.network.store import KINDS
from edgepde.train.finished_run import open_run

from .outputs import own
from .settings import Settings, read_ledger


@dataclass(frozen=True)
class Made:
    """source: what export() takes; box: its domain, None for a run, which knows its own."""

    source: Any
    box: Box | None


@dataclass(frozen=True)
class Network:
    """A network for export(): what ships, the original it is measured against, and what was chosen."""

    module: torch.nn.Module
    reference: torch.nn.Module
    ledger: Mapping[str, Any]


def reference_module(bundle: Bundle) -> NetworkModule:
    """The bundle's reference network in float64; raises InputError without one, UnsupportedModel naming its node."""
    graph = bundle.reference
    if graph is None:
        raise InputError(
            f"{bundle.root}: has no {REFERENCE}, so there is nothing to rebuild it from; give --run RUN, the run "
            "folder it was exported from or one trained since"
        )
    where, (spec, *more) = bundle.root / REFERENCE, bundle.manifest.inputs
    if more:
        raise UnsupportedModel(f"{where}: expected a network of one input, got {1 + len(more)}; give --run RUN")
    output = bundle.manifest.outputs[0]
    if len(names := own(bundle, read_ledger(bundle))) > 1:
        raise UnsupportedModel(f"{where}: expected a network of one output, got {', '.join(names)}; give --run RUN")
    sizes = [n for n in output.shape[1:] if isinstance(n, int)]
    try:
        network = from_graph(parse(graph).graph, spec.shape[1], output.name)
    except UnsupportedModel as error:
        raise UnsupportedModel(f"{where}: cannot be read as a network: {error}; give --run RUN") from None
    odd = next((type(n).__name__ for n in network.nodes if type(n) not in KINDS.values()), None)
    if odd is not None:
        raise UnsupportedModel(f"{where}: cannot be made a module again: it has a node of kind {odd}; give --run RUN")
    return NetworkModule(network, sizes, torch.float64).eval()


def of_reference(bundle: Bundle, settings: Settings, max_error: str | None, seconds: float | None) -> Made:
    """The reference network, compressed to max_error where one is given.

    Raises what reference_module() and compress() raise.
    """
    reference = reference_module(bundle)
    spec, output = bundle.manifest.inputs[0], bundle.manifest.outputs[0]
    dtype = torch.float32 if output.dtype == "float32" else torch.float64
    narrow = NetworkModule(reference.network(), reference.shape, dtype).eval()
    if max_error is None:
        held = zip(narrow.parameters(), reference.parameters(), strict=True)
        if all(torch.equal(a.double(), b) for a, b in held):
            return Made(narrow, spec.box)
        return Made(Network(narrow, reference, {}), spec.box)
    how: dict[str, Any] = {"output": output.name, "method": settings.method}
    how |= {} if seconds is None else {"seconds": seconds}
    small = compress(narrow, spec.box, max_error, **how)
    return Made(Network(small.module, reference, small.ledger), spec.box)


def of_run(
    run: Path, place: Path, settings: Settings, max_error: str | None, seconds: float | None, *, again: bool
) -> Made:
    """A run, compressed into the folder `place` where max_error is given and it is not compressed yet, or `again` is.

    Raises what compress_run() raises; what is printed there goes to stderr.
    """
    compressed = open_run(run).ledger is not None
    if max_error is None or (compressed and not again):
        return Made(run, None)
    minimum = str(settings.kept["min_class"] or "measured")
    with contextlib.redirect_stdout(sys.stderr):
        compress_run(run, place, max_error, None, minimum, settings.method, seconds)
    return Made(place, None)
