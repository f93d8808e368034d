"""Ops that have no sound rule, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn, final

from ..building import Builder
from ._call import Call


@final
@dataclass(frozen=True)
class Refused:
    """A rule that raises UnsupportedModel naming the node and the reason."""

    why: str

    def __call__(self, call: Call, _: Builder) -> NoReturn:
        """Refuses."""
        raise call.refuse(f"no certificate rule for {call.room.op.name}: {self.why}")
