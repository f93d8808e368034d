"""What the recipes of many operators share: which operators, how many cases of each, how they are learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from edgepde.errors import SettingError
from edgepde.problems import operators
from edgepde.train.ranks import place

Scheme = Literal["auto", "closed", "learned", "varpro", "joint", "alternating", "linear"]
LEAST = {
    "samples": 2,
    "validation": 1,
    "test": 1,
    "sensors": 3,
    "features": 1,
    "units": 1,
    "rank": 1,
    "steps": 1,
    "groups": 0,
    "delta": 0,
}
BY_GRADIENTS = ("varpro", "joint", "alternating")
_LEARNED = frozenset({"branch", "widths", "units", "features", "rank", "steps", "batch", "rate", "groups", "delta"})
READ: Mapping[str, frozenset[str]] = {
    "closed": frozenset({"units", "features", "rank"}),
    "learned": frozenset({"widths", "features", "rank", "steps"}),
    "varpro": _LEARNED,
    "joint": _LEARNED,
    "alternating": _LEARNED | {"q"},
    "linear": frozenset({"rank"}),
}
"""Which settings of how to learn a scheme reads; all others are of which cases, and read by every scheme."""
OF_BRANCH = {"mlp": "widths", "gaussian": "units"}
"""Which size each branch that is learned by gradients has."""


@dataclass(frozen=True)
class Settings:
    """operators: names, all of the paper's sixteen where none is given. samples, validation, test: cases of each to
    learn from, to choose by, to measure on (fresh draws at places and times that training never saw).

    scheme: closed (Gaussian features and ridge regression, nothing is iterated), learned (the same, but for a branch
    by gradients, an mlp of these widths), varpro, joint or alternating (gradients, see docs/modno.md), linear (the
    linear part alone), auto (closed, in several processes joint).
    sensors: of an input, on one period.
    features: of the shared branch at most; units: Gaussian ones in it; rank: rows of an operator's basis at most; none
    is the scheme's own, as of steps. branch (mlp of hidden layers of these widths, or gaussian), steps, batch, q, rate:
    of schemes with gradients, see edgepde/modno/training/settings.py. groups: branches at most, one per cluster of
    operators that pull it the same way, 0 for one. delta: rank of each operator's own change of the branch, taken where
    it helps on validation cases. own_inputs: every operator draws inputs of its own.
    bases: features and rank that --sweep basis compares.
    """

    operators: tuple[str, ...] = ()
    samples: int = 300
    validation: int = 100
    test: int = 200
    scheme: Scheme = "auto"
    sensors: int = 32
    features: int | None = None
    units: int | None = None
    rank: int | None = None
    branch: Literal["mlp", "gaussian"] = "mlp"
    widths: tuple[int, ...] = (100, 100)
    steps: int | None = None
    batch: int = 0
    q: float = 1.0
    rate: float = 2e-3
    groups: int = 0
    delta: int = 0
    own_inputs: bool = False
    bases: tuple[int, ...] = (8, 16, 32, 64, 128)

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise SettingError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        if not self.bases or min(self.bases) < 1:
            raise SettingError(f"bases: expected numbers of at least 1, got {list(self.bases)}")
        if len(set(self.operators)) != len(self.operators):
            raise SettingError(f"operators: expected names that differ, got {', '.join(self.operators)}")
        self.named()

    @property
    def by_gradients(self) -> bool:
        """Whether something is iterated."""
        return self.scheme in BY_GRADIENTS

    def resolved(self, ranks: int) -> Self:
        """With the scheme that `auto` stands for in so many processes."""
        return replace(self, scheme="joint" if ranks > 1 else "closed") if self.scheme == "auto" else self

    def check_set(self, names: Sequence[str]) -> None:
        """SettingError for one of the settings changed that the scheme, or its branch, does not read."""
        scheme = self.resolved(place()[1]).scheme
        called = scheme if scheme == self.scheme else f"{scheme} (which {self.scheme} is)"
        for name in names:
            readers = [one for one, read in READ.items() if name in read]
            if readers and scheme not in readers:
                raise SettingError(f"{name}: scheme {called} does not read it; those that do: {', '.join(readers)}")
            other = [kind for kind, size in OF_BRANCH.items() if size == name and kind != self.branch]
            if other and scheme in BY_GRADIENTS:
                raise SettingError(f"{name}: branch {self.branch} does not read it; the one that does: {other[0]}")

    def named(self) -> tuple[str, ...]:
        """The operators asked for; ProblemError for one there is not."""
        return tuple(operators.operator(name).name for name in self.operators or operators.names())

    def quick(self) -> Self:
        """Few operators, few cases, few steps."""
        names = self.operators or operators.names()
        return replace(
            self, operators=names[:2], samples=32, validation=8, test=8, sensors=12, features=8, units=16, rank=6,
            widths=(16,), steps=20, bases=(4, 8),
        )  # fmt: skip
