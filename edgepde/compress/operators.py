"""The smallest form of a linear operator y = W x + b: its error over a box is known in closed form.

With c the middle of the box and r half its width, sup |f - h| = max_i sum_j |W - H|_ij r_j + |(W - H) c + b - b'|_i.
That grows in proportion to the Frobenius norm that the blocks are allowed to lose, so a few steps find the norm. Rows
of which more is lost are then weighed more, by powers of two.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch
from edgepde_runtime.errors import BudgetError
from numpy.typing import NDArray

from edgepde.certify.linear import linear
from edgepde.certify.network import Affine, Network
from edgepde.compress.blocked import Formed, blocked, gathers
from edgepde.compress.budget import Choice
from edgepde.compress.forms.low_rank import moved, rank_numbers
from edgepde.compress.hunt import Candidate, Hunt, Known, ranking
from edgepde.compress.joints import affine, numbers
from edgepde.compress.ordering import trees as ordered
from edgepde.compress.scaled import InScales, power_of_two
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.hmatrix import HMatrix

Array = NDArray[np.float64]
FIRST, STEPS, ROUNDS = 1e-2, 7, 3
NEAR, SAFE, GAIN = 0.85, 0.97, 0.97
TIGHTER = (1.0, 0.97, 0.9, 0.7)
EXTRA, POWERS = 8, 2


def is_operator(network: Network) -> bool:
    """Whether a network is linear, its output the one affine map that it has."""
    maps = [isinstance(node, Affine) for node in network.nodes]
    return linear(network) and maps[-1] and sum(maps) == 1


@final
class OperatorSearch(Hunt):
    """Forms of the one affine map of a linear network; nothing is sampled."""

    room = 1.0

    def __init__(self, *given: Any, known: Known | None = None, **options: Any) -> None:
        super().__init__(*given, **options)
        self.known = known
        f = self.judge.f
        self.place = next(place for place, node in enumerate(f.nodes) if isinstance(node, Affine))
        node = affine(f, self.place)
        self.weight, self.bias = node.weight.numpy(), node.bias.numpy()
        self.reach = [self._reach(area.box) for area in self.judge.allowed.areas]
        self.limits = [area.limit for area in self.judge.allowed.areas]
        self.spent = 0.0
        self._why: dict[str, str] = {}

    def run(self, names: tuple[str, ...]) -> None:
        """Blocks first; other forms only up to their size."""
        if self.judge.allowed.derived:
            raise BudgetError("--max-error: expected no derivatives for a linear operator, they are its entries")
        found = [self.blocks() if "hmatrix" in names else None]
        if "low-rank" in names:
            found.append(self.low_rank(found[0].choice.size if found[0] else self._dense_bytes()))
        if "merge" in names:
            self.tried.append({"form": "merge", "outcome": "there are no neurons between two layers to be merged"})
        ranked = ranking([candidate for candidate in found if candidate is not None])
        for loser in ranked[1:]:
            self.note(loser, f"larger than {ranked[0].form} at this error")
        for candidate in ranked:
            if self.consider(candidate) or (candidate.form == "hmatrix" and self._tighter()):
                break
        if self.best is None:
            self.dense()

    def kept(self) -> dict[int, str]:
        """What was found to be no gain."""
        return {self.place: "; ".join(self._why.values()) or "it is the output"}

    def alone(self, best: Candidate, place: int) -> float | None:
        """The one change is all there is."""
        return best.proof.parts[0].compression if best.proof is not None and place == self.place else None

    def worst_found(self, h: Network) -> float:
        """Nothing has to be searched for: the proof is exact."""
        del h
        return 0.0

    def share(self, weight: Array, bias: Array) -> float:
        """sup |f - h| in units of what is allowed, of W and b in another form."""
        change, shift = np.abs(self.weight - weight), self.bias - bias
        signed = self.weight - weight
        worst = [
            float((change @ half + np.abs(signed @ centre + shift)).max()) / limit
            for (centre, half), limit in zip(self.reach, self.limits, strict=True)
        ]
        return max(worst)

    def blocks(self, room: float = 1.0) -> Candidate | None:
        """The smallest form as blocks whose error leaves room for the device's arithmetic."""
        rows, columns = self.geometry.of(self.judge.f, self.place)
        leaf = HConfig().leaf
        self.say("hmatrix: order of rows and columns")
        trees = ordered(self.weight, rows, columns, leaf)
        scales = np.ones(len(self.weight)), power_of_two(self.reach[0][1])
        best, eps = None, FIRST
        for number in range(ROUNDS):
            made, eps = self._fitted(InScales(self.weight, trees, scales, self._dtype), eps, room)
            if made is None or (best is not None and made.nbytes(self.each) > GAIN * best.nbytes(self.each)):
                break
            best = made
            lost = np.abs(self.weight - made.matrix.dense()) @ self.reach[0][1]
            typical = float(np.median(lost))
            if made.matrix.is_dense or typical == 0.0 or (number + 1 < ROUNDS and self.left < 0.5 * self.seconds):
                break
            scales = scales[0] * power_of_two(np.sqrt(np.maximum(lost / typical, 1e-3))), scales[1]
        return self._candidate(best)

    def _fitted(self, source: InScales, eps: float, room: float) -> tuple[Formed | None, float]:
        """The loosest eps whose error is within what is allowed, and the form it gives."""
        best, aim = None, room * max(1e-3, 1.0 - self.spent)
        low, high = 0.0, 1.0
        for _ in range(STEPS):
            made = self.formed(source.at(eps))
            share = self.share(made.matrix.dense(), made.bias.numpy())
            self.say(f"hmatrix: {made.nbytes(self.each)} bytes, error {share:.2e}")
            if share <= aim and (best is None or eps > low):
                best, low = made, eps
            else:
                high = min(high, eps)
            if share == 0.0 or NEAR * aim < share <= aim or made.matrix.is_dense:
                break
            wanted = SAFE * eps * aim / share
            eps = wanted if low < wanted < high else float(np.sqrt(max(low, 1e-3 * high) * high))
        return best, low or eps

    def formed(self, matrix: HMatrix) -> Formed:
        """The blocks with the bias that makes up for them in the middle of the box."""
        centre = self.reach[0][0]
        bias = self.bias + (self.weight - matrix.dense()) @ centre if centre.any() else self.bias
        return Formed(matrix, torch.from_numpy(self._held(bias)))

    def _candidate(self, formed: Formed | None) -> Candidate | None:
        if formed is None or formed.matrix.is_dense:
            why = formed.matrix.note if formed is not None else ""
            self._why["hmatrix"] = why or "as blocks it is not smaller at this error"
            self.tried.append({"form": "hmatrix", "outcome": self._why["hmatrix"]})
            return None
        made = blocked(self.judge.f, {self.place: formed})
        size = formed.nbytes(self.each) + sum(gathers(made).values())
        share = self.share(formed.matrix.dense(), formed.bias.numpy())
        changes = {self.place: (formed.text, size)}
        why = f"the smallest form that was proved: {formed.matrix.storage_ratio:.3f} of the numbers"
        blocks = {self.place: formed}
        choice = Choice((), size, share)
        candidate = Candidate("hmatrix", choice, made, False, share, changes=changes, formed=blocks, why=why)
        if size >= self._dense_bytes():
            self._why["hmatrix"] = f"as blocks it takes {size} bytes, not less than the {self._dense_bytes()} it has"
            self.note(candidate, self._why["hmatrix"])
            return None
        return candidate

    def _tighter(self) -> bool:
        """The device's arithmetic is counted, which was not known before."""
        for room in TIGHTER:
            self.spent = self._device_share()
            candidate = self.blocks(room)
            if candidate is None or not self.smaller(candidate):
                return False
            if self.consider(candidate):
                return True
        return False

    def _device_share(self) -> float:
        return self.last_device / self.judge.allowed.tightest

    def low_rank(self, most: int) -> Candidate | None:
        """The least rank whose error is within what is allowed, if it takes less than `most` bytes."""
        m, n = self.weight.shape
        top = min((most // self.each - m) // (m + n + 1), m, n)
        if top < 1:
            self._why["low-rank"] = f"rank 1 takes more than {most} bytes"
            self.tried.append({"form": "low-rank", "outcome": self._why["low-rank"]})
            return None
        self.say(f"low-rank: up to rank {top}")
        left, right = leading(self.weight * self.reach[0][1], top, self.seed)
        right = right / self.reach[0][1]
        share = self._rank_share(left, right)
        if share > SAFE:
            self._why["low-rank"] = f"at rank {top}, {most} bytes, its error is {share:.3g} times what is allowed"
            self.tried.append({"form": "low-rank", "outcome": self._why["low-rank"]})
            return None
        low, high = 0, top
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._rank_share(left[:, :middle], right[:middle]) <= SAFE else (middle, high)
        return self._factored(left[:, :high], right[:high])

    def _rank_share(self, left: Array, right: Array) -> float:
        made = left @ right
        return self.share(made, self.bias + (self.weight - made) @ self.reach[0][0])

    def _factored(self, left: Array, right: Array) -> Candidate:
        rank, f = len(right), self.judge.f
        bias = self.bias + (self.weight - left @ right) @ self.reach[0][0]
        nodes: list[Any] = []
        where: list[int] = []
        for place, node in enumerate(f.nodes):
            if place == self.place:
                thin = torch.from_numpy(right.copy())
                nodes.append(Affine((where[node.sources[0]],), thin, thin.new_zeros(rank)))
                nodes.append(Affine((len(nodes) - 1,), torch.from_numpy(left.copy()), torch.from_numpy(bias)))
            else:
                nodes.append(moved(node, where))
            where.append(len(nodes) - 1)
        m, n = self.weight.shape
        size = self.each * (rank_numbers(m, n, rank) + m)
        changes = {self.place: (f"low rank: {m} x {n} at rank {rank}", size)}
        share = self._rank_share(left, right)
        return Candidate("low-rank", Choice((), size, share), Network(tuple(nodes)), False, share, changes=changes)

    def _reach(self, box: Any) -> tuple[Array, Array]:
        """Middle and half width of what the affine map reads, over a box."""
        from edgepde.certify.engine import bound_range

        node = self.judge.f.nodes[self.place]
        before = Network(self.judge.f.nodes[: node.sources[0] + 1])
        if len(before.nodes) == 1:
            low, high = np.asarray(box.low), np.asarray(box.high)
        else:
            made = bound_range(before, box)
            low, high = made.low, made.high
        return 0.5 * (low + high), np.maximum(0.5 * (high - low), 1e-300)

    @property
    def _dtype(self) -> str:
        return str(self.judge.dtype).removeprefix("torch.")

    def _held(self, values: Array) -> Array:
        return values.astype(self._dtype).astype(np.float64)

    def _dense_bytes(self) -> int:
        return self.each * numbers(self.judge.f, self.place)


def leading(matrix: Array, rank: int, seed: int) -> tuple[Array, Array]:
    """(U diag(s), V^T) of about the `rank` largest singular values, by a random projection (arXiv 0909.4061)."""
    m, n = matrix.shape
    if 3 * rank > min(m, n):
        U, s, Vt = np.linalg.svd(matrix, full_matrices=False)
        return U[:, :rank] * s[:rank], Vt[:rank]
    draw = np.random.default_rng(seed)
    Q = np.linalg.qr(matrix @ draw.standard_normal((n, rank + EXTRA)))[0]
    for _ in range(POWERS):
        Q = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ Q)[0])[0]
    U, s, Vt = np.linalg.svd(Q.T @ matrix, full_matrices=False)
    return (Q @ U[:, :rank]) * s[:rank], Vt[:rank]
