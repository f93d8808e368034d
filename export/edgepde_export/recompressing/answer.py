"""What answers the alarms of a bundle: a box that covers the inputs seen, another run, error spent where inputs are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from edgepde_runtime.bundle import Bundle
from edgepde_runtime.errors import InputError
from edgepde_runtime.subbox import SubBox, words

from edgepde.train.finished_run import open_run

from .because import INPUTS, OUT_OF_BOX, RESIDUAL, Because, Key
from .parts import SHARE, part_of

# Ends of inputs that were seen have gone through the numbers of a device.
SLACK = 1e-6
Ends: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Answer:
    """words: a line per alarm. covers: ends that the new box must hold, by (input, column); larger: than the old one.

    part: where the inputs are. run_needed: why the old reference cannot answer, "" where it can; smaller_helps: unless
    a smaller error is asked for.
    """

    words: tuple[str, ...]
    covers: Mapping[Key, Ends] = field(default_factory=dict)
    part: SubBox = field(default_factory=dict)
    run_needed: str = ""
    smaller_helps: bool = False
    larger: bool = False

    def check_box(self, old: Bundle, ends: Mapping[Key, Ends]) -> None:
        """Raises InputError naming the column whose inputs the ends of a new box do not hold."""
        before = {(c.input, c.column): (c.low, c.high) for c in old.certificate.box}
        if self.larger and ends == before:
            raise InputError("the run speaks for the old box, and inputs were outside it; train it on a larger box")
        for key, (low, high) in self.covers.items():
            least, most = ends.get(key, (low, high))
            slack = SLACK * (high - low)
            if low < least - slack or high > most + slack:
                raise InputError(
                    f"the run speaks for {key[1]} in {_range(least, most)}, the inputs seen are in "
                    f"{_range(low, high)}; train it on a box that holds them, or --keep-box"
                )


def ends_of(new: Bundle) -> dict[Key, Ends]:
    """The ends of a bundle's box by (input, column)."""
    return {(c.input, c.column): (c.low, c.high) for c in new.certificate.box}


def ends_of_run(run: Path) -> dict[Key, Ends]:
    """The ends of the box that a run states, as far as it does so by column; the bundle made of it states all."""
    made: dict[Key, Ends] = {}
    for name, stated in open_run(run).spec["box"].items():
        sides = [stated.get(key) for key in ("names", "low", "high")] if isinstance(stated, dict) else []
        if sides and all(isinstance(side, list) for side in sides):
            made |= {(str(name), str(c)): (float(a), float(b)) for c, a, b in zip(*sides, strict=False)}
    return made


def answer(old: Bundle, because: Because, *, keep_box: bool, anyway: bool) -> Answer:
    """The answer to all alarms together; raises InputError where there is none, or nothing that answers it."""
    if not because.alarms and not anyway:
        raise InputError(
            f"{because.where}: no alarm, so there is no reason to rebuild {old.root}; --anyway does it all the same"
        )
    answers = {kind: _one(old, because, kind, why, keep_box) for kind, why in because.alarms.items()}
    useful = [one for one in answers.values() if isinstance(one, Answer)]
    if not useful and not anyway:
        raise InputError("; ".join(str(reason) for reason in answers.values()) + "; --anyway rebuilds it all the same")
    return _together(useful) if useful else Answer((f"{because.where}: rebuilt all the same",))


def _one(old: Bundle, because: Because, kind: str, why: str, keep_box: bool) -> Answer | str:
    """The answer to one alarm, or why there is none."""
    if kind == OUT_OF_BOX:
        return f"{because.where}: {why}: with --keep-box nothing answers it" if keep_box else _grown(old, because, why)
    if kind == RESIDUAL:
        needed = f"{why}: its reference is the network that raised the alarm and would raise it again"
        return Answer((f"{why}: rebuilt, and its threshold calibrated again",), run_needed=needed, smaller_helps=True)
    if kind == INPUTS:
        return _spent(old, because, why)
    raise InputError(f"{because.where}: alarm {kind!a}: this version does not know what answers it")


def _grown(old: Bundle, because: Because, why: str) -> Answer:
    covers, told = {}, []
    for c in old.certificate.box:
        low, high = because.seen.get((c.input, c.column), (c.low, c.high))
        if low < c.low or high > c.high:
            covers[c.input, c.column] = min(low, c.low), max(high, c.high)
            told.append(f"{c.column} in {_range(*covers[c.input, c.column])}")
    inputs = ", ".join(told) or "every input seen"
    needed = (
        f"{why}: its reference was made for the old box, and nothing says that it is right for {inputs}: it has to be "
        "trained again on a box that holds them"
    )
    return Answer((f"{why}: the box grows to hold {inputs}",), covers, run_needed=needed, larger=True)


def _spent(old: Bundle, because: Because, why: str) -> Answer | str:
    part = part_of(old.certificate.box, because.bins)
    if not part:
        return f"{because.where}: {why}: the inputs are spread, no part of the box holds {SHARE:.0%} of them"
    return Answer((f"{why}: error is spent where {SHARE:.0%} of each column's inputs are, {words(part)}",), part=part)


def _together(answers: list[Answer]) -> Answer:
    needed = [one for one in answers if one.run_needed]
    return Answer(
        tuple(line for one in answers for line in one.words),
        {key: ends for one in answers for key, ends in one.covers.items()},
        {key: ends for one in answers for key, ends in one.part.items()},
        "; ".join(one.run_needed for one in needed),
        all(one.smaller_helps for one in needed),
        any(one.larger for one in answers),
    )


def _range(low: float, high: float) -> str:
    return f"{low:.6g} .. {high:.6g}"
