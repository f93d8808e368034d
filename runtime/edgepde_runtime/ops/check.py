"""Whether the inputs and attributes of a node fit what its op declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedModel
from .schema import Argument, Attribute, Op

FAMILIES: dict[str, tuple[str, ...]] = {
    "T": ("float32", "float64"),
    "N": ("float32", "float64", "int32", "int64"),
    "I": ("int32", "int64"),
    "H": ("float16", "float32", "float64"),
}
KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "string": (str,),
    "ints": (int,),
    "floats": (int, float),
    "strings": (str,),
    "tensor": (np.ndarray,),
}


def complete(op: Op, given: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a node with defaults filled in, floats rounded to float32 as a model file holds them.

    Raises UnsupportedModel for an unknown or missing name, a wrong kind, or a value outside the choices.
    """
    known = {a.name: a for a in op.attributes}
    for name in given:
        if name not in known:
            raise UnsupportedModel(f"{op.name}: expected attributes among {sorted(known)}, got {name!r}")
    values: dict[str, Any] = {}
    for name, attribute in known.items():
        value = given.get(name, attribute.default)
        if value is not None:
            values[name] = _fitting(op, attribute, value)
        elif not attribute.optional:
            raise UnsupportedModel(f"{op.name}: expected attribute {name!r}, got none")
    return values


def _fitting(op: Op, attribute: Attribute, value: Any) -> Any:
    many = attribute.kind in ("ints", "floats", "strings")
    items = value if many and isinstance(value, list | tuple) else (value,)
    if isinstance(value, list | tuple) != many or not all(isinstance(v, KINDS[attribute.kind]) for v in items):
        kind = type(value).__name__
        raise UnsupportedModel(f"{op.name}: attribute {attribute.name!r} expected {attribute.kind}, got {kind}")
    if attribute.choices and any(v not in attribute.choices for v in items):
        choices = list(attribute.choices)
        raise UnsupportedModel(f"{op.name}: attribute {attribute.name!r} expected one of {choices}, got {value!r}")
    if attribute.kind in ("float", "floats"):
        items = tuple(float(np.float32(v)) for v in items)
    return tuple(items) if many else items[0]


def arguments(declared: Sequence[Argument], count: int) -> list[Argument]:
    """The declared argument of each of `count` positions; raises UnsupportedModel for too many or too few."""
    variadic = bool(declared) and declared[-1].variadic
    least = sum(not a.optional for a in declared)
    if count < least or (count > len(declared) and not variadic):
        most = "any number" if variadic else len(declared)
        raise UnsupportedModel(f"expected {least} to {most} arguments, got {count}")
    return [declared[min(i, len(declared) - 1)] for i in range(count)]


def inputs_fit(op: Op, inputs: Sequence[NDArray[Any] | None]) -> None:
    """Raises UnsupportedModel where an input is absent, or its element type, rank or lettered size is another."""
    shared: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for argument, array in zip(arguments(op.inputs, len(inputs)), inputs, strict=True):
        if array is not None:
            _element_fits(op, argument, array.dtype.name, shared)
            _shape_fits(op, argument, array.shape, sizes)
        elif not argument.optional:
            raise UnsupportedModel(f"{op.name}: input {argument.name!r} expected, got none")


def _element_fits(op: Op, argument: Argument, dtype: str, shared: dict[str, str]) -> None:
    element = argument.element
    allowed = FAMILIES.get(element, None if element in ("V", "any") else (element,))
    if element in ("T", "N", "V", "H"):
        first = shared.setdefault(element, dtype)
        allowed = (first,) if first != dtype else allowed
    if allowed is not None and dtype not in allowed:
        raise UnsupportedModel(f"{op.name}: input {argument.name!r} expected {' or '.join(allowed)}, got {dtype}")


def _shape_fits(op: Op, argument: Argument, shape: tuple[int, ...], sizes: dict[str, int]) -> None:
    if argument.shape is None:
        return
    letters = argument.shape
    if len(letters) != len(shape) or any(sizes.setdefault(a, n) != n for a, n in zip(letters, shape, strict=True)):
        wanted = [f"{a}={sizes[a]}" if a in sizes else a for a in letters]
        raise UnsupportedModel(
            f"{op.name}: input {argument.name!r} expected shape [{', '.join(wanted)}], got {list(shape)}"
        )
