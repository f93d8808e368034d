"""What a host is trained on: its misfit on readings, its PDE residual, the coefficient that explains it best."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import numpy as np
import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from .coefficient import Coefficient
from .derivator import Derivator, Fields
from .hosts._host import Host
from .readings import Readings

Residual = Callable[[Fields, Tensor], Tensor]
"""residual(fields, lambda) [n_1, .., n_d]; fields as the derivator names them."""
ON_NODE = 1e-9
TINY = 1e-300


@final
class Objective:
    """parts: readings to fit and to judge by. edge: rows at each end of every axis whose residual does not count.

    eliminate: lambda is the least squares solution for the field as it stands; the residual must be linear in it.
    Raises InputError where the edges leave nothing, and where the residual or the coefficient cannot be eliminated.
    """

    def __init__(
        self,
        host: Host,
        coefficient: Coefficient,
        derivator: Derivator,
        residual: Residual,
        parts: tuple[Readings, Readings],
        edge: int = 0,
        eliminate: bool = True,
    ) -> None:
        self.host, self.coefficient, self.derivator, self.residual = host, coefficient, derivator, residual
        self.fitted, self.held = (Sensors(host, derivator, part) for part in parts)
        self.eliminate, self.held_count = eliminate, len(parts[1].values)
        for letter, n in zip(derivator.letters, derivator.shape, strict=True):
            if n <= 2 * edge:
                raise InputError(f"edge: axis {letter}: expected less than half of its {n} points, got {edge}")
        self.inside = tuple(slice(edge, n - edge) for n in derivator.shape)

    def moved(self, weight: float) -> list[nn.Parameter]:
        """What the optimizer moves when the PDE has this weight."""
        moved = list(self.host.parameters())
        return moved if self.eliminate or not weight else moved + list(self.coefficient.parameters())

    def begin(self) -> float:
        """Set the first coefficient; the root mean square of the residual without it."""
        with torch.no_grad():
            fields = self.derivator.of(self.host)
            zero = self.residual(fields, torch.zeros(self.coefficient.shape, dtype=fields[0].dtype))
            if self.eliminate and not self._solve(fields, checked=True):
                raise InputError("eliminate: expected a residual linear in lambda and a coefficient that can be solved")
            return max(float(zero[self.inside].square().mean().sqrt()), TINY)

    def judge(self) -> float:
        """The root mean square misfit on the held readings."""
        with torch.no_grad():
            return math.sqrt(float(self.held.misfit().square().mean()))

    def loss(self, weight: float, noise: float, scale: float) -> Tensor:
        """The loss at the present weights; without the PDE in units of the host's scale."""
        if not weight:
            return self.fitted.misfit().square().mean() / self.host.scale**2
        fields = self.derivator.of(self.host)
        if self.eliminate:
            with torch.no_grad():
                self._solve(fields)
        wrong = self.residual(fields, self.coefficient().to(fields[0].dtype))[self.inside].square().mean() / scale**2
        loss = self.fitted.misfit(fields).square().mean() / noise**2 + weight * wrong
        return loss if self.eliminate else loss + self.coefficient.penalty().to(loss.dtype)

    def _solve(self, fields: Fields, checked: bool = False) -> bool:
        """Put the best lambda in place, where the residual is zero - lambda * factor."""
        at = [self.residual(fields, torch.full(self.coefficient.shape, v, dtype=fields[0].dtype)) for v in (0.0, 1.0)]
        zero, factor = at[0], at[0] - at[1]
        if checked:
            twice = self.residual(fields, torch.full(self.coefficient.shape, 2.0, dtype=fields[0].dtype))
            if float((zero - 2.0 * factor - twice).abs().max()) > 1e-4 * float(zero.abs().max() + factor.abs().max()):
                return False
        mask = torch.zeros_like(zero)
        mask[self.inside] = 1.0
        return self.coefficient.solve(zero * mask, factor * mask)


@final
class Sensors:
    """Readings as a host meets them: on nodes of the grid, or at points of their own."""

    def __init__(self, host: Host, derivator: Derivator, readings: Readings) -> None:
        nodes, all_on = np.zeros(len(readings.values), dtype=np.int64), True
        for place, axis in enumerate(derivator.grid.axes):
            near = np.abs(readings.points[:, place, None] - axis.values).argmin(1)
            off = np.abs(axis.values[near] - readings.points[:, place]).max()
            all_on = all_on and bool(off <= ON_NODE * axis.length)
            nodes = nodes * axis.size + near
        like = derivator.axes[0]
        self.host, self.axes = host, derivator.axes
        self.points, self.values = (torch.from_numpy(v).to(like) for v in (readings.points, readings.values))
        self.nodes = torch.from_numpy(nodes).to(like.device) if all_on else None
        self.takes_grid = all_on and (host.cheap_on_grids or 2 * len(nodes) > derivator.grid.points)

    def misfit(self, fields: Fields | None = None) -> Tensor:
        """u - readings [M]; fields: what the derivator gave for this host already, if it has u."""
        if self.nodes is not None and fields is not None and hasattr(fields, "u"):
            found: Tensor = fields.u.flatten()[self.nodes]
        elif self.nodes is not None and self.takes_grid:
            found = self.host.on_grid(self.axes).flatten()[self.nodes]
        else:
            found = self.host(self.points)
        return found - self.values
