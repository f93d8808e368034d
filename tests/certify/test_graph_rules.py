"""Every op the runtime has a room for is read, or refused by its rule file: what is read computes what the op does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.onnxfile import parse
from edgepde_runtime.rooms import Room, room_for, rooms
from numpy.typing import NDArray
from support import onnx_writer as w
from support.op_cases import Case
from support.rooms import own_cases, standard_cases

from edgepde.certify import graph_rules
from edgepde.certify.from_graph import from_graph
from edgepde.certify.graph_rules._refused import Refused

Array = NDArray[Any]
BY_ROOM: dict[str, list[Case]] = {}
_numbers = [(r, c) for r, c in own_cases() if all(x is None or not np.isnan(x).any() for x in c[1])]
_read = [(r, c) for r, c in _numbers if not isinstance(graph_rules.rule_for(r, r.folder), Refused)]
for _room, (_name, _inputs, _attributes) in [*standard_cases(), *_read]:
    _wide = [x.astype(np.float64) if x is not None and x.dtype == np.float32 else x for x in _inputs]
    BY_ROOM.setdefault(_room.folder, []).append((_name, _wide, _attributes))
ROOMS = sorted(rooms().values(), key=lambda room: room.folder)
MOVE = 2.0**-20


def moving(case: Case) -> Iterator[tuple[int, ...]]:
    """Which inputs of a case may depend on the point: every choice of its non-empty float64 inputs."""
    floats = [i for i, x in enumerate(case[1]) if x is not None and x.dtype == np.float64 and x.size]
    finite = [i for i in floats if np.isfinite(case[1][i]).all()]
    return chain.from_iterable(combinations(finite, k) for k in range(1, len(finite) + 1))


def model(room: Room, case: Case, moved: tuple[int, ...]) -> bytes:
    """The op with some inputs cut out of x [1, d] by Slice and Reshape, every output as a row."""
    _, inputs, attributes = case
    sizes = [int(np.size(inputs[i])) for i in moved]
    ends = np.cumsum(sizes)
    held: dict[str, Array] = {f"i{i}": x for i, x in enumerate(inputs) if x is not None and i not in moved}
    nodes = []
    for i, n, end in zip(moved, sizes, ends, strict=True):
        held |= {
            f"from{i}": np.array([end - n]),
            f"to{i}": np.array([end]),
            f"shape{i}": np.array(np.shape(inputs[i]), np.int64),
        }
        nodes.append(w.node("Slice", ["x", f"from{i}", f"to{i}", "axis"], [f"part{i}"], {}))
        nodes.append(w.node("Reshape", [f"part{i}", f"shape{i}"], [f"i{i}"], {}))
    held |= {"axis": np.array([1]), "row": np.array([1, -1])}
    count = len(expected(room, case, inputs))
    made = [f"y{k}" for k in range(count)]
    given = ["" if x is None else f"i{i}" for i, x in enumerate(inputs)]
    nodes.append(w.node(room.op.name, given, made, attributes, domain=room.op.domain))
    nodes += [w.node("Reshape", [y, "row"], [f"out{y}"], {}) for y in made]
    outputs = [w.value_info(f"out{y}", "float64", [1, "n"]) for y in made]
    opsets = {"": 20, **({room.op.domain: 1} if room.op.domain else {})}
    return w.model(w.graph(nodes, [w.value_info("x", "float64", [1, int(ends[-1])])], outputs, held), opsets)


def expected(room: Room, case: Case, inputs: list[Array | None]) -> list[Array]:
    return [np.asarray(y) for y in room.run(inputs, case[2])]


def agrees(room: Room, case: Case, moved: tuple[int, ...]) -> bool:
    """Whether the op was read; then its network computes what the op does, at the case and beside it."""
    _, inputs, _ = case
    results = expected(room, case, inputs)
    if any(y.dtype != np.float64 or not y.size for y in results):
        return False
    graph = parse(model(room, case, moved)).graph
    rng = np.random.default_rng(0)
    for k in range(len(results)):
        try:
            net = from_graph(graph, output=f"outy{k}")
        except UnsupportedModel as error:
            if room.op.name in str(error):
                return False
            raise
        for step in (0.0, MOVE):
            near = list(inputs)
            for i in moved:
                near[i] = np.asarray(inputs[i] * (1.0 + step * rng.uniform(-1.0, 1.0, np.shape(inputs[i]))))
            x = np.concatenate([np.ravel(near[i]) for i in moved])
            wanted = expected(room, case, near)[k].ravel()
            found = net(torch.from_numpy(x)[None])[0].numpy()
            fine = np.isfinite(wanted)
            assert np.allclose(found[fine], wanted[fine], rtol=1e-11, atol=1e-11), (case[0], moved)
    return True


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.folder)
def test_every_room_is_read_or_refused_with_its_reason(room: Room) -> None:
    rule = graph_rules.rule_for(room, "a node")
    assert callable(rule)
    choices = [(case, moved) for case in BY_ROOM.get(room.folder, []) for moved in moving(case)]
    read = [agrees(room, case, moved) for case, moved in choices]
    if isinstance(rule, Refused):
        assert rule.why
        assert not any(read)
    elif room.folder not in ("shape", "size", "cast"):
        assert any(read), "no case of the op was read"


def test_no_rule_is_left_over() -> None:
    assert graph_rules.modules() <= {room.folder for room in ROOMS}


def test_a_room_without_a_rule_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_rules, "modules", set)
    room = room_for("", "Gemm")
    assert room is not None
    with pytest.raises(UnsupportedModel, match="a node: no certificate rule for Gemm"):
        graph_rules.rule_for(room, "a node")
