"""Ops that are a function of rules/ by name."""

from __future__ import annotations

from .. import composing
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """The function of every entry."""
    return [composing.pointwise(b, call.room.folder, call.value(0))]
