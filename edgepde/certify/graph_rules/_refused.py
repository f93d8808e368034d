"""Ops that have no sound rule, each with its reason."""

from __future__ import annotations

from typing import NoReturn

from ..building import Builder
from . import Rule
from ._call import Call


def refused(why: str) -> Rule:
    """A rule that raises UnsupportedModel naming the node and the reason."""

    def rule(call: Call, _: Builder) -> NoReturn:
        raise call.refuse(f"no certificate rule for {call.room.op.name}: {why}")

    return rule
