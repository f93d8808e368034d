"""MODNO's scheme: trunks on all their own data, then the branch on a share q of it (arXiv 2404.02892, algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from ..member import Member
from ._scheme import Scheme, descend


@final
class Alternating(Scheme):
    """(a) a step of the trunk with the branch held; (b) the branch's slope with the trunk held."""

    def move(self, member: Member, rows: Tensor, shared: Sequence[nn.Parameter]) -> None:
        """One after the other: (b) sees the trunk that (a) left, which costs one more forward pass of the branch."""
        part = member.take(rows)
        with torch.set_grad_enabled(member.delta is not None):
            features = member.features(part.inputs)
        descend(member, member.loss(member.predict(features, member.trunk.basis()), part))
        part = member.take(rows[: math.ceil(member.how.q * len(rows))])
        found = member.predict(member.features(part.inputs), member.trunk.basis().detach())
        member.loss(found, part).backward(inputs=list(shared))


SCHEME = Alternating
