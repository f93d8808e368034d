"""IsInf, of either sign or one."""

from __future__ import annotations

from ..building import Builder, Call
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Beyond the largest number."""
    x = call.value(0)
    largest = "FLT_MAX" if x.code == "f32" else "DBL_MAX"
    tests = [f"{{0}} > {largest}"] if call.attributes["detect_positive"] else []
    tests += [f"{{0}} < -{largest}"] if call.attributes["detect_negative"] else []
    return (builder.scalars(call, f"(unsigned char)({' || '.join(tests) or '0'})", [x], "u8"),)
