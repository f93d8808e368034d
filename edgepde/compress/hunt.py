"""What every search for a smaller form shares: candidates, the clock, and judging them."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from edgepde.certify.network import Affine, Network
from edgepde.compress.blocked import Formed
from edgepde.compress.budget import Choice
from edgepde.compress.geometry import Geometry
from edgepde.compress.joints import layout, numbers
from edgepde.compress.proof import ROUNDING_SECONDS, Judge, Proof

# Whoever certifies the network again may find a little worse than we did.
ROOM = 0.95
LEAST_PROOF, LEAST_SHARE = 3.0, 0.15
ROUNDING_SHARE = 0.25
Tell = Callable[[float, str], None]
Changes = dict[int, tuple[str, int]]


@dataclass(frozen=True)
class Candidate:
    """A smaller network: its form, the choice along that form's path, whether it was fitted again, its proof.

    choice.size: bytes of its affine maps. sampled: the largest error over sample points in units of what is allowed.
    changes: per affine map that changes what becomes of it and the bytes it then takes. formed: those that are blocks.
    why: what made it the choice.
    """

    form: str
    choice: Choice
    network: Network
    fitted: bool
    sampled: float
    proof: Proof | None = None
    changes: Changes = field(default_factory=dict)
    formed: Mapping[int, Formed] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True)
class Known:
    """What is needed to prove a candidate again: its form, the options chosen, its network."""

    form: str
    options: tuple[int, ...]
    network: Network
    fitted: bool


class Hunt(ABC):
    """One compression: after run() `best` is the smallest form proved, if any, `closest` the best bound else.

    room: how much of what is allowed a search may find before a proof is tried.
    """

    room: ClassVar[float] = ROOM

    def __init__(
        self,
        judge: Judge,
        seconds: float,
        seed: int = 0,
        tell: Tell | None = None,
        keep: Callable[[Known], None] | None = None,
        geometry: Geometry | None = None,
    ) -> None:
        self.judge, self.seconds, self.seed, self.tell, self.keep = judge, seconds, seed, tell, keep
        self.geometry = geometry or Geometry()
        self.began = time.monotonic()
        self.tried: list[dict[str, object]] = []
        self.best: Candidate | None = None
        self.closest: Candidate | None = None
        self.last_device = 0.0

    @property
    def each(self) -> int:
        """Bytes of a number of the device."""
        return self.judge.each

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.seconds - (time.monotonic() - self.began))

    @abstractmethod
    def run(self, names: tuple[str, ...]) -> None:
        """Try the forms."""

    @abstractmethod
    def alone(self, best: Candidate, place: int) -> float | None:
        """The error where only the affine map at a place is changed, not fitted again; None where unknown."""

    @abstractmethod
    def worst_found(self, h: Network) -> float:
        """The share of what is allowed that a search finds."""

    def kept(self) -> dict[int, str]:
        """Why affine maps stay as they are, by place."""
        return layout(self.judge.f).kept

    def dense(self) -> bool:
        """Judge the original with its own weights."""
        f = self.judge.f
        size = sum(self.each * numbers(f, p) for p, n in enumerate(f.nodes) if isinstance(n, Affine))
        return self.consider(Candidate("dense", Choice((), size, 0.0), f, False, 0.0))

    def smaller(self, candidate: Candidate) -> bool:
        """Whether it takes fewer bytes than the best so far."""
        return self.best is None or candidate.choice.size < self.best.choice.size

    def consider(self, candidate: Candidate) -> bool:
        """Prove the candidate; the smallest one proved is kept."""
        h = self.judge.rounded(candidate.network)
        seconds = min(ROUNDING_SECONDS, max(LEAST_PROOF, ROUNDING_SHARE * self.left))
        device = self.last_device = self.judge.device(h, seconds)
        if candidate.form != "dense":
            found = self.worst_found(h)
            arithmetic = device / self.judge.allowed.tightest
            if found / self.room + arithmetic > 1.0:
                taken = f"a search found {found:.3g} of what is allowed, the device's arithmetic takes {arithmetic:.3g}"
                self.note(candidate, f"{taken}: too near to prove twice")
                return False
        measured = self.judge.measured(h, self.seed)
        over = [one.text for one in measured if one.share > 1.0]
        if over:
            self.note(candidate, f"refused for derivatives: {', '.join(over)} allowed")
            return False
        self.say(f"{candidate.form}: {candidate.choice.size} bytes, proving")
        seconds = max(0.5 * self.left, LEAST_SHARE * self.seconds, LEAST_PROOF)
        proof = replace(self.judge.prove(h, seconds, device), measured=measured)
        judged = replace(candidate, network=h, proof=proof)
        self.note(judged, "proved" if proof.holds else f"only {proof.share:.3g} times what is allowed is proved")
        if self.closest is None or proof.share < _share(self.closest):
            self.closest = judged
        if proof.holds and self.smaller(judged):
            self.best = judged
            if self.keep is not None and judged.form != "dense":
                self.keep(Known(judged.form, judged.choice.options, h, judged.fitted))
        return proof.holds

    def note(self, candidate: Candidate, outcome: str) -> None:
        """A line of the ledger."""
        self.tried.append(
            {
                "form": candidate.form,
                "bytes": candidate.choice.size,
                "fitted_again": candidate.fitted,
                "sampled_share": candidate.sampled if math.isfinite(candidate.sampled) else None,
                "outcome": outcome,
            }
        )

    def say(self, text: str) -> None:
        """Progress."""
        if self.tell is not None:
            self.tell(time.monotonic() - self.began, text)


def ranking(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The smallest first."""
    return sorted(candidates, key=lambda c: c.choice.size)


def _share(candidate: Candidate) -> float:
    return candidate.proof.share if candidate.proof is not None else math.inf
