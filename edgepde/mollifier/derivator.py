"""What gives a field and its derivatives on a grid: the mollifier layer and its rivals speak alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from torch import Tensor, nn

from .grid import Grid
from .hosts._host import Host, grid_points
from .hosts._separable import SeparableHost
from .names import combination

Fields = Any
"""A named tuple of tensors [.., n_1, .., n_d], one per derivative."""


@final
@dataclass(frozen=True)
class Tables:
    """Tables [n_a, outputs_a] of every axis: `plain` are those of u, `products` those of products; output o is the sum
    of combine[o, k] times product k.
    """

    plain: list[Tensor]
    products: list[list[Tensor]]
    combine: NDArray[np.float64]


class Derivator(nn.Module, ABC):
    """Derivatives of a network on a grid; names: what is asked for, e.g. ("u", "u_t", "laplacian").

    Raises InputError for a name that cannot be a field of a named tuple.
    """

    def __init__(self, grid: Grid, names: Sequence[str], dtype: torch.dtype) -> None:
        super().__init__()
        if dtype not in (torch.float32, torch.float64):
            raise InputError(f"{type(self).__name__}: dtype: expected float32 or float64, got {dtype}")
        self.grid, self.names = grid, tuple(names)
        self.letters, self.shape = tuple(grid.letters), grid.shape
        self.sums = [combination(name, self.letters) for name in self.names]
        self.fields: Callable[..., Fields] = _fields(self.names)
        for axis in grid.axes:
            self.register_buffer(f"axis_{axis.name}", torch.from_numpy(axis.values.copy()).to(dtype), persistent=False)

    @property
    def axes(self) -> tuple[Tensor, ...]:
        """The coordinates of the grid, [n_1] .. [n_d]."""
        return tuple(self.get_buffer(f"axis_{name}") for name in self.letters)

    def columns(self, coordinates: Sequence[str] | None) -> list[int]:
        """Where a network that names its coordinates finds them among the grid's axes."""
        wanted = tuple(coordinates or self.letters)
        if sorted(wanted) != sorted(self.letters):
            raise InputError(f"coordinates: expected {list(self.letters)} in any order, got {list(wanted)}")
        return [self.letters.index(name) for name in wanted]

    @abstractmethod
    def of(
        self, net: Callable[..., Tensor], parameters: Tensor | None = None, coordinates: Sequence[str] | None = None
    ) -> Fields:
        """The named tuple of a network of points; it is called as net(points [M, d]) -> [M] or [M, 1].

        parameters [B, P]: calls net(parameters, points) -> [B, M]. coordinates: their order in the columns of points,
        that of the grid's axes where not given.
        """

    @property
    def constants(self) -> list[float]:
        """What every derivative of the field 1 is."""
        return [sum(factor for factor, orders in total if not any(orders)) for total in self.sums]

    def tables(self, host: SeparableHost) -> Tables:
        """What a separable host assembles to each derivative."""
        raise InputError(f"{type(self).__name__}: expected the layer or SeparableJets for the tables of {host.name}")


def _fields(names: tuple[str, ...]) -> Callable[..., Fields]:
    made: Any = namedtuple  # its fields are known only here
    try:
        found: Callable[..., Fields] = made("Fields", names)
    except ValueError as error:
        raise InputError(f"names: expected different derivatives, got {list(names)}: {error}") from None
    return found


def on_grid(
    derivator: Derivator,
    net: Callable[..., Tensor],
    parameters: Tensor | None,
    coordinates: Sequence[str] | None,
) -> Tensor:
    """A network's values on the grid, [n_1, .., n_d] or [B, n_1, .., n_d]. InputError for another shape."""
    columns = derivator.columns(coordinates)
    if isinstance(net, Host) and columns == sorted(columns):
        return net.on_grid(derivator.axes) if parameters is None else net.on_grid(derivator.axes, parameters)  # type: ignore[call-arg]
    points = grid_points(derivator.axes)[:, columns]
    return shaped(net(points) if parameters is None else net(parameters, points), derivator.shape, parameters)


def shaped(values: Tensor, shape: Sequence[int], parameters: Tensor | None) -> Tensor:
    """What a network of points returned, on the grid; InputError unless it is one number per point."""
    count = 1
    for n in shape:
        count *= n
    lead = () if parameters is None else (len(parameters),)
    if tuple(values.shape) not in ((*lead, count), (*lead, count, 1)):
        raise InputError(f"network: expected {[*lead, count]}, one number per point, got {list(values.shape)}")
    return values.reshape(*lead, *shape)
