"""What rules use to add steps to the program being built."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, final

import edgepde_runtime
import numpy as np
from edgepde_runtime import ops as room_folder
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.rooms import Room
from numpy.typing import NDArray

from .code import Axis
from .dims import Shape, features, spelled
from .functions import MOST_OPERANDS, Steps
from .operations import Copy, Lanes, Operation, Scalars, axes_of
from .value import FLOATS, STORED, Store, Value, broadcast

if TYPE_CHECKING:
    from .surrounding import Surrounding


@dataclass(frozen=True)
class Call:
    """One node as a rule sees it: its room, complete attributes, inputs (None where absent) and name for errors."""

    room: Room
    attributes: Mapping[str, Any]
    inputs: tuple[Value | None, ...]
    label: str

    def value(self, i: int) -> Value:
        """An input that must be there."""
        value = self.optional(i)
        if value is None:
            raise UnsupportedModel(f"input {i} is missing")
        return value

    def optional(self, i: int) -> Value | None:
        """An input that may be absent."""
        return self.inputs[i] if i < len(self.inputs) else None

    def known(self, i: int, *, sizes: bool = False) -> NDArray[Any] | None:
        """The elements of an optional input that must be known at export; `sizes`: they may come from free sizes."""
        value = self.optional(i)
        if value is None:
            return None
        if value.data is None:
            name = self.room.op.inputs[min(i, len(self.room.op.inputs) - 1)].name
            raise UnsupportedModel(f"input {name!r} must be a constant for the C99 target")
        if not sizes:
            refuse_sizes(value)
        return value.data


@final
@dataclass
class Builder:
    """The steps so far and the free sizes: `symbols` in order with the numbers that stand for them.

    surrounded: padded maps, and what they are made of.
    """

    stand_ins: dict[str, int]
    lane: str | None
    operations: list[Operation] = field(default_factory=list)
    surrounded: dict[Store, Surrounding] = field(default_factory=dict)

    def new(self, code: str, shape: Shape, *, varying: bool) -> Value:
        """A value in scratch that a step will write."""
        return Value(Store("scratch", code, features(shape), varying), shape)

    def add(self, operation: Operation) -> Value:
        """Appends a step; its output. Raises UnsupportedModel where a free size would be used as a number."""
        for value in operation.inputs:
            refuse_sizes(value)
            if value.code in STORED.values() and not operation.takes_halves():
                name = {code: name for name, code in STORED.items()}[value.code]
                raise UnsupportedModel(f"expected {name} in the weights of a layer alone, cast to float32 or float64")
        if not operation.takes_nothing() and any(v.count == 0 for v in operation.inputs):
            shapes = ", ".join(spelled(v.shape) for v in operation.inputs)
            raise UnsupportedModel(f"expected operands with elements, got an empty one among {shapes}")
        self.operations.append(operation)
        return operation.output

    def lanes(self, call: Call, template: str, operands: Sequence[Value], files: Sequence[str]) -> Value:
        """A step in float lanes; single numbers among the operands are written into the expression."""
        shape = broadcast([v.shape for v in operands])
        codes = {v.code for v in operands}
        code = operands[0].code
        if len(codes) != 1 or code not in FLOATS:
            raise UnsupportedModel(f"expected float32 or float64 operands, got {', '.join(sorted(codes))}")
        texts: list[str] = []
        kept: list[Value] = []
        for value in operands:
            refuse_sizes(value)
            if value.data is not None and value.data.size == 1:
                texts.append(f"ep_set_{code}({literal(value.data.reshape(()))})")
            else:
                if not any(value is k for k in kept):
                    kept.append(value)
                texts.append(f"{{{next(i for i, k in enumerate(kept) if k is value)}}}")
        if not kept:
            kept, texts[0] = [operands[0]], "{0}"
        if len(kept) > MOST_OPERANDS:
            raise UnsupportedModel(f"expected at most {MOST_OPERANDS} operands, got {len(kept)}")
        steps: Steps = ((template.format(*texts), tuple(range(len(kept)))),)
        output = self.new(code, shape, varying=any(v.varying for v in kept))
        return self.add(Lanes(tuple(kept), output, call.label, steps, tuple(files)))

    def scalars(
        self, call: Call, template: str, operands: Sequence[Value], code: str, files: Sequence[str] = ()
    ) -> Value:
        """A step in plain C, any element types."""
        output = self.new(code, broadcast([v.shape for v in operands]), varying=any(v.varying for v in operands))
        return self.add(Scalars(tuple(operands), output, call.label, template, tuple(files)))

    def running(self, call: Call, value: Value) -> Value:
        """The value with elements that run on: itself, or a copy."""
        return value if value.apart is None else self.copied(call.label, value, value.shape)

    def copied(self, label: str, value: Value, shape: Shape) -> Value:
        """The value repeated to `shape`, in memory of its own."""
        output = self.new(value.code, shape, varying=value.varying)
        axes = axes_of(shape, [value])
        return self.add(Copy((value,), output, label, axes, 0, 0))

    def permuted(self, call: Call, value: Value, order: Sequence[int]) -> Value:
        """The value with its dimensions in another order; the same memory where no number changes place."""
        shape = tuple(value.shape[i] for i in order)
        moving = [i for i in order if any(isinstance(f, int) for f in value.shape[i])]
        if moving == sorted(moving):
            return Value(value.store, shape, value.offset)
        strides = value.strides()
        axes: list[Axis] = []
        step = 1
        for i in reversed(order):
            count, inner = features((value.shape[i],)), strides[i]
            axes.append((count, (inner, step)))
            step *= count
        output = self.new(value.code, shape, varying=value.varying)
        return self.add(Copy((value,), output, call.label, axes[::-1], 0, 0))


def refuse_sizes(value: Value) -> None:
    """Raises UnsupportedModel where a free size is used as a number."""
    if value.sized:
        raise UnsupportedModel("a free size is used as a number, which the C99 target does not support")


def viewed(value: Value, shape: Shape) -> Value:
    """The same elements in another shape; of a value that does not run on only sizes of 1 may come or go."""
    if value.apart is not None:
        steps = iter([s for s, d in zip(value.apart, value.shape, strict=True) if d != ()])
        if [d for d in shape if d != ()] != [d for d in value.shape if d != ()]:
            raise UnsupportedModel(f"expected elements that run on, got {spelled(value.shape)}")
        return Value(value.store, shape, value.offset, apart=tuple(0 if d == () else next(steps) for d in shape))
    if features(shape) != value.count and value.data is None:
        raise UnsupportedModel(f"expected {value.count} elements per row, got {spelled(shape)}")
    return Value(value.store, shape, value.offset, value.data)


def literal(value: NDArray[Any] | np.generic) -> str:
    """A number in C, exact."""
    kind, number = value.dtype.name, value.item()
    if kind == "bool":
        return str(int(number))
    if kind in ("int32", "int64"):
        return f"INT64_C({number})" if abs(number) < 2**63 else "INT64_MIN"
    suffix = "f" if kind == "float32" else ""
    if math.isnan(number):
        raise UnsupportedModel("expected numbers, got NaN")
    if math.isinf(number):
        bits = ("0xff800000u", "0x7f800000u") if suffix else ("0xfff0000000000000u", "0x7ff0000000000000u")
        return f"ep_from_bits_{'f32' if suffix else 'f64'}({bits[number > 0]})"
    return f"{float(number).hex()}{suffix}"


def kernel_text(room: Room) -> str:
    """The room's kernel file; empty where it has none."""
    path = resources.files(room_folder) / room.folder / f"{room.folder}.h"
    return path.read_text("utf-8") if path.is_file() else ""


def lanes_text() -> str:
    """What every lane function may use."""
    return (resources.files(edgepde_runtime) / "kernels" / "lanes.h").read_text("utf-8")
