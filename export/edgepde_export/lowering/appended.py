"""A module with the derivative and residual outputs that were asked for, and its original with the same."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from edgepde_runtime.manifest import OutputSpec

from edgepde.mollifier.outputs.appended import plan
from edgepde.mollifier.outputs.request import FIELD
from edgepde.network.signature import row_shapes

from .options import Naming, Options


@dataclass(frozen=True)
class Compression:
    """A compressed network's original and the ledger of what was chosen."""

    original: torch.nn.Module
    ledger: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Extended:
    """The module that returns a tuple, what the manifest says of it; what stands between field and output, in words."""

    module: torch.nn.Module
    outputs: tuple[OutputSpec, ...]
    operators: tuple[str, ...]
    of: Callable[[torch.nn.Module], torch.nn.Module]

    def compressed(self, compression: Compression) -> Compression:
        """The same of the original."""
        original = copy.deepcopy(compression.original).cpu().eval()
        return Compression(self.of(original), compression.ledger)


def appended(module: torch.nn.Module, box: Box, output: OutputSpec, options: Options) -> Extended:
    """The module with more outputs; output: its own, called u where it has no name.

    Raises InputError, ProblemError or UnsupportedModel as `plan` does.
    """
    request = options.append
    assert request is not None
    name = FIELD if output.name == Naming.output else output.name
    made = plan(module, box, request, (name, output.unit), options.log)
    whole = made.of(module)
    held = torch.float64 if output.dtype == "float64" else torch.float32
    shapes = row_shapes(whole, box, held).values()
    specs = tuple(
        OutputSpec(one.name, output.dtype, (output.shape[0], *shape), one.unit, diagnostic=one.diagnostic)
        for one, shape in zip(made.outputs, shapes, strict=True)
    )
    taken = [spec.name for spec in specs]
    if (options.naming or Naming()).input in taken:
        raise InputError(f"--derivatives: the input is called {(options.naming or Naming()).input} too")
    return Extended(whole, specs, tuple(one.operator for one in made.outputs), made.of)
