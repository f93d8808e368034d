"""Cases of Log."""

from __future__ import annotations

from collections.abc import Iterator

from support.op_cases import Case, unary


def cases() -> Iterator[Case]:
    yield from unary([0.0, 1e-3, 0.3, 1.0, 2.5, 1e6])
