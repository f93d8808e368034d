"""Einsum of one or two operands."""

from __future__ import annotations

from .. import contracting
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """Sums of products."""
    return [contracting.einsum(b, call.attributes["equation"], call.operands())]
