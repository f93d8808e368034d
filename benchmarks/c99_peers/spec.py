"""What the contest is told: plain JSON, since it runs in the peers' environment. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One rival in one case.

    kind: a function of runners.py. variants: (words, file) of which the fastest is timed. inputs, expected: .npz
    files by argument name; NaN in expected has no reference. dtypes: of the outputs. sizes: of a C function, in
    its order.
    """

    case: str
    rival: str
    kind: str
    variants: tuple[tuple[str, str], ...]
    inputs: str
    expected: str
    dtypes: Mapping[str, str] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """Seconds per call in every round; error: max |difference| to the reference; failed: why nothing was measured."""

    case: str
    rival: str
    seconds: tuple[float, ...] = ()
    variant: str = ""
    error: float = float("nan")
    failed: str = ""


def write(path: Path, items: Sequence[Entry] | Sequence[Outcome]) -> None:
    """As a list of objects."""
    path.write_text(json.dumps([asdict(item) for item in items]), encoding="utf-8")


def entries(path: Path) -> list[Entry]:
    """What `write` wrote."""
    return [
        Entry(**{**item, "variants": tuple(map(tuple, item["variants"])), "sizes": tuple(item["sizes"])})
        for item in json.loads(path.read_text(encoding="utf-8"))
    ]


def outcomes(path: Path) -> list[Outcome]:
    """What `write` wrote."""
    return [
        Outcome(**{**item, "seconds": tuple(item["seconds"])}) for item in json.loads(path.read_text(encoding="utf-8"))
    ]
