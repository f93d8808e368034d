"""What a room of a standard op declares is what the standard says, from `since` to the newest opset we accept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edgepde_runtime.backends.program import NEWEST_OPSETS
from edgepde_runtime.rooms import Room, rooms

ROOMS = [pytest.param(room, id=room.folder) for (domain, _), room in rooms().items() if not domain]
# Attributes of the standard for types this runtime has none of.
NEVER = {"value_string", "value_strings", "sparse_value"}


def standard(room: Room, version: int) -> Any:
    return pytest.importorskip("onnx").defs.get_schema(room.op.name, version)


@pytest.mark.parametrize("room", ROOMS)
def test_the_op_exists_from_since_on(room: Room) -> None:
    assert standard(room, max(room.op.since, 13)).since_version <= max(room.op.since, 13)


@pytest.mark.parametrize("version", ["since", 20, NEWEST_OPSETS[""]])
@pytest.mark.parametrize("room", ROOMS)
def test_attributes_are_the_standards(room: Room, version: int | str) -> None:
    theirs = standard(room, max(room.op.since, 13) if version == "since" else int(version)).attributes
    ours = {a.name: a for a in room.op.attributes}
    assert set(theirs) - NEVER <= set(ours)
    if version != "since":
        assert set(ours) <= set(theirs)
    for name in set(theirs) - NEVER:
        assert theirs[name].type.name.lower() == ours[name].kind
        if theirs[name].required:
            assert ours[name].default is None
            assert not ours[name].optional
        given = theirs[name].default_value
        if given.name:
            value = {"INT": given.i, "FLOAT": given.f, "STRING": given.s.decode()}[theirs[name].type.name]
            mine = ours[name].default
            assert value == (np.float32(mine) if isinstance(mine, float) else mine)


@pytest.mark.parametrize("room", ROOMS)
def test_arguments_are_the_standards(room: Room) -> None:
    for ours, theirs in ((room.op.inputs, "inputs"), (room.op.outputs, "outputs")):
        schema = getattr(standard(room, 20), theirs)
        assert [a.name for a in ours] == [a.name for a in schema]
        assert [a.optional for a in ours] == [a.option.name == "Optional" for a in schema]
        assert [a.variadic for a in ours] == [a.option.name == "Variadic" for a in schema]
