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
from .signature import first_line, parameter_dtype, row_shape


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
    dtype = parameter_dtype(module)
    held = copy.deepcopy(module).cpu().eval()
    if isinstance(held, NetworkModule):
        if held.dimension != box.dimension:
            raise InputError(f"domain: the box has {box.dimension} columns, the module takes {held.dimension}")
        return Read(held.network(), held.shape, dtype)
    shape = row_shape(held, box, dtype)
    try:
        network = from_module(held, box.dimension)
    except UnsupportedModel:
        raise
    except Exception as error:
        raise UnsupportedModel(f"the module: its graph cannot be read: {first_line(error)}") from error
    return Read(network, shape, dtype)
