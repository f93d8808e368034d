"""The smallest form of a network that is proved within an error: candidates from the forms, fitted again, judged."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from edgepde.certify.network import Network
from edgepde.compress import forms
from edgepde.compress.allowance import Area
from edgepde.compress.budget import Choice, path
from edgepde.compress.proof import Judge, Proof
from edgepde.compress.refit import Target, refit

FITTED, LEAST_FITTED, LOOKED_AT = 3000, 500, 12000
MOST_FITTED_AGAIN = 4000
GAIN, CUTS, ADDED, AGAIN = 12.0, 8, 32, 0.5
# Whoever certifies the network again may find a little worse than we did.
ROOM = 0.95
GOAL = 0.97 * ROOM
LEAST_PROOF, LEAST_SHARE = 3.0, 0.15
Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class Candidate:
    """A smaller network: its form, the choice along that form's path, whether it was fitted again, its proof.

    sampled: the largest error over sample points in units of what is allowed.
    """

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
        self._searches, self._failed = 0, list[Choice]()
        self._known_paths: dict[str, list[Choice]] = {}
        x = spread(self.judge.allowed.areas, LOOKED_AT, self.seed)
        count = max(FITTED // self.judge.f.outputs, LEAST_FITTED, 2 * max(self.judge.f.widths))
        self.target = Target(x, self.judge.f(x), self.judge.allowed.at(x), min(count, len(x)))

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.seconds - (time.monotonic() - self.began))

    def run(self, names: tuple[str, ...]) -> None:
        """Try the forms; afterwards `best` is the smallest one proved, if any, and `closest` the best bound else."""
        if self.known is not None and self.known.form in names:
            self._again(self.known)
        plain = {name: self._plain(name) for name in names}
        ranked = sorted((c for c in plain.values() if c is not None), key=lambda c: c.choice.size)
        for loser in ranked[1:]:
            self._note(loser, f"larger than {ranked[0].form} at this error")
        for candidate in ranked:
            if self._smaller(candidate) and (self._judge(candidate) or self._careful(candidate)):
                break
        first = [c.form for c in ranked] + [name for name in names if len(self._paths(name)) > 1]
        if first:
            self._fit_down(first[0])
        if self.best is None:
            unchanged = Choice((), _numbers(self.judge.f), 0.0)
            self._judge(Candidate("dense", unchanged, self.judge.f, False, 0.0))

    def _again(self, known: Known) -> None:
        """Prove what an earlier search found, as if it were new."""
        size = forms.form(known.form).size(self.judge.f)(known.options)
        choice = Choice(known.options, size, 0.0)
        worst = self.target.worst(known.network)
        self._judge(Candidate(known.form, choice, known.network, known.fitted, worst))

    def _paths(self, name: str) -> list[Choice]:
        if name not in self._known_paths:
            form = forms.form(name)
            parts = form.parts(self.judge.f, self.target.few)
            self._known_paths[name] = path(parts, form.size(self.judge.f)) if parts else []
        return self._known_paths[name]

    def _plain(self, name: str) -> Candidate | None:
        """The smallest candidate of a form, not fitted again, whose sampled error leaves room for the proof."""
        choices = self._paths(name)
        low, high, best = 0, len(choices) - 1, None
        while low < high:
            middle = (low + high + 1) // 2
            made = self._made(name, choices[middle])
            self._say(f"{name}: {choices[middle].size} numbers, error {made.sampled:.2e}")
            if made.sampled <= ROOM:
                low, best = middle, made
            else:
                high = middle - 1
        if best is None:
            self.tried.append({"form": name, "outcome": "saves nothing at this error before it is fitted again"})
        return best

    def _careful(self, refused: Candidate) -> bool:
        """Bisect towards larger choices of a form, every one searched for its worst point: samples missed it."""
        choices = [c for c in self._paths(refused.form) if c.size > refused.choice.size]
        low, high, held = -1, len(choices), False
        while high - low > 1 and self.left > 0.5 * self.seconds:
            middle = (low + high) // 2
            made = self._made(refused.form, choices[middle])
            if made.sampled <= ROOM and self._smaller(made) and self._judge(made):
                low, held = middle, True
            else:
                high = middle
        return held

    def _made(self, name: str, choice: Choice) -> Candidate:
        made = forms.form(name).apply(self.judge.f, choice.options, self.target.few)
        return Candidate(name, choice, made, False, self.target.worst(made))

    def _fit_down(self, name: str) -> None:
        """Bisect the form's path with every candidate fitted again; sizes below the best one proved."""
        most = min(MOST_FITTED_AGAIN, math.inf if self.best is None else self.best.choice.size - 1)
        choices = [c for c in self._paths(name) if c.size <= most]
        self._bisect(name, choices, self._start(name, choices))
        while self.best is not None and self.left > AGAIN * self.seconds:
            before = self.best.choice.size
            fewer = [c for c in choices if AGAIN * before <= c.size < before]
            self._bisect(name, fewer, None)
            if self.best.choice.size == before:
                return

    def _bisect(self, name: str, choices: list[Choice], start: int | None) -> None:
        low, high = -1, len(choices)
        while high - low > 1 and self.left > LEAST_PROOF:
            at = start if start is not None else (low + high) // 2
            start = None
            if choices[at] not in self._failed and self._fit(name, choices[at]):
                low = at
            else:
                self._failed.append(choices[at])
                high = at

    def _start(self, name: str, choices: list[Choice]) -> int | None:
        """Where fitting again is expected to just reach the error."""
        low, high = 0, len(choices) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._made(name, choices[middle]).sampled <= GAIN:
                low = middle
            else:
                high = middle - 1
        return low if choices else None

    def _fit(self, name: str, choice: Choice) -> bool:
        """Fit a choice to the original, again to the points where a search finds it worst, and prove it."""
        start = self._made(name, choice)
        until = time.monotonic() + min(max(0.25 * self.left, 5.0), self.left)
        self._say(f"{name}: {choice.size} numbers, fitting again from {start.sampled:.2e}")
        network, tell = start.network, self._fitting(name, choice)
        for _ in range(CUTS):
            network, worst = refit(network, self.target, GOAL, until - time.monotonic(), tell)
            if worst > ROOM:
                self._note(Candidate(name, choice, network, True, worst), "fitted again, above the error")
                return False
            if self._worst_found(self.judge.rounded(network)) <= ROOM:
                break
        return self._judge(Candidate(name, choice, network, True, worst))

    def _fitting(self, name: str, choice: Choice) -> Callable[[float], None]:
        return lambda worst: self._say(f"{name}: {choice.size} numbers fitted again, error {worst:.2e}")

    def _smaller(self, candidate: Candidate) -> bool:
        return self.best is None or candidate.choice.size < self.best.choice.size

    def _worst_found(self, h: Network) -> float:
        """The share of what is allowed that a search finds; its points are sampled from then on."""
        self._searches += 1
        found, points = self.judge.found(h, self.seed + self._searches)
        fresh = spread(self.judge.allowed.areas, LOOKED_AT, self.seed + self._searches)
        share = self.judge.difference(h, fresh).abs().amax(dim=1) / self.judge.allowed.at(fresh)
        points = torch.cat([points, fresh[share.topk(ADDED).indices]])
        self.target = self.target.joined(points, self.judge.f(points), self.judge.allowed.at(points))
        return found

    def _judge(self, candidate: Candidate) -> bool:
        """Prove the candidate; the smallest one proved is kept."""
        h = self.judge.rounded(candidate.network)
        device = self.judge.device(h)
        if candidate.form != "dense":
            found = self._worst_found(h)
            if found / ROOM + device / self.judge.allowed.tightest > 1.0:
                self._note(candidate, f"a search found {found:.3g} of what is allowed, too near to prove twice")
                return False
        self._say(f"{candidate.form}: {candidate.choice.size} numbers, proving")
        proof = self.judge.prove(h, max(0.5 * self.left, LEAST_SHARE * self.seconds, LEAST_PROOF), device)
        judged = Candidate(candidate.form, candidate.choice, h, candidate.fitted, candidate.sampled, proof)
        self._note(judged, "proved" if proof.holds else f"only {proof.share:.3g} times what is allowed is proved")
        if self.closest is None or proof.share < _share(self.closest):
            self.closest = judged
        if proof.holds and self._smaller(judged):
            self.best = judged
            if self.keep is not None and judged.form != "dense":
                self.keep(Known(judged.form, judged.choice.options, h, judged.fitted))
        return proof.holds

    def _note(self, candidate: Candidate, outcome: str) -> None:
        self.tried.append(
            {
                "form": candidate.form,
                "numbers": candidate.choice.size,
                "fitted_again": candidate.fitted,
                "sampled_share": candidate.sampled if math.isfinite(candidate.sampled) else None,
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


def spread(areas: tuple[Area, ...], count: int, seed: int) -> Tensor:
    """count points of the whole box and half as many of every other area, in an order without pattern."""
    draw = torch.Generator().manual_seed(seed)
    made = []
    for number, area in enumerate(areas):
        low, high = (torch.tensor(side, dtype=torch.float64) for side in (area.box.low, area.box.high))
        made.append(sampled(low, high, count // 2 if number else count, draw))
    x = torch.cat(made)
    return x[torch.randperm(len(x), generator=draw)]


def _share(candidate: Candidate) -> float:
    return candidate.proof.share if candidate.proof is not None else math.inf


def _numbers(network: Network) -> int:
    size: int = forms.form("merge").size(network)([0] * len(forms.form("merge").layout(network).joints))
    return size
