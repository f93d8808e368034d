"""What every form of a kernel says of itself. K [T, S, k_1..k_d] has T outputs, S inputs and d axes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from edgepde_runtime.errors import InputError
from torch import Tensor

from edgepde.factorconv.geometry import Geometry
from edgepde.factorconv.steps import Factor

Factors = Mapping[str, Tensor]
Rank = int | float | Sequence[int] | None


@final
@dataclass(frozen=True)
class Link:
    """An index that several factors share: ((factor, its axes of that index), ..). Scales may move between them."""

    members: tuple[tuple[str, tuple[int, ...]], ...]


class Form(ABC):
    """A way to write K as factors.

    per_kernel: every kernel K_ts has factors of its own. by_output: the factors that begin with the axis of outputs.
    """

    name: str
    per_kernel = False
    by_output: tuple[str, ...] = ("write",)

    @abstractmethod
    def limits(self, where: Geometry) -> tuple[int, ...]:
        """The ranks with which every kernel can be written; more than these is refused."""

    def usual(self, where: Geometry) -> tuple[int, ...]:
        """The ranks taken where none is given."""
        return tuple(max(1, limit // 2) for limit in self.limits(where))

    @abstractmethod
    def shapes(self, where: Geometry, ranks: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """The factors and their shapes."""

    @abstractmethod
    def fans(self, where: Geometry, ranks: Sequence[int]) -> dict[str, float]:
        """How many products a value sums where a factor (a view of one, see `views`) is applied; with entries of
        variance 1 / fan every step keeps the variance of what passes, and the product has that of a dense kernel.
        """

    @abstractmethod
    def steps(self, where: Geometry, factors: Factors) -> list[Factor]:
        """The factors as convolutions one after the other."""

    @abstractmethod
    def kernel(self, where: Geometry, factors: Factors) -> Tensor:
        """K [T, S, k_1..k_d], differentiable by the factors."""

    @abstractmethod
    def links(self, where: Geometry) -> tuple[Link, ...]:
        """The indices along which scales may be moved without a change of K, in terms of `views`."""

    @abstractmethod
    def component_norms(self, where: Geometry, factors: Factors) -> Tensor:
        """Norms of the terms whose sum is K, in any shape."""

    @abstractmethod
    def squared_norm(self, where: Geometry, factors: Factors) -> Tensor:
        """|K|^2 by the factors alone."""

    def views(self, where: Geometry, factors: Factors) -> dict[str, Tensor]:
        """The factors apart, where one parameter holds several side by side; writing into a view writes the factor."""
        del where
        return dict(factors)

    def tight(self, where: Geometry, ranks: Sequence[int]) -> tuple[int, ...]:
        """The same kernels at ranks of which none is more than the others leave use for."""
        del where
        return tuple(ranks)

    @final
    def of_outputs(self, factors: Factors, start: int, stop: int) -> dict[str, Tensor]:
        """The factors of the kernel of outputs start .. stop - 1 alone."""
        by_output = tuple(factors) if self.per_kernel else self.by_output
        return {name: f[start:stop] if name in by_output else f for name, f in factors.items()}

    @final
    def ranks(self, where: Geometry, rank: Rank) -> tuple[int, ...]:
        """Ranks from a number (for every rank, at most its limit), a fraction of the limits, or one for each.

        InputError for what is none of these, or is larger than the kernel allows.
        """
        limits = self.limits(where)
        if rank is None:
            return self.tight(where, self.usual(where))
        if isinstance(rank, float):
            if not 0.0 < rank <= 1.0:
                raise self._refused(where, rank, "a fraction above 0 and at most 1")
            return self.tight(where, [max(1, math.floor(rank * limit + 0.5)) for limit in limits])
        if isinstance(rank, int) and not isinstance(rank, bool):
            if not 1 <= rank <= max(limits):
                raise self._refused(where, rank, f"1 to {max(limits)}, the rank of the whole kernel")
            return self.tight(where, [min(rank, limit) for limit in limits])
        if isinstance(rank, bool | str) or not isinstance(rank, Sequence) or len(rank) != len(limits):
            raise self._refused(where, rank, f"a number, a fraction, or {len(limits)} numbers")
        for r, limit in zip(rank, limits, strict=True):
            if isinstance(r, bool) or not isinstance(r, int) or not 1 <= r <= limit:
                raise self._refused(where, list(rank), f"1 to {list(limits)}, the ranks of the whole kernel")
        return tuple(rank)

    @final
    def numbers(self, where: Geometry, ranks: Sequence[int]) -> int:
        """How many numbers the factors hold."""
        return sum(math.prod(shape) for shape in self.shapes(where, ranks).values())

    def _refused(self, where: Geometry, rank: Any, expected: str) -> InputError:
        return InputError(
            f"factorconv {self.name}: rank of a kernel {list(where.dense_shape)}: expected {expected}, got {rank!r}"
        )


def without_largest(sizes: Sequence[int]) -> int:
    """prod(sizes) / max(sizes): the terms of a canonical sum that suffice for every tensor of these sizes."""
    return math.prod(sizes) // max(sizes)
