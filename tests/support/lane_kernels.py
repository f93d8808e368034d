"""The elementwise kernels of the rooms, found in their headers and built into something Python can call."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edgepde_runtime.ops.check import complete
from edgepde_runtime.rooms import Room, folders
from numpy.typing import NDArray
from support.kernel_libraries import PACKAGE, compile_shared, needs_compiler, needs_processor

DEFINED = re.compile(r"static inline ep_(?P<result>[fu]32) ep_(?P<name>\w+?)_[fu]32\((?P<arguments>[^)]*)\)")
LOOP = """
void lane_{name}_{t}(const {c} *a, const {c} *b, const {c} *d, {c} *y, size_t n) {{
    size_t i, some;
    (void)a; (void)b; (void)d;
    for (i = 0; i < n; i += EP_WIDTH_{T}) {{
        some = n - i < EP_WIDTH_{T} ? n - i : EP_WIDTH_{T};
        ep_store_some_{t}(y + i, {result}, some);
    }}
}}
"""


@dataclass(frozen=True)
class Signature:
    """A kernel: the room it belongs to, its name, its arguments as (kind, name), whether it returns a mask."""

    room: str
    name: str
    arguments: tuple[tuple[str, str], ...]
    mask: bool


def signatures() -> list[Signature]:
    """Every elementwise kernel of a room; those that are arithmetic of lanes come from lanes.h."""
    found = {}
    lanes = (PACKAGE / "kernels" / "lanes.h").read_text(encoding="utf-8")
    for room in folders():
        header = PACKAGE / "ops" / room / f"{room}.h"
        text = header.read_text(encoding="utf-8") if header.is_file() else ""
        matches = [match for match in DEFINED.finditer(text) if match["name"].startswith(room)]
        matches += [match for match in DEFINED.finditer(lanes) if text and match["name"] == room]
        found |= {match["name"]: _signature(room, match) for match in matches}
    return list(found.values())


def _signature(room: str, match: re.Match[str]) -> Signature:
    words = [argument.split() for argument in match["arguments"].split(",")]
    return Signature(room, match["name"], tuple((kind, name) for kind, name in words), match["result"] == "u32")


def source() -> str:
    """C that runs every kernel over arrays; a mask is a number that is not 0 as input, 1 or 0 as output."""
    found = signatures()
    lines = [f'#include "{room}.h"' for room in dict.fromkeys(s.room for s in found)]
    for s in found:
        for t, c in (("f32", "float"), ("f64", "double")):
            given = ", ".join(_argument(kind, place, t) for (kind, _), place in zip(s.arguments, "abd", strict=False))
            suffix = t.replace("f", "u") if all(kind == "ep_u32" for kind, _ in s.arguments) else t
            called = f"ep_{s.name}_{suffix}({given})"
            if s.mask:
                one = "1.0f" if t == "f32" else "1.0"
                zero = "0.0f" if t == "f32" else "0.0"
                called = f"ep_pick_{t}({called}, ep_set_{t}({one}), ep_set_{t}({zero}))"
            declared = f"void lane_{s.name}_{t}(const {c} *a, const {c} *b, const {c} *d, {c} *y, size_t n);"
            lines += [declared, LOOP.format(name=s.name, t=t, T=t.upper(), c=c, result=called)]
    return "\n".join(lines)


def _argument(kind: str, place: str, t: str) -> str:
    loaded = f"ep_load_some_{t}({place} + i, some)"
    if kind == "ep_u32":
        return f"~ep_equal_{t}({loaded}, ep_set_{t}(0))"
    return f"(unsigned){place}[0]" if kind == "unsigned" else loaded


@dataclass(frozen=True)
class Kernels:
    """A build of all of them."""

    library: ctypes.CDLL

    def run(self, name: str, *arrays: NDArray[Any]) -> NDArray[Any]:
        """Kernel `name` over arrays of one shape and float type."""
        given = [np.asarray(x, order="C") for x in arrays]
        y = np.full_like(given[0], -7)
        call = getattr(self.library, f"lane_{name}_f{8 * y.itemsize}")
        call.restype = None
        pointers = [x.ctypes.data_as(ctypes.c_void_p) for x in (*given, *[given[0]] * (3 - len(given)))]
        call(*pointers, y.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(y.size))
        return y


def build_kernels(compiler: str, isa: str, folder: Path, *flags: str) -> Kernels:
    """Every kernel for one instruction set; skips where the compiler or the processor is not there."""
    needs_compiler(compiler)
    needs_processor(isa)
    text = folder / "lane_kernels.c"
    text.write_text(source(), encoding="utf-8")
    return Kernels(ctypes.CDLL(str(compile_shared(compiler, isa, text, folder, extra=flags))))


def applied(kernels: Kernels, room: Room, inputs: Sequence[Any], attributes: Mapping[str, Any]) -> NDArray[Any] | None:
    """A room's kernel on a case; None where no kernel is meant: integers, and exponents that are none."""
    values = complete(room.op, attributes)
    arrays = [np.asarray(x) for x in inputs if x is not None]
    if room.folder == "pow" and (arrays[1].size != 1 or arrays[1] != np.abs(np.rint(arrays[1]))):
        return None
    dtype = next((x.dtype for x in arrays if x.dtype.kind == "f"), np.dtype(np.float32))
    if any(x.dtype.kind in "iu" for x in arrays[:1]) or (room.folder == "where" and arrays[1].dtype.kind != "f"):
        return None
    if room.op.inputs[-1].variadic and len(inputs) == 1:
        return arrays[0]
    signature = next(s for s in signatures() if s.name == chosen(room.folder, values))
    names = [name for _, name in signature.arguments]
    given = [x if x is None else np.asarray(x, dtype) for x in inputs] + [None] * (len(names) - len(inputs))
    absent = {"low": -np.inf, "high": np.inf, **values}
    full = [np.asarray(absent[n], dtype) if x is None else x for x, n in zip(given, names, strict=False)]
    full += [x for x in given[len(names) :] if x is not None]
    same = [np.array(x, order="C") for x in np.broadcast_arrays(*full)]
    y = kernels.run(signature.name, *same[: len(names)])
    for x in same[len(names) :]:
        y = kernels.run(signature.name, y, x)
    return y != 0 if signature.mask else y


def chosen(folder: str, values: Mapping[str, Any]) -> str:
    """The kernel that the attributes of a room's op call for."""
    if folder == "gelu" and values["approximate"] == "tanh":
        return "gelu_tanh"
    if folder == "is_inf" and not (values["detect_positive"] and values["detect_negative"]):
        return "is_inf_positive" if values["detect_positive"] else "is_inf_negative"
    return "powi" if folder == "pow" else folder
