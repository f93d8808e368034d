"""Any torch.nn.Module with one input and one output: a network of layers the runtime knows, trained anywhere."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.manifest import SHOWN, Column, InputSpec, OutputSpec
from numpy.typing import NDArray

from edgepde.certify.from_module import from_module
from edgepde.certify.network import Network
from edgepde.network.signature import parameter_dtype, row_shape, spelled

from ..bundle import BundleContent
from . import measured
from .graph import to_onnx
from .options import Naming, Options
from .plain import Plain, content
from .prepare import prepare
from .samples import golden_points

ROWS = "M"
_WIDE = np.dtype(np.float64)


@dataclass(frozen=True)
class Compression:
    """A compressed network's original and the ledger of what was chosen."""

    original: torch.nn.Module
    ledger: Mapping[str, Any]


def lower(
    module: torch.nn.Module,
    box: Box,
    options: Options | None = None,
    compression: Compression | None = None,
    recorded: measured.Recorded | None = None,
) -> BundleContent:
    """The bundle of a module x [M, d] -> y [M, ...], float32 or float64 as its parameters are.

    recorded: the model's own error, where its training knows it.

    Raises UnsupportedModel naming the module, parameter or node; InputError where the box has another number of columns
    than the module takes; DataError for bad data.
    """
    options = options or Options()
    naming = options.naming or Naming()
    held = parameter_dtype(module)
    dtype = np.dtype(spelled(held))
    device = copy.deepcopy(module).cpu().eval()
    wide = _Wide(device)
    spec = InputSpec(naming.input, dtype.name, (ROWS, box.dimension), columns(box))
    output = OutputSpec(naming.output, dtype.name, (ROWS, *row_shape(device, box, held)), naming.unit)
    original = compression.original if compression else device

    def networks() -> tuple[Network, Network]:
        shipped = from_module(device, box.dimension)
        return (from_module(original, box.dimension) if compression else shipped), shipped

    return content(
        Plain(
            model=prepare(_graph(device, (spec, output), box, dtype), options.log),
            signature=(spec, output),
            values=_values(device, wide, compression),
            networks=networks,
            reference=lambda: _graph(copy.deepcopy(original).cpu().double().eval(), (spec, output), box, _WIDE),
            problem=_problem(device, box),
            ledger=compression.ledger if compression else None,
            recorded=recorded,
        ),
        box,
        options,
    )


def _graph(
    module: torch.nn.Module, signature: tuple[InputSpec, OutputSpec], box: Box, dtype: np.dtype[np.floating]
) -> onnx.ModelProto:
    spec, output = signature
    example = torch.from_numpy(golden_points(box, 3, 0, dtype))[-3:].contiguous()
    return to_onnx(module, {spec.name: example}, {spec.name: {0: ROWS}}, [output.name])


def _values(device: torch.nn.Module, wide: _Wide, compression: Compression | None) -> measured.Networks:
    """What the device is compared with: the original in float64, the shipped module in float64 and in float32."""
    original = _Wide(compression.original) if compression else wide
    return measured.Networks(original, wide, compression is not None, _Wide(device, torch.float32))


class _Wide:
    """A module evaluated in float64: the reference that a device's rounding is measured against; or in float32."""

    def __init__(self, module: torch.nn.Module, dtype: torch.dtype = torch.float64) -> None:
        self._dtype = dtype
        self._module = copy.deepcopy(module).cpu().to(dtype).eval()

    def __call__(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        with torch.no_grad():
            y = self._module(torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64)).to(self._dtype))
        if not isinstance(y, torch.Tensor):
            raise UnsupportedModel(f"the module: expected one tensor as output, got {type(y).__name__}")
        return np.ascontiguousarray(y.numpy(), dtype=np.float64)


def columns(box: Box) -> tuple[Column, ...]:
    return tuple(Column(*c) for c in zip(box.names, box.units, box.low, box.high, strict=True))


def _problem(module: torch.nn.Module, box: Box) -> str:
    count = sum(p.numel() for p in module.parameters())
    return f"A network of class {type(module).__name__} with {count} parameters, of {named(box)}."


def named(box: Box) -> str:
    """The columns of a box, the first of many."""
    more = box.dimension - SHOWN
    return ", ".join(box.names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
