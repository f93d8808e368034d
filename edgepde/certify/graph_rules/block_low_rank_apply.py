"""block_low_rank_apply: a matrix as blocks, with the numbers the graph stores."""

from __future__ import annotations

from .. import contracting
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """The blocks times the vector."""
    held = [call.constant(i) for i in range(1, 6)]
    return [contracting.in_blocks(b, call.value(0), call.attributes["rows"], held)]
