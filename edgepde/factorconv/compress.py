"""Compressing simulators in run folders: lower ranks or a smaller core, taught by the original, proved if possible."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from edgepde_runtime.errors import BudgetError, NotVerified, UnsupportedModel
from edgepde_runtime.limits import max_error as limits_of
from edgepde_runtime.term import upward
from torch import Tensor, nn

from edgepde.certify.attack import attack
from edgepde.certify.engine import bound_difference
from edgepde.certify.from_module import from_module
from edgepde.compress.ledger import Ledger, told
from edgepde.errors import RunError
from edgepde.train.layout import CHECKPOINT
from edgepde.train.progress import progress
from edgepde.train.run_folder import SUFFIX, Run

from . import examples, store
from .distilling import AT_ONCE, answers, samples, teach
from .examples import Examples
from .shrinking import METHODS, Candidate, candidates
from .store import Loaded, Simulator

SECONDS, PROOFS = 60.0, 4
POINTS, FEW, MANY, MARGIN = 192, 24, 1024, 2.0
HOPELESS = 3.0
SEARCHED = 64
SAMPLES, STEPS, STARTS = 256, 12, 8
TRIED = "tried"
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

    What was tried is kept while it goes, the same command goes on from there. Raises BudgetError for options that mean
    nothing here, NotVerified where no candidate keeps the error, or none is proved and min_class is sound; nothing is
    written then.
    """
    if points is not None or previous is not None:
        raise BudgetError("--points and --from are for runs of the family network")
    if method not in METHODS:
        raise BudgetError(f"--method expected one of {', '.join(METHODS)} for this family, got {method!r}")
    limit = _limit(max_error, source.simulator.output)
    identity = {"compressed": source.path.name, "of": source.loaded.run.spec["identity"], "max_error": str(max_error)}
    identity |= {"method": method, "min_class": min_class, "seed": seed}
    with Run.start(out, identity, command=command) as run:
        search = _Search(source, limit, min_class, SECONDS if seconds is None else seconds, seed, run)
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
    """Candidates from the smallest on, each taught where that may help, attacked, and proved where a proof is asked."""

    def __init__(self, source: Source, limit: float, min_class: str, seconds: float, seed: int, run: Run) -> None:
        self.source, self.limit, self.min_class, self.run = source, limit, min_class, run
        self.seed, self.left, self.tries = seed, seconds, PROOFS
        self.made = made = source.simulator
        self.original = made.module
        self.wide = _wide(self.original)
        self.kept = examples.read(source.path)
        drawn = samples(made.description, made.box, self.kept, POINTS, seed)
        self.few = drawn[:: max(1, len(drawn) // FEW)]
        self.answers = answers(self.wide, self.few)
        self.tried: list[dict[str, Any]] = []
        self.known = _known(run)
        self.ratio = max((t["bound"] / t["found"] for t in self.known if _proved(t)), default=1.0)

    def best(self, method: str) -> _Judged:
        """The first that keeps the limit in the class asked for; raises NotVerified with what was reached."""
        made, count = self.made, MANY if self.made.box.dimension <= SEARCHED else POINTS
        points = samples(made.description, made.box, self.kept, count, self.seed)
        found = candidates(made.description, self.original, points, method)
        with progress("compressing", max(1, len(found))) as bar:
            for place, one in enumerate(found):
                bar.update(place)
                judged = self._judged(one)
                bar.note(f"{one.numbers} numbers: off by {self.tried[-1]['found']:.3g}, {self.limit:g} is asked")
                if judged is not None and (judged.class_ == "sound" or self.min_class == "measured"):
                    return judged
                if self.min_class == "sound" and (self.tries <= 0 or self.left <= 0.0):
                    break
        message = self._reached()
        (self.run.path / CHECKPOINT / f"{TRIED}{SUFFIX}").unlink(missing_ok=True)
        raise NotVerified(message)

    def _judged(self, one: Candidate) -> _Judged | None:
        """None where the candidate misses the limit; note is taken of it."""
        before = next((t for t in self.known if (t["method"], t["numbers"]) == (one.method, one.numbers)), None)
        if before is not None:
            self.tried.append(before)
            return None
        worst = self.alone(one.module)
        if one.taught and worst * MARGIN > self.limit and worst < HOPELESS * self.limit:
            self._teach(one)
            worst = self.alone(one.module)
        if worst * max(MARGIN, self.ratio) <= self.limit:
            worst = max(worst, self._attacked(one.module))
        kept = worst * MARGIN <= self.limit
        row: dict[str, Any] = {"method": one.method, "numbers": one.numbers, "found": worst, "kept": kept}
        self.tried.append(row)
        bound = self._bound(one.module, row) if kept and worst * self.ratio <= self.limit else None
        if bound is not None and bound <= self.limit:
            return _Judged(one, worst, bound, "sound")
        if kept and self.min_class == "measured":
            return _Judged(one, worst, MARGIN * worst, "measured")
        self.run.save(TRIED, {}, {"tried": self.tried})
        return None

    def _teach(self, one: Candidate) -> None:
        points = samples(self.made.description, self.made.box, to_teach(self.kept), 2 * POINTS, self.seed + 1)
        teach(self.wide, one.module, one.taught, points, self.seed)

    def _bound(self, small: nn.Module, row: dict[str, Any]) -> float | None:
        """The bound on |original - small|, None where a node has no rule or nothing is to be proved any more.

        What is farther from the limit than bounds are from what was found is not proved after this.
        """
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
            self.tries, row["not proved"] = 0, str(error)
            return None
        self.left -= time.monotonic() - began
        row["bound"] = value = float(bound.value.max())
        row["found"] = max(row["found"], float(bound.found.max()))
        if _proved(row):
            self.ratio = value / row["found"]
        return value

    def _attacked(self, module: nn.Module) -> float:
        """The largest error that climbing from the worst of many random inputs reaches."""
        box, small = self.made.box, _wide(module)
        if box.dimension > SEARCHED:
            points = samples(self.made.description, box, self.kept, POINTS, self.seed)
            return float((answers(self.wide, points) - answers(small, points)).abs().max())

        def error(x: Tensor) -> Tensor:
            parts = [
                (self.wide(some) - small(some)).abs().flatten(1).amax(1, keepdim=True) for some in x.split(AT_ONCE)
            ]
            return torch.cat(parts)

        low, high = (torch.tensor(side, dtype=torch.float64) for side in (box.low, box.high))
        found = attack(error, low, high, seed=self.seed, samples=SAMPLES, steps=STEPS, starts=STARTS)
        return float(found.value.max())

    def alone(self, module: nn.Module) -> float:
        """The largest error a module makes on a few points."""
        return float((answers(_wide(module), self.few) - self.answers).abs().max())

    def _reached(self) -> str:
        kept = next((t for t in self.tried if t["kept"]), None)
        if kept is not None:
            was = f"an error of {upward(MARGIN * kept['found'])} was measured with {kept['numbers']} numbers"
            nearest = min((t for t in self.tried if _proved(t)), key=lambda t: float(t["bound"]), default=None)
            best = "" if nearest is None else f", at best {upward(nearest['bound'])} with {nearest['numbers']} numbers"
            advice = "give --min-class measured, or more --seconds"
            return f"{self.source.path}: {was}, but nothing within {self.limit:g} is proved{best}; {advice}"
        least = min((t["found"] for t in self.tried), default=None)
        best = "no smaller form was found" if least is None else f"the best form is off by {MARGIN * least:.3g}"
        return f"{self.source.path}: nothing smaller keeps an error of {self.limit:g}: {best}"


def _known(run: Run) -> list[dict[str, Any]]:
    """What an interrupted search tried before; RunError where that cannot be read."""
    kept = run.restore(TRIED)
    rows = [] if kept is None else kept[1].get("tried")
    names = {"method": str, "numbers": int, "found": float, "kept": bool}
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and all(isinstance(row.get(name), kind) for name, kind in names.items()) for row in rows
    ):
        raise RunError(f"{run.path}: {TRIED}: expected what was tried, got something else; delete the folder")
    return rows


def _proved(row: Mapping[str, Any]) -> bool:
    """Whether a bound was proved that says how far bounds are from what is found."""
    bound = row.get("bound")
    return isinstance(bound, float) and math.isfinite(bound) and float(row["found"]) > 0.0


def to_teach(kept: Examples | None) -> Examples | None:
    """The cases without the last, the worst: errors are measured on frames that were not taught, too."""
    if kept is None or len(kept.fields) < 2:
        return None
    return replace(kept, parameters=kept.parameters[:-1], fields=kept.fields[:-1])


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
