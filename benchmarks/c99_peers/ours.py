"""Our own side: a bundle with its C99 target, compiled per instruction set behind the common call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import edgepde_export
import numpy as np
import torch
from edgepde_export.lowering.options import Naming
from edgepde_runtime import Box, Manifest
from edgepde_runtime.bundle import read
from edgepde_runtime.errors import EdgePDEError
from native.build import Isa, shared_library

from c99_peers.networks import Workload

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Ours:
    """A bundle, if there is one; missing: why it has no C99 target, or nothing."""

    bundle: Path | None
    missing: str = ""

    @property
    def sources(self) -> Path:
        """The folder of its C files."""
        assert self.bundle is not None
        return self.bundle / "c99"


def of_module(net: torch.nn.Sequential, asked: Workload, folder: Path) -> Ours:
    """Exported for [-1, 1]^d with the C99 target."""
    d = asked.sizes[0]
    names = [f"x{i}" for i in range(d)]
    box = Box(low=np.full(d, -1.0), high=np.full(d, 1.0), names=names, units=[""] * d)
    naming = Naming(asked.name, "x", "y", "")
    try:
        made = edgepde_export.export(
            net, folder / asked.name, domain=box, targets=["onnx", "c99"], naming=naming, log=lambda _: None
        )
    except EdgePDEError as error:
        return Ours(None, f"no C99 target: {error}")
    return of_bundle(made)


def of_bundle(folder: Path) -> Ours:
    """A bundle as it lies there."""
    if not (folder / "c99").is_dir():
        return Ours(folder, f"{folder.name}: no c99/ in the bundle")
    return Ours(folder)


def manifest_of(ours: Ours) -> Manifest:
    """Of its bundle."""
    assert ours.bundle is not None
    return read(ours.bundle).manifest


def library(ours: Ours, isa: Isa, folder: Path) -> Path:
    """<name>.c and the adapter to the common call, one instruction set."""
    manifest = manifest_of(ours)
    stem = folder / f"ours_{manifest.name}_{isa.name}"
    adapter = stem.with_suffix(".c")
    adapter.write_text(_adapter(manifest), encoding="utf-8")
    sources = [ours.sources / f"{manifest.name}.c", adapter]
    out = stem.with_suffix(".so")
    shared_library(sources, isa.flags, out, [HERE, ours.sources, ours.sources / "kernels"])
    return out


def _adapter(manifest: Manifest) -> str:
    name = manifest.name
    symbols = dict.fromkeys(n for spec in manifest.inputs for n in spec.shape if isinstance(n, str))
    arguments = [f"c->sizes[{i}]" for i in range(len(symbols))]
    arguments += [f"c->inputs[{i}]" for i in range(len(manifest.inputs))]
    arguments += [f"c->outputs[{i}]" for i in range(len(manifest.outputs))]
    return f"""#include "call.h"
#include "{name}.h"
size_t bench_scratch_bytes(void) {{ return {name.upper()}_SCRATCH_BYTES; }}
int bench_rival(void *argument) {{
    const struct call *c = argument;
    return {name}_run({", ".join(arguments)}, c->scratch);
}}
"""
