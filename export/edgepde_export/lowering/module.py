"""Any torch.nn.Module with one input: a network of layers the runtime knows, trained anywhere."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import onnx
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.manifest import SHOWN, Column, InputSpec, OutputSpec
from numpy.typing import NDArray

from edgepde.certify.from_module import from_module
from edgepde.certify.network import Network
from edgepde.network.signature import parameter_dtype, row_shapes, spelled

from ..bundle import BundleContent
from . import measured
from .appended import Compression, appended
from .graph import to_onnx
from .options import Naming, Options
from .plain import Answer, Plain, content
from .prepare import prepare
from .samples import golden_points

ROWS = "M"
_WIDE = np.dtype(np.float64)


def lower(
    module: torch.nn.Module,
    box: Box,
    options: Options | None = None,
    compression: Compression | None = None,
    recorded: measured.Recorded | None = None,
) -> BundleContent:
    """The bundle of a module x [M, d] -> y [M, ...], or a tuple of such y, float32 or float64 as its parameters are.

    recorded: the model's own error, where its training knows it; of several outputs that of the first.

    Raises UnsupportedModel naming the module, parameter, output or node; InputError where the box has another number of
    columns than the module takes; DataError for bad data.
    """
    options = options or Options()
    naming = options.naming or Naming()
    held = parameter_dtype(module)
    dtype = np.dtype(spelled(held))
    device = copy.deepcopy(module).cpu().eval()
    problem = _problem(device, box)
    spec = InputSpec(naming.input, dtype.name, (ROWS, box.dimension), columns(box))
    outputs, several = signature_of(device, box, held, naming)
    operators: Sequence[str] = [""] * len(outputs)
    if options.append is not None:
        extended = appended(device, box, outputs[0], options)
        compression = None if compression is None else extended.compressed(compression)
        device, outputs, operators, several = extended.module, extended.outputs, extended.operators, True
    original = compression.original if compression else device
    # constants that an operator makes of weights are rounded in the graph alone
    exact = _unchanged if options.append is None else _in_double

    def answer(place: int, output: OutputSpec) -> Answer:
        part = place if several else None

        def networks() -> tuple[Network, Network]:
            shipped = from_module(exact(device), box.dimension, part)
            return (from_module(exact(original), box.dimension, part) if compression else shipped), shipped

        found = None if place else recorded
        return Answer(output, _values(device, compression, part), networks, found, operators[place])

    return content(
        Plain(
            model=prepare(_graph(device, spec, outputs, box, dtype), options.log),
            spec=spec,
            answers=tuple(answer(place, output) for place, output in enumerate(outputs)),
            reference=lambda: _reference(original, spec, outputs, box),
            problem=problem,
            ledger=compression.ledger if compression else None,
        ),
        box,
        options,
    )


def signature_of(
    module: torch.nn.Module, box: Box, held: torch.dtype, naming: Naming
) -> tuple[tuple[OutputSpec, ...], bool]:
    """What the manifest says of the outputs, and whether the module returns a tuple.

    A named tuple has the names of its fields, another tuple y0, y1 ... Raises UnsupportedModel naming an output whose
    name another has, or the input.
    """
    shapes = row_shapes(module, box, held)
    if list(shapes) == [""]:
        return (OutputSpec(naming.output, spelled(held), (ROWS, *shapes[""]), naming.unit),), False
    named = {name if name.isidentifier() else f"{naming.output}{name}": shape for name, shape in shapes.items()}
    if naming.input in named:
        raise UnsupportedModel(f"the module: output {naming.input}: the input has that name")
    units = naming.units or {}
    specs = [OutputSpec(n, spelled(held), (ROWS, *shape), units.get(n, naming.unit)) for n, shape in named.items()]
    return tuple(specs), True


def _graph(
    module: torch.nn.Module,
    spec: InputSpec,
    outputs: Sequence[OutputSpec],
    box: Box,
    dtype: np.dtype[np.floating],
) -> onnx.ModelProto:
    example = torch.from_numpy(golden_points(box, 3, 0, dtype)[-3:]).contiguous()
    return to_onnx(module, {spec.name: example}, {spec.name: {0: ROWS}}, [output.name for output in outputs])


def _reference(original: torch.nn.Module, spec: InputSpec, outputs: Sequence[OutputSpec], box: Box) -> onnx.ModelProto:
    """The float64 graph of the outputs that have a certificate."""
    wide = copy.deepcopy(original).cpu().double().eval()
    kept = [place for place, output in enumerate(outputs) if not output.diagnostic]
    if len(kept) < len(outputs):
        wide = _Kept(wide, kept)
    return _graph(wide, spec, [outputs[place] for place in kept], box, _WIDE)


def _unchanged(module: torch.nn.Module) -> torch.nn.Module:
    return module


def _in_double(module: torch.nn.Module) -> torch.nn.Module:
    return copy.deepcopy(module).cpu().double().eval()


class _Kept(torch.nn.Module):
    """Some of the outputs of a module that returns a tuple."""

    def __init__(self, module: torch.nn.Module, places: Sequence[int]) -> None:
        super().__init__()
        self.module, self.places = module, tuple(places)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The outputs at `places`."""
        y = self.module(x)
        return tuple(y[place] for place in self.places)


def _values(device: torch.nn.Module, compression: Compression | None, part: int | None) -> measured.Networks:
    """What the device is compared with: the original in float64, the shipped module in float64 and in float32."""
    wide = _Wide(device, part=part)
    original = _Wide(compression.original, part=part) if compression else wide
    return measured.Networks(original, wide, compression is not None, _Wide(device, torch.float32, part))


class _Wide:
    """A module, or an output of it, in float64: what a device's rounding is measured against; or in float32."""

    def __init__(self, module: torch.nn.Module, dtype: torch.dtype = torch.float64, part: int | None = None) -> None:
        self._dtype, self._part = dtype, part
        self._module = copy.deepcopy(module).cpu().to(dtype).eval()

    def __call__(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        with torch.no_grad():
            y = self._module(torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64)).to(self._dtype))
        y = y if self._part is None else y[self._part]
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
