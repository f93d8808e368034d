"""Steps whose kernel needs memory of its own."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

from .operations import Operation
from .value import Store, Value


@dataclass(eq=False)
class Scratched(Operation, ABC):
    """A step over rows p whose kernel writes `scratch` too; its weights may be halves."""

    rows: int
    scratch: Value

    def writes(self) -> set[Store]:
        """The kernel's own memory too."""
        return {self.output.store, self.scratch.store}

    def stores(self) -> list[Store]:
        """The kernel's own memory too."""
        return [*super().stores(), self.scratch.store]

    def takes_halves(self) -> bool:
        """The weights."""
        return True
