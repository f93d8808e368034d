"""How a node becomes steps: one module per op, `rule(call, builder) -> outputs`; elementwise ops need none."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module, resources

from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.rooms import Room

from ..building import Builder, Call
from ..value import Value
from . import _elementwise

Rule = Callable[[Call, Builder], tuple[Value, ...]]


def rule_for(room: Room) -> Rule:
    """The rule of a room; raises UnsupportedModel where the C99 target has none."""
    if room.folder in modules():
        rule: Rule = import_module(f"{__name__}.{room.folder}").rule
        return rule
    if _elementwise.applies(room):
        return _elementwise.rule
    raise UnsupportedModel(f"op {room.op.name} is not in the C99 target; --target onnx runs it")


def modules() -> set[str]:
    """Rooms with a rule of their own: the modules of this folder."""
    files = [entry.name for entry in resources.files(__name__).iterdir()]
    return {name.removesuffix(".py") for name in files if name.endswith(".py") and not name.startswith("_")}
