"""What every scheme is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from ..member import Member


class Scheme(ABC):
    """One step of one operator: move its trunk and add its share to the slope of the branch."""

    @abstractmethod
    def move(self, member: Member, rows: Tensor, shared: Sequence[nn.Parameter]) -> None:
        """With the cases `rows`; the slope of the branch's parameters `shared` is added to their `grad`."""


def descend(member: Member, loss: Tensor) -> None:
    """One step of the operator's own optimizer along the slope of a loss; nothing where it moves nothing."""
    if member.optimizer is None:
        return
    loss.backward(inputs=list(member.own.values()))
    advance(member)


def advance(member: Member) -> None:
    """One step of the operator's own optimizer along the slope it has."""
    if member.optimizer is not None:
        member.optimizer.step()
        member.optimizer.zero_grad(set_to_none=True)
