"""What a form offers for one network: options part by part, their bytes, and the network at a choice of options."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from edgepde.certify.network import Affine, Network
from edgepde.compress.blocked import Formed
from edgepde.compress.budget import Part
from edgepde.compress.geometry import Geometry
from edgepde.compress.joints import numbers


@dataclass(frozen=True)
class How:
    """each: bytes of a number. geometry: where rows and columns lie, as far as it is known."""

    each: int = 4
    geometry: Geometry = field(default_factory=Geometry)


class Prepared(ABC):
    """A form for one network, its errors estimated over points x [N, d]; option 0 of every part changes nothing."""

    refitted: ClassVar[bool] = True
    nothing: ClassVar[str] = "saves nothing at this error before it is fitted again"

    def __init__(self, network: Network, x: Tensor, how: How) -> None:
        self.network, self.x, self.how = network, x, how
        self.before = {p: how.each * numbers(network, p) for p, n in enumerate(network.nodes) if isinstance(n, Affine)}
        self.parts = self._parts()

    @abstractmethod
    def _parts(self) -> list[Part]:
        """One part per thing that can be made smaller, its errors growing with the option."""

    @abstractmethod
    def described(self, options: Sequence[int]) -> dict[int, tuple[str, int]]:
        """Per affine map that changes: what becomes of it, and the bytes it then takes."""

    @abstractmethod
    def apply(self, options: Sequence[int], x: Tensor) -> Network:
        """The network with every part at its option; x [N, d]: points where what is left is fitted."""

    def size(self, options: Sequence[int]) -> int:
        """The bytes of all affine maps."""
        after = {place: size for place, (_, size) in self.described(options).items()}
        return sum((self.before | after).values())

    def chosen(self, options: Sequence[int]) -> dict[int, Formed]:
        """The affine maps that become blocks."""
        del options
        return {}

    def refused(self) -> dict[int, str]:
        """Why an affine map has no options, where the form can say it."""
        return {}
