"""The kernel itself: one description makes the dense layer too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor

from edgepde.factorconv.geometry import Geometry
from edgepde.factorconv.steps import Factor

from ._form import Factors, Form, Link


@final
class Dense(Form):
    """weight [T, S, k_1..k_d]; its rank is 1 and says nothing."""

    name = "dense"
    by_output = ("weight",)

    def limits(self, where: Geometry) -> tuple[int, ...]:
        """One."""
        del where
        return (1,)

    def shapes(self, where: Geometry, ranks: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """K."""
        del ranks
        return {"weight": where.dense_shape}

    def fans(self, where: Geometry, ranks: Sequence[int]) -> dict[str, float]:
        """S k_1..k_d."""
        del ranks
        return {"weight": where.inputs * where.points}

    def steps(self, where: Geometry, factors: Factors) -> list[Factor]:
        """One convolution."""
        return [Factor(factors["weight"], 1, tuple(range(where.axes)))]

    def kernel(self, where: Geometry, factors: Factors) -> Tensor:
        """K."""
        del where
        return factors["weight"]

    def links(self, where: Geometry) -> tuple[Link, ...]:
        """None."""
        del where
        return ()

    def component_norms(self, where: Geometry, factors: Factors) -> Tensor:
        """|K|."""
        del where
        return factors["weight"].norm().reshape(1)

    def squared_norm(self, where: Geometry, factors: Factors) -> Tensor:
        """|K|^2."""
        del where
        return factors["weight"].square().sum()


FORM = Dense()
