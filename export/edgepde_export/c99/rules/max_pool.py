"""MaxPool."""

from __future__ import annotations

from ..building import Builder, Call
from ..value import Value
from ._pooling import pooled


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Largest elements; their places are not computed."""
    return pooled(call, builder, largest=True)
