"""Selu."""

from __future__ import annotations

from .. import composing
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """gamma elu(x)."""
    return [composing.elu(b, call.value(0), call.attributes["alpha"], call.attributes["gamma"])]
