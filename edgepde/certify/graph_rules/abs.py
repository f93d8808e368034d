"""Abs."""

from __future__ import annotations

from .. import composing
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """|x|."""
    return [composing.magnitude(b, call.value(0))]
