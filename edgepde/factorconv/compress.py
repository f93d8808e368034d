"""Compressing simulators in run folders: lower ranks or a smaller core, taught by the original, proved if possible."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from edgepde_runtime.errors import BudgetError, NotVerified, UnsupportedModel
from edgepde_runtime.limits import max_error as limits_of
from edgepde_runtime.term import upward
from torch import Tensor, nn

from edgepde.certify.engine import bound_difference
from edgepde.certify.from_module import from_module
from edgepde.certify.search import worst_point
from edgepde.compress.ledger import Ledger, told
from edgepde.train.progress import progress
from edgepde.train.run_folder import SUFFIX, Run

from . import examples, store
from .distilling import apart, samples, teach
from .shrinking import METHODS, Candidate, candidates
from .store import Loaded, Simulator

SECONDS, PROOFS = 60.0, 4
POINTS, FEW, MARGIN = 192, 24, 2.0
HOPELESS = 3.0
SEARCHED, ROUNDS = 64, 2
Class = Literal["sound", "measured"]


@dataclass(frozen=True, eq=False)
class Source:
    """The run that is compressed: what it ships and where it lies; of a compressed run its original."""

    path: Path
    loaded: Loaded
    simulator: Simulator


@dataclass(frozen=True, eq=False)
class Made:
    """What came of it: the smaller simulator, and its ledger as a document."""

    simulator: Simulator
    ledger: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class _Judged:
    """A candidate with what is known of its error: in the field's unit, and how."""

    candidate: Candidate
    found: float
    value: float
    class_: Class


def of_run(path: Path) -> Source:
    """A run; of a compressed one its original, so that errors do not add up."""
    loaded = store.load(path)
    return Source(path, loaded, loaded.reference or loaded.simulator)


def compress_to(
    source: Source,
    out: Path,
    max_error: str | float | None,
    *,
    min_class: str = "sound",
    method: str = "auto",
    seconds: float | None = None,
    seed: int = 0,
    command: str = "",
    points: Any = None,
    previous: Path | None = None,
) -> Made:
    """Write the smallest form found within max_error of the original to the run `out`; seconds: for the proofs.

    Raises BudgetError for options that mean nothing here, NotVerified where no candidate keeps the error, or none is
    proved and min_class is sound; nothing is written then.
    """
    if points is not None or previous is not None:
        raise BudgetError("--points and --from are for runs of the family network")
    if method not in METHODS:
        raise BudgetError(f"--method expected one of {', '.join(METHODS)} for this family, got {method!r}")
    limit = _limit(max_error, source.simulator.output)
    identity = {"compressed": source.path.name, "of": source.loaded.run.spec["identity"], "max_error": str(max_error)}
    identity |= {"method": method, "min_class": min_class, "seed": seed}
    with Run.start(out, identity, command=command) as run:
        search = _Search(source, limit, min_class, SECONDS if seconds is None else seconds, seed)
        judged = search.best(method)
        made = _made(source, search, judged, max_error)
        history = {k: v for k, v in source.loaded.run.spec["history"].items() if k != "frame_errors"}
        kept = source.path / "checkpoint" / f"{examples.PART}{SUFFIX}"
        if kept.is_file():
            tensors, meta = _part(kept)
            run.save(examples.PART, tensors, meta)
        store.save(run, made.simulator, source.loaded.run.spec["problem"], history, source.simulator, made.ledger)
    return made


def summary(out: Path, made: Made) -> str:
    """What a compression cost and gained, in lines."""
    error, total = made.ledger["error"], made.ledger["total"]
    share = total["bytes_after"] / max(1, total["bytes_before"])
    sizes = f"{total['bytes_before'] / 1024:.1f} to {total['bytes_after'] / 1024:.1f} KB of weights, {share:.3f} of it"
    bound = f"|original - compressed| <= {upward(error['value'])} {error['unit']}".rstrip()
    lines = [f"  {line}" for line in told(made.ledger)]
    return "\n".join([f"{out}: {sizes}; {bound}, {error['class']}", *lines[:-1]])


def _limit(max_error: str | float | None, output: str) -> float:
    if max_error is None:
        raise BudgetError("--max-error E is missing: the error to stay under")
    asked = limits_of(max_error, "--max-error")
    limit, unknown = asked.of(output), sorted(set(asked.outputs) - {"", output})
    if limit is None or unknown or asked.regions:
        raise BudgetError(f"--max-error expected one number or {output}=NUMBER, got {max_error!r}")
    return float(limit)


