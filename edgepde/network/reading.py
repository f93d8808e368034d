"""A module of the user as a network: its parameters checked, its graph read, its output's shape known."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel

from edgepde.certify.from_module import from_module
from edgepde.certify.network import Network

from .module import NetworkModule


@dataclass(frozen=True)
class Read:
    """network: in real arithmetic, with the weights held. shape: of a row of the output. dtype: of the parameters."""

    network: Network
    shape: tuple[int, ...]
    dtype: torch.dtype

    def rebuilt(self, network: Network | None = None) -> NetworkModule:
        """A module of the same signature with another network, its own where None."""
        return NetworkModule(network or self.network, self.shape, self.dtype).eval()


def read_module(module: torch.nn.Module, box: Box) -> Read:
    """The network of a module x [M, d] -> y [M, ...].

    Raises UnsupportedModel naming the parameter or node; InputError where the box has another number of columns.
    """
    dtype = _dtype(module)
    held = copy.deepcopy(module).cpu().eval()
    if isinstance(held, NetworkModule):
        if held.dimension != box.dimension:
            raise InputError(f"domain: the box has {box.dimension} columns, the module takes {held.dimension}")
        return Read(held.network(), held.shape, dtype)
    shape = _row_shape(held, box, dtype)
    try:
        network = from_module(held, box.dimension)
    except UnsupportedModel:
        raise
    except Exception as error:
        raise UnsupportedModel(f"the module: its graph cannot be read: {_first_line(error)}") from error
    return Read(network, shape, dtype)


def _dtype(module: torch.nn.Module) -> torch.dtype:
    dtypes: dict[torch.dtype, str] = {}
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if not tensor.is_floating_point() and not tensor.is_complex():
            continue
        if tensor.dtype not in (torch.float32, torch.float64):
            raise UnsupportedModel(f"parameter {name}: expected float32 or float64, got {_spelled(tensor.dtype)}")
        bad = int((~torch.isfinite(tensor)).sum())
        if bad:
            raise UnsupportedModel(f"parameter {name}: expected finite numbers, got {bad} NaN or infinite")
        dtypes.setdefault(tensor.dtype, name)
    if len(dtypes) > 1:
        mixed = " and ".join(f"{name} {_spelled(dtype)}" for dtype, name in dtypes.items())
        raise UnsupportedModel(f"parameters: expected one dtype, got {mixed}")
    return next(iter(dtypes), torch.float32)


def _row_shape(module: torch.nn.Module, box: Box, dtype: torch.dtype) -> tuple[int, ...]:
    low, high = (torch.tensor(side, dtype=torch.float64) for side in (box.low, box.high))
    rows = (low + torch.tensor([[0.25], [0.5], [0.75]]).double() * (high - low)).to(dtype)
    try:
        with torch.no_grad():
            y = module(rows)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        raise InputError(
            f"domain: the box has {box.dimension} columns ({', '.join(box.names)}); "
            f"the module does not take x [M, {box.dimension}]: {_first_line(error)}"
        ) from error
    if not isinstance(y, torch.Tensor) or y.ndim == 0 or len(y) != len(rows) or 0 in y.shape:
        got = list(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
        raise UnsupportedModel(f"the module: expected y [M, k] for x [M, {box.dimension}], got {got} for M = 3")
    return tuple(y.shape[1:])


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]


def _spelled(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
