"""Ops whose room has a lane kernel `ep_<op>_f32`, and integer arithmetic."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.rooms import Room

from ..building import FLOATS, Builder, Call, kernel_text, lanes_text
from ..value import NUMBERS, Value, constant

_INTEGERS = {
    "add": "ep_wrap_{code}({unsigned}({{0}}) + {unsigned}({{1}}))",
    "sub": "ep_wrap_{code}({unsigned}({{0}}) - {unsigned}({{1}}))",
    "mul": "ep_wrap_{code}({unsigned}({{0}}) * {unsigned}({{1}}))",
    "neg": "ep_wrap_{code}(0u - {unsigned}({{0}}))",
}
_UNSIGNED = {"i64": "(uint64_t)", "i32": "(uint32_t)"}


def applies(room: Room) -> bool:
    """Whether the room has a kernel and the lane function of its name gives numbers."""
    function = f"static inline ep_f32 ep_{room.folder}_f32("
    own = kernel_text(room)
    return bool(own) and (function in own or function in lanes_text())


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """All operands broadcast; integers in plain C."""
    operands = [v for v in call.inputs if v is not None]
    folder, code = call.room.folder, operands[0].code
    if code in FLOATS:
        return (_floats(call, builder, operands, f"ep_{folder}_{code}"),)
    if folder not in _INTEGERS or code not in _UNSIGNED:
        raise UnsupportedModel(f"op {call.room.op.name} on {code} is not in the C99 target")
    template = _INTEGERS[folder].format(code=code, unsigned=_UNSIGNED[code])
    return (builder.scalars(call, template, operands, code, ("convert.h",)),)


def _floats(call: Call, builder: Builder, operands: list[Value], name: str) -> Value:
    """A call of the lane function: operands, then float attributes; a variadic op takes two at a time."""
    code, inputs = operands[0].code, call.room.op.inputs
    numbers = [
        constant(np.array(call.attributes[a.name], NUMBERS[code])) for a in call.room.op.attributes if a.kind == "float"
    ]
    files = (f"{call.room.folder}.h",)
    if inputs[-1].variadic:
        result = operands[0]
        for value in operands[1:]:
            result = builder.lanes(call, f"{name}({{0}}, {{1}})", [result, value], files)
        return result
    given = [*operands, *numbers]
    return builder.lanes(call, f"{name}({', '.join(f'{{{i}}}' for i in range(len(given)))})", given, files)
