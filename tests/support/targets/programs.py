"""Test programs: where they are, what they print, which of it differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from support.targets.build import ROOT

PROGRAMS = ROOT / "tests" / "kernels" / "programs"
GOLDEN = ROOT / "tests" / "golden"
SELF_TEST = Path(__file__).parent / "c" / "selftest.c"


@dataclass(frozen=True)
class Source:
    """One program; includes: folders of its headers, those of the kernels where there are none."""

    name: str
    sources: tuple[Path, ...]
    includes: tuple[Path, ...] | None = None

    @property
    def golden(self) -> Path:
        """The lines every target has to print."""
        return GOLDEN / f"{self.name}.txt"


def programs(folder: Path = PROGRAMS) -> tuple[Source, ...]:
    """Each <name>.c of the folder, and each folder <name>/ with all its *.c."""
    single = [Source(path.stem, (path,)) for path in folder.glob("*.c")]
    several = [Source(path.name, tuple(sorted(path.glob("*.c")))) for path in folder.iterdir() if any(path.glob("*.c"))]
    return tuple(sorted(single + several, key=lambda source: source.name))


def lines(printed: str) -> dict[str, str]:
    """The hash of every quantity; raises ValueError for a line that is not "<name> <hash>" or a name twice."""
    found: dict[str, str] = {}
    for line in printed.splitlines():
        name, _, value = line.partition(" ")
        if len(value) != 16 or not set(value) <= set("0123456789abcdef") or name in found:
            raise ValueError(f"expected one line '<name> <16 hex digits>' per name, got {line!r}")
        found[name] = value
    return found


def differing(got: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """Names whose hashes differ or that only one side has."""
    return sorted(name for name in {*got, *expected} if got.get(name) != expected.get(name))
