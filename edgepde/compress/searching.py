"""The smallest form of a network that is proved within an error: candidates from the forms, fitted again, judged."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, final

import torch

from edgepde.certify.network import Network
from edgepde.compress import forms
from edgepde.compress.area import spread
from edgepde.compress.budget import Choice, path
from edgepde.compress.derived import Sampled
from edgepde.compress.forms._prepared import How, Prepared
from edgepde.compress.hunt import LEAST_PROOF, ROOM, Candidate, Hunt, Known, ranking
from edgepde.compress.refit import Target, refit

__all__ = ["Candidate", "Known", "Search", "spread"]
FITTED, LEAST_FITTED, LOOKED_AT = 3000, 500, 12000
MOST_FITTED_AGAIN = 4000
GAIN, CUTS, ADDED, AGAIN = 12.0, 8, 32, 0.5
GOAL = 0.97 * ROOM


@final
class Search(Hunt):
    """A search over sample points: every form's path bisected, the smallest fitted again."""

    def __init__(self, *given: Any, known: Known | None = None, **options: Any) -> None:
        super().__init__(*given, **options)
        self.known = known
        self._searches, self._failed = 0, list[Choice]()
        self._forms: dict[str, Prepared] = {}
        self._known_paths: dict[str, list[Choice]] = {}
        f, allowed = self.judge.f, self.judge.allowed
        x = spread(allowed.areas, LOOKED_AT, self.seed)
        count = max(FITTED // f.outputs, LEAST_FITTED, 2 * max(f.widths))
        self.target = Target(x, f(x), allowed.at(x), min(count, len(x)))
        self.derived = Sampled(f, allowed.derived, self.seed)

    def run(self, names: tuple[str, ...]) -> None:
        """Try the forms."""
        if self.known is not None and self.known.form in names:
            self._again(self.known)
        ranked = ranking([c for c in map(self._plain, names) if c is not None])
        for loser in ranked[1:]:
            self.note(loser, f"larger than {ranked[0].form} at this error")
        for candidate in ranked:
            if self.smaller(candidate) and (
                self.consider(candidate) or self._roomier(candidate) or self._careful(candidate)
            ):
                break
        first = [c.form for c in ranked] + [name for name in names if len(self._paths(name)) > 1]
        first = [name for name in first if self._form(name).refitted]
        if first:
            self._fit_down(first[0])
        if self.best is None:
            self.dense()

    def kept(self) -> dict[int, str]:
        """Why affine maps stay as they are; what a form says of its size goes with what the structure says."""
        made = super().kept()
        for form in self._forms.values():
            for place, why in form.refused().items():
                made[place] = f"{made[place]}; {why}" if place in made else why
        return made

    def alone(self, best: Candidate, place: int) -> float | None:
        """Over sample points."""
        form = self._form(best.form)
        names = [part.name for part in form.parts]
        if str(place) not in names:
            return None
        options = [o if n == str(place) else 0 for n, o in zip(names, best.choice.options, strict=True)]
        made = form.apply(options, self.target.few)
        worst = float((made(self.target.x) - self.target.y).abs().max())
        return worst if math.isfinite(worst) else None

    def _again(self, known: Known) -> None:
        """Prove what an earlier search found, as if it were new."""
        form = self._form(known.form)
        choice = Choice(known.options, form.size(known.options), 0.0)
        changes, blocks = form.described(known.options), form.chosen(known.options)
        worst = self.target.worst(known.network)
        network = form.apply(known.options, self.target.few) if blocks else known.network
        made = Candidate(known.form, choice, network, known.fitted, worst, changes=changes, formed=blocks)
        self.consider(made)

    def _form(self, name: str) -> Prepared:
        if name not in self._forms:
            self.say(f"{name}: what could be saved where")
            how = How(self.each, self.geometry)
            self._forms[name] = forms.prepared(name, self.judge.f, self.target.few, how)
        return self._forms[name]

    def _paths(self, name: str) -> list[Choice]:
        if name not in self._known_paths:
            form = self._form(name)
            self._known_paths[name] = path(form.parts, form.size) if form.parts else []
        return self._known_paths[name]

    def _plain(self, name: str, most: float = ROOM) -> Candidate | None:
        """The smallest candidate of a form, not fitted again, whose sampled error leaves room for the proof."""
        choices = self._paths(name)
        low, high, best = 0, len(choices) - 1, None
        while low < high:
            middle = (low + high + 1) // 2
            made = self._made(name, choices[middle])
            self.say(f"{name}: {choices[middle].size} bytes, error {made.sampled:.2e}")
            if made.sampled <= most:
                low, best = middle, made
            else:
                high = middle - 1
        if best is None:
            self.tried.append({"form": name, "outcome": self._form(name).nothing})
        return best

    def _roomier(self, refused: Candidate) -> bool:
        """Once more with room for the device's arithmetic, which was not known before."""
        most = ROOM**2 * (1.0 - self.last_device / self.judge.allowed.tightest)
        if not 0.0 < most < refused.sampled / ROOM:
            return False
        made = self._plain(refused.form, most)
        return made is not None and self.smaller(made) and self.consider(made)

    def _careful(self, refused: Candidate) -> bool:
        """Bisect towards larger choices of a form, every one searched for its worst point: samples missed it."""
        choices = [c for c in self._paths(refused.form) if c.size > refused.choice.size]
        low, high, held = -1, len(choices), False
        while high - low > 1 and self.left > 0.5 * self.seconds:
            middle = (low + high) // 2
            made = self._made(refused.form, choices[middle])
            if made.sampled <= ROOM and self.smaller(made) and self.consider(made):
                low, held = middle, True
            else:
                high = middle
        return held

    def _made(self, name: str, choice: Choice) -> Candidate:
        form = self._form(name)
        made = form.apply(choice.options, self.target.few)
        worst = max(self.target.worst(made), self.derived.worst(made))
        changes, blocks = form.described(choice.options), form.chosen(choice.options)
        return Candidate(name, choice, made, False, worst, changes=changes, formed=blocks)

    def _fit_down(self, name: str) -> None:
        """Bisect the form's path with every candidate fitted again; sizes below the best one proved."""
        most = min(MOST_FITTED_AGAIN * self.each, math.inf if self.best is None else self.best.choice.size - 1)
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
        self.say(f"{name}: {choice.size} bytes, fitting again from {start.sampled:.2e}")
        network, tell = start.network, self._fitting(name, choice)
        for _ in range(CUTS):
            network, worst = refit(network, self.target, GOAL, until - time.monotonic(), tell)
            if worst > ROOM:
                self.note(replace(start, fitted=True, sampled=worst), "fitted again, above the error")
                return False
            if self.worst_found(self.judge.rounded(network)) <= ROOM:
                break
        return self.consider(replace(start, network=network, fitted=True, sampled=worst))

    def _fitting(self, name: str, choice: Choice) -> Callable[[float], None]:
        return lambda worst: self.say(f"{name}: {choice.size} bytes fitted again, error {worst:.2e}")

    def worst_found(self, h: Network) -> float:
        """The share of what is allowed that a search finds; its points are sampled from then on."""
        self._searches += 1
        found, points = self.judge.found(h, self.seed + self._searches)
        fresh = spread(self.judge.allowed.areas, LOOKED_AT, self.seed + self._searches)
        share = self.judge.difference(h, fresh).abs().amax(dim=1) / self.judge.allowed.at(fresh)
        points = torch.cat([points, fresh[share.topk(ADDED).indices]])
        self.target = self.target.joined(points, self.judge.f(points), self.judge.allowed.at(points))
        return found
