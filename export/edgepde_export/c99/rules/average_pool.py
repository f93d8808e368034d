"""AveragePool."""

from __future__ import annotations

from ..building import Builder, Call
from ..value import Value
from ._pooling import pooled


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Means."""
    return pooled(call, builder, largest=False)