def _part(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from edgepde.train import tensor_file

    return tensor_file.decode(path)


class _Search:
    """Candidates from the smallest on, each taught where that may help, measured, and proved where a proof is asked."""

    def __init__(self, source: Source, limit: float, min_class: str, seconds: float, seed: int) -> None:
        self.source, self.limit, self.min_class = source, limit, min_class
        self.seed, self.left, self.tries = seed, seconds, PROOFS
        self.made = source.simulator
        self.original = self.made.module
        self.wide = copy.deepcopy(self.original).double().eval()
        kept = examples.read(source.path)
        self.points = samples(self.made.description, self.made.box, kept, POINTS, seed)
        self.taught = samples(self.made.description, self.made.box, kept, 2 * POINTS, seed + 1)
        self.tried: list[dict[str, Any]] = []

    def best(self, method: str) -> _Judged:
        """The first that keeps the limit in the class asked for; raises NotVerified with what was reached."""
        found = candidates(self.made.description, self.original, self.points, method)
        measured: _Judged | None = None
        with progress("compressing", max(1, len(found))) as bar:
            for place, one in enumerate(found):
                bar.update(place)
                judged = self._judged(one)
                if judged is None:
                    continue
                if judged.class_ == "sound" or self.min_class == "measured":
                    return judged
                measured = measured or judged
                if self.tries <= 0 or self.left <= 0.0:
                    break
        raise NotVerified(self._reached(measured))

    def _judged(self, one: Candidate) -> _Judged | None:
        """None where the candidate misses the limit; note is taken of it."""
        worst = self._worst(one.module, FEW)
        if one.taught and worst * MARGIN > self.limit and worst < HOPELESS * self.limit:
            teach(self.wide, one.module, one.taught, self.taught, self.seed)
            worst = self._worst(one.module, FEW)
        if worst * MARGIN <= self.limit:
            worst = self._searched(one.module)
        kept = worst * MARGIN <= self.limit
        self.tried.append({"method": one.method, "numbers": one.numbers, "found": worst, "kept": kept})
        if not kept:
            return None
        bound = self._proved(one.module)
        if bound is not None and bound <= self.limit:
            return _Judged(one, worst, bound, "sound")
        return _Judged(one, worst, MARGIN * worst, "measured")

    def _proved(self, small: nn.Module) -> float | None:
        """The bound on |original - small|, None where a node has no rule or nothing is to be proved any more."""
        if self.tries <= 0 or self.left <= 0.0:
            return None
        self.tries -= 1
        began, columns = time.monotonic(), self.made.box.dimension
        try:
            pair = from_module(self.original, columns), from_module(small, columns)
            bound = bound_difference(
                *pair, self.made.box, target=self.limit, seconds=self.left / (self.tries + 1), seed=self.seed
            )
        except UnsupportedModel as error:
            self.tries, self.tried = 0, [*self.tried, {"not proved": str(error)}]
            return None
        self.left -= time.monotonic() - began
        self.tried[-1]["bound"] = value = float(bound.value.max())
        return value

    def _worst(self, module: nn.Module, count: int) -> float:
        return float(apart(self.wide, _wide(module), self.points[-count:]).max())

    def _searched(self, module: nn.Module) -> float:
        small, box = _wide(module), self.made.box
        whole = float(apart(self.wide, small, self.points).max())
        if box.dimension > SEARCHED:
            return whole

        def error(x: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
            return apart(self.wide, small, torch.from_numpy(np.ascontiguousarray(x)))

        points = self.points.numpy()
        found = worst_point(error, points, box, points[:0], self.seed, ROUNDS)
        return max(whole, found.value)

    def alone(self, module: nn.Module) -> float:
        """The largest error a module makes on a few points."""
        return self._worst(module, FEW)

    def _reached(self, measured: _Judged | None) -> str:
        if measured is not None:
            was = f"an error of {upward(measured.value)} was measured with {measured.candidate.numbers} numbers"
            advice = "give --min-class measured, or more --seconds"
            return f"{self.source.path}: {was}, but nothing within {self.limit:g} is proved; {advice}"
        least = min((t["found"] for t in self.tried if "found" in t), default=None)
        best = "no smaller form was found" if least is None else f"the best form is off by {MARGIN * least:.3g}"
        return f"{self.source.path}: nothing smaller keeps an error of {self.limit:g}: {best}"


def _wide(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).double().eval()


def _made(source: Source, search: _Search, judged: _Judged, max_error: str | float | None) -> Made:
    old, one = source.simulator, judged.candidate
    small = Simulator(
        one.description, one.module, old.box, old.input, old.output, old.unit, old.axes, old.axis_units, old.about
    )
    how = "proved for every input of the box" if judged.class_ == "sound" else "twice the largest found by a search"
    error = {"value": judged.value, "class": judged.class_, "found": judged.found, "unit": old.unit, "how": how}
    notes = {"max_error": str(max_error), "method": one.method}
    return Made(small, Ledger(one.told(search.alone), error, tuple(search.tried), notes).as_dict())
