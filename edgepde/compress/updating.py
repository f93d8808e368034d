"""A compressed network follows one that drifted: blocks that still hold stay bit for bit, the total is proved again.

For a linear operator the rows whose error is too large are weighed more, by powers of two, until the bound holds. In a
network every block counts by |A_ss^(1/2) (W - W')_st C_tt^(1/2)|, see forms/hmatrix.py; blocks whose square grew most
are decomposed again in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.certify.network import Affine, Blocks, Network
from edgepde.compress.blocked import Formed, Placed, blocked, gathers
from edgepde.compress.budget import Choice
from edgepde.compress.following import Followed, Weighed
from edgepde.compress.hunt import Candidate, Hunt
from edgepde.compress.joints import affine, numbers
from edgepde.compress.operators import OperatorSearch, is_operator
from edgepde.compress.scaled import rescaled
from edgepde.compress.unpacking import unpacked
from edgepde.hmatrix.hmatrix import HMatrix
from edgepde.hmatrix.update import update

Array = NDArray[np.float64]
TRIES, LEAST, SHRINK, SLACK = 6, 0.2, 0.9, 1.0 + 1e-9


@final
@dataclass(frozen=True, eq=False)
class Previous:
    """A compressed network: its own, the original's, where the original's maps are as blocks; what it is called."""

    network: Network
    reference: Network
    placed: Mapping[int, Placed]
    where: str = "the old network"

    def check(self, new: Network) -> None:
        """Raise InputError where its original is of another architecture than the new network."""
        old = self.reference.nodes
        if len(old) != len(new.nodes):
            counts = f"expected its {len(old)} nodes, got {len(new.nodes)}"
            raise InputError(f"--from {self.where}: another architecture: {counts}")
        for place, (a, b) in enumerate(zip(old, new.nodes, strict=True)):
            if _kind(a) != _kind(b):
                raise InputError(f"--from {self.where}: node {place}: expected {_kind(a)} as there, got {_kind(b)}")

    def matrix(self, place: int, dtype: str) -> HMatrix:
        """The blocks of a map, their errors against the old original."""
        at = self.placed[place]
        node = self.network.nodes[at.node]
        if not isinstance(node, Blocks):
            raise InputError(f"--from {self.where}: node {at.node}: expected blocks, got {type(node).__name__}")
        return unpacked(node, at, affine(self.reference, place).weight.numpy(), dtype, f"--from {self.where}")


@final
class Updating(Hunt):
    """The old blocks, as many as hold, and new ones where they do not."""

    def __init__(self, *given: Any, previous: Previous, **options: Any) -> None:
        super().__init__(*given, **options)
        self.previous = previous
        self.operator = OperatorSearch(*given, **options) if is_operator(self.judge.f) else None
        self.changed: dict[int, Followed] = {}
        self.outcome = ""

    def run(self, names: tuple[str, ...]) -> None:
        """Try with what has to change least, then with more."""
        del names
        dtype = str(self.judge.dtype).removeprefix("torch.")
        olds = {place: self.previous.matrix(place, dtype) for place in self.previous.placed}
        aim, follow = 1.0, self._follower(olds)
        for number in range(TRIES):
            self.say(f"update {number + 1}: which of {sum(len(o.blocks) for o in olds.values())} blocks still hold")
            self.changed = follow(aim)
            formed = {place: one.formed for place, one in self.changed.items()}
            candidate = self._candidate(formed)
            if self._dense_bytes() <= candidate.choice.size:
                self.outcome = "as blocks it is no smaller than the dense layers any more"
                return
            if self.consider(candidate):
                kept = sum(one.change["kept"] for one in self.changed.values())
                self.outcome = f"{kept} of {sum(len(o.blocks) for o in olds.values())} blocks stay"
                return
            aim *= SHRINK
            if aim < LEAST or self.left <= 0.0:
                break
        self.outcome = "the old blocks no longer suffice at this error"

    def alone(self, best: Candidate, place: int) -> float | None:
        """Known where it is the only one."""
        only = best.proof is not None and list(best.changes) == [place]
        return best.proof.parts[0].compression if only and best.proof is not None else None

    def worst_found(self, h: Network) -> float:
        """By a search, except where the proof is exact."""
        return 0.0 if self.operator is not None else self.judge.found(h, self.seed)[0]

    def told(self, seconds: float) -> dict[str, Any]:
        """For the ledger."""
        parts = {f"node{place}": one.change for place, one in self.changed.items()}
        return {"from": self.previous.where, "outcome": self.outcome, "seconds": seconds, "parts": parts}

    def _follower(self, olds: dict[int, HMatrix]) -> Callable[[float], dict[int, Followed]]:
        if self.operator is not None:
            (place,) = olds
            return _Operator(self.operator, place, self.previous, olds[place]).followed
        return Weighed(self.judge, self.previous.reference, olds, self.seed).followed

    def _candidate(self, formed: dict[int, Formed]) -> Candidate:
        f = self.judge.f
        made = blocked(f, formed)
        moved = sum(gathers(made).values())
        changes = {p: (one.text, one.nbytes(self.each)) for p, one in formed.items()}
        for place, (text, size) in list(changes.items())[:1]:
            changes[place] = text, size + moved
        whole = {p: self.each * numbers(f, p) for p, n in enumerate(f.nodes) if isinstance(n, Affine)}
        size = sum((whole | {p: size for p, (_, size) in changes.items()}).values())
        why = f"the blocks of {self.previous.where}, those that no longer held made anew"
        return Candidate("hmatrix", Choice((), size, 0.0), made, False, 0.0, changes=changes, formed=formed, why=why)

    def _dense_bytes(self) -> int:
        f = self.judge.f
        return sum(self.each * numbers(f, p) for p, n in enumerate(f.nodes) if isinstance(n, Affine))


class _Operator:
    """The one map of a linear operator: updated in Frobenius norm, rows in scales that make the largest error hold."""

    def __init__(self, search: OperatorSearch, place: int, previous: Previous, old: HMatrix) -> None:
        self.search, self.place, self.old = search, place, old
        self.before = affine(previous.reference, place).weight.numpy()
        self.scale = np.ones(len(self.before))

    def followed(self, aim: float) -> dict[int, Followed]:
        """The update whose error is at most `aim` times what is allowed, or the last one tried."""
        from dataclasses import replace

        search, ones = self.search, np.ones(self.before.shape[1])
        for _ in range(TRIES):
            old = rescaled(self.old, self.before, (self.scale, ones))
            scaled = self.scale[:, None] * search.weight
            eps = min(aim * old.error * SLACK / max(float(np.linalg.norm(scaled)), 1e-300), 0.999)
            new, change = update(replace(old, config=replace(old.config, eps=eps)), scaled)
            back = rescaled(new, scaled, (1.0 / self.scale, ones))
            formed = search.formed(back)
            share = search.share(back.dense(), formed.bias.numpy())
            search.say(f"update: {change.changed} of {change.kept + change.changed} blocks changed, error {share:.2e}")
            if share <= aim:
                break
            lost = np.abs(search.weight - back.dense()) @ search.reach[0][1] / (aim * search.limits[0])
            self.scale = self.scale * np.exp2(np.ceil(np.log2(np.maximum(lost, 1.0))))
        return {self.place: Followed(formed, asdict(change))}


def _kind(node: Any) -> str:
    shape = list(node.weight.shape) if hasattr(node, "weight") else getattr(node, "function", "")
    return f"{type(node).__name__} {shape}".strip()
