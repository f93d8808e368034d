"""Cast: a float to an integer is defined for every value (convert.h)."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.onnxtensor import element

from ..building import FLOATS, Builder, Call
from ..value import C_TYPES, Value, code_of


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Element by element."""
    x = call.value(0)
    to = code_of(np.dtype(element(call.attributes["to"], "attribute 'to'")), "attribute 'to'")
    if to == x.code:
        return (x,)
    if to == "u8":
        return (builder.scalars(call, "(unsigned char)({0} != 0)", [x], to),)
    if x.code in FLOATS and to in ("i64", "i32"):
        return (builder.scalars(call, f"ep_{to}_of_{x.code}({{0}})", [x], to, ("convert.h",)),)
    if (x.code, to) == ("i64", "i32"):
        return (builder.scalars(call, "ep_i32_of_i64({0})", [x], to, ("convert.h",)),)
    if to not in C_TYPES:
        raise UnsupportedModel(f"cast from {x.code} to {to}")
    return (builder.scalars(call, f"({C_TYPES[to]}){{0}}", [x], to),)
