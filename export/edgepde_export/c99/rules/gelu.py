"""Gelu, exact by erf or approximate by tanh."""

from __future__ import annotations

from ..building import Builder, Call
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Element by element."""
    x = call.value(0)
    name = "gelu_tanh" if call.attributes["approximate"] == "tanh" else "gelu"
    return (builder.lanes(call, f"ep_{name}_{x.code}({{0}})", [x], ("gelu.h",)),)
