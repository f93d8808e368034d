"""What every op room declares: its name, its arguments with lettered shapes, its attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Element = Literal["T", "N", "I", "V", "H", "float32", "float64", "int32", "int64", "bool", "any"]


@dataclass(frozen=True)
class Argument:
    """An input or output: its element type and letters of its shape.

    Elements that are the same for all arguments of a node: "T" = float32 or float64, "N" = those, int32 or int64,
    "V" = any, "H" = float16, float32 or float64. Not tied to another argument: "I" = int32 or int64, "any".
    shape None = any rank. `optional`: may be absent or the empty name. `variadic`: the last input, repeated.
    """

    name: str
    element: Element
    shape: tuple[str, ...] | None = None
    optional: bool = False
    variadic: bool = False


@dataclass(frozen=True)
class Attribute:
    """A named constant of a node; default None means required unless `optional`; `choices` () allows every value."""

    name: str
    kind: Literal["int", "float", "string", "ints", "floats", "strings", "tensor"]
    default: int | float | str | tuple[int, ...] | tuple[float, ...] | None = None
    optional: bool = False
    choices: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class Op:
    """One op: domain "" is ONNX, "edgepde" is ours; `since` is the opset version whose meaning is implemented."""

    domain: Literal["", "edgepde"]
    name: str
    since: int
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    attributes: tuple[Attribute, ...] = ()
    invariants: str = ""
