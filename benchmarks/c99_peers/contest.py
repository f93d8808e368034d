"""The contest itself: every rival checked against the reference, then all timed in turn on one core.

Run by the peers' Python: contest.py ENTRIES.json OUTCOMES.json ROUNDS CORE SEED
"""

from __future__ import annotations

import gc
import os
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import runners
from spec import Entry, Outcome, entries, write

TOLERANCE = 1e-5
SLOT, TRIALS = 4e-4, 12


@dataclass
class Contestant:
    """A rival ready to be timed: `times` calls fill a slot."""

    entry: Entry
    runner: runners.Runner
    variant: str
    error: float
    times: int = 1
    seconds: list[float] = field(default_factory=list)


def arrays(file: str) -> dict[str, np.ndarray[Any, Any]]:
    """By name, each on a cache line of its own."""
    made = {}
    with np.load(file, allow_pickle=False) as held:
        for name in held.files:
            value = held[name]
            room = np.empty(value.nbytes + 64, dtype=np.uint8)
            place = room[-room.ctypes.data % 64 :][: value.nbytes].view(value.dtype).reshape(value.shape)
            place[...] = value
            made[name] = place
    return made


def ready(entry: Entry) -> Contestant:
    """The fastest of the entry's variants. Raises ValueError where one disagrees with the reference."""
    best, least = None, float("inf")
    for words, file in entry.variants:
        inputs, expected = arrays(entry.inputs), arrays(entry.expected)
        outputs = {name: value.astype(entry.dtypes[name]) * np.nan for name, value in expected.items()}
        runner = getattr(runners, entry.kind)(file, entry, inputs, outputs)
        runner.kept = (inputs, outputs)
        runner.seconds(1)
        error = max((difference(outputs[name], value) for name, value in expected.items()), default=0.0)
        if not error <= TOLERANCE:
            raise ValueError(f"{words}: differs from the reference by {error:.1e}")
        times = fill(min(runner.seconds(1) for _ in range(3)))
        took = min(runner.seconds(times) / times for _ in range(TRIALS))
        if took < least:
            best, least = Contestant(entry, runner, words, error, fill(took)), took
    if best is None:
        raise ValueError("no variant")
    return best


def fill(seconds: float) -> int:
    """How many calls of so many seconds fill a slot."""
    return max(1, int(SLOT / max(seconds, 1e-9)))


def difference(got: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> float:
    """max |got - expected| over what has a reference, that is, where expected is not NaN."""
    known = ~np.isnan(expected)
    return float(np.max(np.abs(got[known] - expected[known]), initial=0.0))


def enter(given: list[Entry]) -> tuple[list[Contestant], list[Outcome]]:
    """Those that can be timed, and what became of the others."""
    entered, failed = [], []
    for entry in given:
        try:
            entered.append(ready(entry))
        except Exception as error:  # whatever a peer raises is its row's note
            failed.append(Outcome(entry.case, entry.rival, failed=f"{type(error).__name__}: {error}"[:300]))
    return entered, failed


def main() -> None:
    """All rounds."""
    source, target, rounds, core, seed = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    entered, failed = enter(entries(Path(source)))
    order = list(range(len(entered)))
    turn = random.Random(int(seed))
    gc.collect()
    gc.disable()
    for _ in range(int(rounds)):
        turn.shuffle(order)
        for i in order:
            one = entered[i]
            one.runner.seconds(max(1, one.times // 20))
            one.seconds.append(one.runner.seconds(one.times) / one.times)
    done = [Outcome(o.entry.case, o.entry.rival, tuple(o.seconds), o.variant, o.error) for o in entered]
    write(Path(target), done + failed)


if __name__ == "__main__":
    main()
