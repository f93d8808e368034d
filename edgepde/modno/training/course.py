"""How far a training is: its best validation error, its stalls, its history."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, final

from .settings import Fit


@final
@dataclass
class Course:
    """step: steps done. best, best_step: lowest score and when. stalled: checks since the last gain. halved: rates.

    own: per operator its own lowest error and the step of it, whatever the others did then. history: an entry a check.
    """

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    reference: float = math.inf
    stalled: int = 0
    halved: int = 0
    own: dict[str, list[float]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)

    def judge(self, score: float, errors: dict[str, float], passes: int, rate: float, how: Fit) -> bool:
        """Take note of a check; whether it is the best so far."""
        self.history.append({"step": self.step, "score": score, "errors": dict(errors), "passes": passes, "rate": rate})
        for name, error in errors.items():
            if error < self.own.get(name, [math.inf])[0]:
                self.own[name] = [error, float(self.step)]
        self.stalled += 1
        if score < (1.0 - how.gain) * self.reference:
            self.reference, self.stalled = score, 0
        elif how.schedule == "plateau" and self.stalled >= how.patience and self.halved < how.halvings:
            self.halved, self.stalled = self.halved + 1, 0
        if score < self.best:
            self.best, self.best_step = score, self.step
            return True
        return False

    def over(self, how: Fit) -> bool:
        """All steps are done, or the validation error stalls."""
        return self.step >= how.steps or self.stalled >= how.patience
