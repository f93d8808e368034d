"""What all architectures are: numbers that say how a module is built, checked wherever they come from."""

from __future__ import annotations

import dataclasses
import math
import typing
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from torch import nn

from edgepde.errors import RunError

from ..grid import Grid


@dataclasses.dataclass(frozen=True)
class Member(ABC):
    """An architecture: numbers, names and tuples of them alone. kind: its file's name."""

    kind: ClassVar[str]

    @abstractmethod
    def build(self, grid: Grid) -> nn.Module:
        """The module on a grid; InputError where the grid is too small for it."""

    def to_json(self) -> dict[str, Any]:
        """As spec.json has it."""
        return {"kind": self.kind, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, stated: dict[str, Any], where: str) -> Self:
        """Read back; RunError naming the field."""
        hints = typing.get_type_hints(cls)
        fields = {f.name: hints[f.name] for f in dataclasses.fields(cls)}
        unknown = sorted(set(stated) - {*fields, "kind"})
        missing = sorted(set(fields) - set(stated))
        if unknown or missing:
            raise RunError(f"{where}: expected {', '.join(fields)}; missing {missing}, unknown {unknown}")
        return cls(**{name: _as(kind, stated[name], f"{where}.{name}") for name, kind in fields.items()})


def _as(kind: Any, value: Any, where: str) -> Any:
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, (list, tuple)) or len(value) > 64:
            raise RunError(f"{where}: expected a list, got {value!r}")
        return tuple(_as(typing.get_args(kind)[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if isinstance(kind, type) and issubclass(kind, Member):
        if not isinstance(value, dict):
            raise RunError(f"{where}: expected an object, got {type(value).__name__}")
        return kind.from_json(value, where)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind is float and (whole or isinstance(value, float)) and math.isfinite(value):
        return float(value)
    if (kind is int and whole) or (kind is str and isinstance(value, str)):
        return value
    raise RunError(f"{where}: expected {kind.__name__}, got {value!r}")
