"""What a node of an ONNX graph means to the certificate: one module per op, `rule(call, builder) -> outputs`.

Functions of rules/ that are an op of one input need none. An op without a sound rule says so in its module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.rooms import Room

from .. import rules
from ..building import Builder, Value
from ._call import Call, Known

Rule = Callable[[Call, Builder], Sequence[Value | Known]]


def rule_for(room: Room, label: str) -> Rule:
    """The rule of a room; raises UnsupportedModel, calling the node by its label, where there is none."""
    if room.folder in modules():
        rule: Rule = import_module(f"{__name__}.{room.folder}").rule
        return rule
    if room.folder in rules.functions() and len(room.op.inputs) == 1 and not room.op.attributes:
        from ._pointwise import rule as pointwise

        return pointwise
    raise UnsupportedModel(
        f"{label}: no certificate rule for {room.op.domain + '.' if room.op.domain else ''}{room.op.name}"
    )


def modules() -> set[str]:
    """Rooms with a rule of their own: the modules of this folder."""
    return {p.stem for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_")}
