"""Cases of Elu."""

from __future__ import annotations

from collections.abc import Iterator

from support.op_cases import Case, unary

VALUES = [-2.5, -1.0, -0.3, 0.0, 0.3, 1.0, 2.5]


def cases() -> Iterator[Case]:
    yield from unary(VALUES, attributes={})
    yield from unary(VALUES, attributes={"alpha": 0.5})
