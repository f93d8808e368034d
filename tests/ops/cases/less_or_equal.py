"""Cases of LessOrEqual."""

from __future__ import annotations

from collections.abc import Iterator

from support.op_cases import Case, binary


def cases() -> Iterator[Case]:
    yield from binary(integers=True)
