"""Variable projection: the trunk is always the best there is for the branch as it stands, the branch moves along the
slope of what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from ..closed import left_out, reduced
from ..member import Member
from ._scheme import Scheme, advance


@final
class VarPro(Scheme):
    """The reduced loss, of the misfit or of leaving one case out; in the latter the operator's ridge moves too.

    The trunk itself is written down at checks.
    """

    def move(self, member: Member, rows: Tensor, shared: Sequence[nn.Parameter]) -> None:
        """Solve, and take the slope of what is left; a solution counts one forward and one backward pass per case."""
        held = member.task.train
        A, Y = member.weighted(member.features(held.inputs[rows]), member.short[rows], held.norms[rows])
        objective = left_out if member.how.objective == "loo" else reduced
        loss, _ = objective(A, Y, member.log_ridge.exp())
        member.passes.solved(len(rows))
        member.balanced(loss / member.base**2).backward(inputs=[*shared, *member.own.values()])
        advance(member)


SCHEME = VarPro
