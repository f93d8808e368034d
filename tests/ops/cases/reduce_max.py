"""Cases of ReduceMax."""

from __future__ import annotations

from collections.abc import Iterator

from support.op_cases import Case, reductions


def cases() -> Iterator[Case]:
    yield from reductions(noop=True)
