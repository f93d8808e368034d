"""Cases of Asinh."""

from __future__ import annotations

from collections.abc import Iterator

from support.op_cases import Case, unary


def cases() -> Iterator[Case]:
    yield from unary([-2.5, -1.0, -0.3, 0.0, 0.3, 1.0, 2.5])
