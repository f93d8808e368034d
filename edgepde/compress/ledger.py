"""What was done to a model, part by part, as JSON: form, bytes before and after, the error it makes, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One part: the form it has now and its bytes. error: what this change alone does to the output, None if none."""

    part: str
    form: str
    bytes_before: int
    bytes_after: int
    error: float | None
    why: str


@dataclass(frozen=True)
class Ledger:
    """All parts, the bound proved for them together, and what else was tried."""

    entries: tuple[Entry, ...]
    error: dict[str, Any]
    tried: tuple[dict[str, Any], ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def bytes_before(self) -> int:
        """Bytes of all parts of the original."""
        return sum(entry.bytes_before for entry in self.entries)

    @property
    def bytes_after(self) -> int:
        """Bytes of all parts as they are stored now."""
        return sum(entry.bytes_after for entry in self.entries)

    def as_dict(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "error": self.error,
            "parts": [asdict(entry) for entry in self.entries],
            "total": {"bytes_before": self.bytes_before, "bytes_after": self.bytes_after},
            "tried": list(self.tried),
            **self.notes,
        }


def told(document: Mapping[str, Any]) -> Sequence[str]:
    """The document of a ledger in lines for people."""
    total = document["total"]
    lines = [f"{e['part']}: {e['form']}, {e['bytes_before']} to {e['bytes_after']} bytes" for e in document["parts"]]
    return [*lines, f"in all {total['bytes_before']} to {total['bytes_after']} bytes"]
