"""The smallest form of a network that is proved within an error: candidates from the forms, fitted again, judged."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from edgepde.certify.attack import attack
from edgepde.certify.network import Network
from edgepde.compress import forms
from edgepde.compress.budget import Choice, path
from edgepde.compress.proof import Judge, Proof
from edgepde.compress.refit import Target, refit

FITTED, LOOKED_AT = 3000, 12000
GAIN = 12.0
ROOM = 0.97
LEAST_PROOF = 3.0
Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class Candidate:
    """A smaller network: its form, the choice along that form's path, whether it was fitted again, its proof."""

    form: str
    choice: Choice
    network: Network
    fitted: bool
    sampled: float
    proof: Proof | None = None


@dataclass(frozen=True)
class Known:
    """What is needed to prove a candidate again: its form, the options chosen, its network."""

    form: str
    options: tuple[int, ...]
    network: Network
    fitted: bool


@dataclass
class Search:
    """One compression: the judge, sample points, and the clock."""

    judge: Judge
    seconds: float
    seed: int = 0
    tell: Tell | None = None
    keep: Callable[[Known], None] | None = None
    known: Known | None = None
    tried: list[dict[str, object]] = field(default_factory=list)
    best: Candidate | None = None
    closest: Candidate | None = None

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        draw = torch.Generator().manual_seed(self.seed)
        low, high = (torch.tensor(side, dtype=torch.float64) for side in (self.judge.box.low, self.judge.box.high))
        self.x = sampled(low, high, LOOKED_AT, draw)
        self.target = Target(self.x, self.judge.f(self.x), FITTED)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.seconds - (time.monotonic() - self.began))

    def run(self, names: tuple[str, ...], refits: bool) -> None:
        """Try the forms; afterwards `best` is the smallest one proved, if any, and `closest` the best bound else."""
        self._judge(
            Candidate("dense", Choice((), _numbers(self.judge.f), 0.0), self.judge.rounded(self.judge.f), False, 0.0)
        )
        if self.known is not None and self.known.form in names:
            self._again(self.known)
        plain = {name: self._plain(name) for name in names}
        ranked = sorted((c for c in plain.values() if c is not None), key=lambda c: c.choice.size)
        for candidate in ranked:
            if self._smaller(candidate) and self._judge(candidate):
                break
        if refits and ranked:
            self._fit_down(ranked[0].form)

    def _again(self, known: Known) -> None:
        """Prove what an earlier search found, as if it were new."""
        size = forms.form(known.form).size(self.judge.f)(known.options)
        choice = Choice(known.options, size, 0.0)
        worst = self.target.worst(known.network)
        self._judge(Candidate(known.form, choice, known.network, known.fitted, worst))

    def _paths(self, name: str) -> list[Choice]:
        form = forms.form(name)
        few = self.x[:FITTED]
        parts = form.parts(self.judge.f, few)
        return path(parts, form.size(self.judge.f)) if parts else []

    def _plain(self, name: str) -> Candidate | None:
        """The smallest candidate of a form, not fitted again, whose sampled error leaves room for the proof."""
        choices = self._paths(name)
        limit = ROOM * self.judge.max_error
        low, high, best = 0, len(choices) - 1, None
        while low < high:
            middle = (low + high + 1) // 2
            made = self._made(name, choices[middle])
            self._say(f"{name}: {choices[middle].size} numbers, error {made.sampled:.2e}")
            if made.sampled <= limit:
                low, best = middle, made
            else:
                high = middle - 1
        if best is not None:
            self._note(best, "not fitted again")
        return best

    def _made(self, name: str, choice: Choice) -> Candidate:
        made = forms.form(name).apply(self.judge.f, choice.options, self.x[:FITTED])
        return Candidate(name, choice, made, False, self.target.worst(made))

    def _fit_down(self, name: str) -> None:
        """Bisect the form's path with every candidate fitted again; sizes below the best one proved."""
        choices = [c for c in self._paths(name) if self.best is None or c.size < self.best.choice.size]
        low, high = -1, len(choices)
        start = self._start(name, choices)
        while high - low > 1 and self.left > LEAST_PROOF:
            at = start if start is not None else (low + high) // 2
            start = None
            if self._fit(name, choices[at]):
                low = at
            else:
                high = at

    def _start(self, name: str, choices: list[Choice]) -> int | None:
        """Where fitting again is expected to just reach the error."""
        low, high = 0, len(choices) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._made(name, choices[middle]).sampled <= GAIN * self.judge.max_error:
                low = middle
            else:
                high = middle - 1
        return low if choices else None

    def _fit(self, name: str, choice: Choice) -> bool:
        start = self._made(name, choice)
        goal = 0.9 * self.judge.max_error
        share = max(0.25 * self.left, 5.0)
        self._say(f"{name}: {choice.size} numbers, fitting again from {start.sampled:.2e}")
        network, worst = refit(start.network, self.target, goal, min(share, self.left), self._fitting(name, choice))
        made = Candidate(name, choice, network, True, worst)
        if worst > ROOM * self.judge.max_error:
            self._note(made, "fitted again, above the error")
            return False
        return self._judge(made)

    def _fitting(self, name: str, choice: Choice) -> Callable[[float], None]:
        return lambda worst: self._say(f"{name}: {choice.size} numbers fitted again, error {worst:.2e}")

    def _smaller(self, candidate: Candidate) -> bool:
        return self.best is None or candidate.choice.size < self.best.choice.size

    def _judge(self, candidate: Candidate) -> bool:
        """Prove the candidate; the smallest one proved is kept."""
        h = self.judge.rounded(candidate.network)
        low, high = (torch.tensor(side, dtype=torch.float64) for side in (self.judge.box.low, self.judge.box.high))
        device = self.judge.device(h)
        if candidate.form != "dense":
            found = float(attack(lambda x: self.judge.f(x) - h(x), low, high, seed=self.seed).value.max())
            if found + device > self.judge.max_error and self.closest is not None:
                self._note(candidate, f"a search found {found:.3g}, with rounding above the error")
                return False
        self._say(f"{candidate.form}: {candidate.choice.size} numbers, proving")
        proof = self.judge.prove(h, max(self.left, LEAST_PROOF), None, device)
        judged = Candidate(candidate.form, candidate.choice, h, candidate.fitted, candidate.sampled, proof)
        proved = proof.total <= self.judge.max_error
        self._note(judged, "proved" if proved else f"only {proof.total:.3g} proved")
        if self.closest is None or proof.total < _total(self.closest):
            self.closest = judged
        if proved and self._smaller(judged):
            self.best = judged
            if self.keep is not None and judged.form != "dense":
                self.keep(Known(judged.form, judged.choice.options, h, judged.fitted))
        return proved

    def _note(self, candidate: Candidate, outcome: str) -> None:
        self.tried.append(
            {
                "form": candidate.form,
                "numbers": candidate.choice.size,
                "fitted_again": candidate.fitted,
                "sampled_error": candidate.sampled,
                "outcome": outcome,
            }
        )

    def _say(self, text: str) -> None:
        if self.tell is not None:
            self.tell(time.monotonic() - self.began, text)


def sampled(low: Tensor, high: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """count points of the box, every fourth with a coordinate on a face."""
    x = torch.rand(count, len(low), generator=draw, dtype=torch.float64)
    rows = torch.arange(0, count, 4)
    columns = torch.randint(len(low), (len(rows),), generator=draw)
    x[rows, columns] = torch.randint(2, (len(rows),), generator=draw).double()
    return torch.minimum(low + x * (high - low), high)


def _total(candidate: Candidate) -> float:
    return candidate.proof.total if candidate.proof is not None else math.inf


def _numbers(network: Network) -> int:
    size: int = forms.form("merge").size(network)([0] * len(forms.form("merge").layout(network).joints))
    return size
