"""Trunks and branch move together, along one slope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from ..member import Member
from ._scheme import Scheme, advance


@final
class Joint(Scheme):
    """One forward and one backward pass of both per case."""

    def move(self, member: Member, rows: Tensor, shared: Sequence[nn.Parameter]) -> None:
        """The share q has no meaning here: all cases move both."""
        part = member.take(rows)
        found = member.predict(member.features(part.inputs), member.trunk.basis())
        member.loss(found, part).backward(inputs=[*shared, *member.own.values()])
        advance(member)


SCHEME = Joint
