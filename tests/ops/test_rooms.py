"""Every folder of ops is a complete room whose cases fit its schema."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import edgepde_runtime.ops
import numpy as np
import pytest
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.ops.check import complete, inputs_fit
from edgepde_runtime.ops.rounding import Rounding
from edgepde_runtime.ops.schema import Argument, Attribute, Op
from edgepde_runtime.rooms import Room, folders, required_room, room_for, rooms
from support.rooms import CASES, PARTS, cases_of, missing_parts

OPS = Path(str(resources.files(edgepde_runtime.ops)))


@pytest.mark.parametrize("folder", folders())
def test_a_room_is_complete(folder: str) -> None:
    assert missing_parts(OPS / folder, CASES) == []
    room = Room(folder)
    assert isinstance(room.op, Op)
    assert isinstance(room.rounding, Rounding)
    assert callable(room.reference)
    assert (room.body_text is None) == (room.op.domain == "")
    assert room_for(room.op.domain, room.op.name) is not None


@pytest.mark.parametrize("folder", folders())
def test_a_room_has_cases_and_they_fit_its_schema(folder: str) -> None:
    room = Room(folder)
    cases = cases_of(room)
    assert cases
    assert len({name for name, _, _ in cases}) == len(cases)
    for _, inputs, attributes in cases:
        outputs = room.run(inputs, attributes)
        assert outputs
        assert len(outputs) <= len(room.op.outputs) or room.op.outputs[-1].variadic
        assert all(isinstance(y, np.ndarray | np.generic) for y in outputs)
        _outputs_fit(room.op, inputs, outputs)


def _outputs_fit(op: Op, inputs: list, outputs: tuple) -> None:
    """Outputs obey the same rules as inputs: shared element types and lettered sizes agree with those of the inputs."""
    short = [*op.inputs[: len(inputs)]]
    if op.inputs and op.inputs[-1].variadic:
        short = [Argument(f"{op.inputs[-1].name}{i}", op.inputs[-1].element) for i in range(len(inputs))]
    inner = {letter for a in short for letter in a.shape or ()}
    made = [*op.outputs] + [op.outputs[-1]] * (len(outputs) - len(op.outputs))
    free = [Argument(a.name, a.element, a.shape if a.shape and set(a.shape) <= inner else None) for a in made]
    inputs_fit(Op(op.domain, op.name, op.since, (*short, *free[: len(outputs)]), ()), [*inputs, *outputs])


@pytest.mark.parametrize("part", [*PARTS, "body.onnxtxt", "cases"])
def test_an_incomplete_room_is_caught(part: str, tmp_path: Path) -> None:
    room, cases = tmp_path / "new_op", tmp_path / "cases"
    room.mkdir()
    cases.mkdir()
    for name in (*PARTS, "body.onnxtxt"):
        (room / name).write_text('domain="edgepde"')
    (cases / "new_op.py").write_text("")
    assert missing_parts(room, cases) == []
    lost = cases / "new_op.py" if part == "cases" else room / part
    lost.unlink()
    assert missing_parts(room, cases) == [lost.name]


def test_every_case_file_belongs_to_a_room() -> None:
    assert {path.stem for path in CASES.glob("[!_]*.py")} == set(folders())


def test_folders_are_named_after_their_ops() -> None:
    for (_, name), room in rooms().items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", room.folder)
        assert room.folder.replace("_", "") == name.replace("_", "").lower()


def test_importing_the_runtime_or_one_room_imports_no_other_room() -> None:
    code = (
        "import sys, edgepde_runtime, edgepde_runtime.rooms as r\n"
        "parts = lambda: [m.split('.') for m in sys.modules if m.startswith('edgepde_runtime.ops.')]\n"
        "loaded = lambda: {part[2] for part in parts()} & {*r.folders()}\n"
        "assert not loaded(), loaded()\n"
        "r.room_for('', 'Tanh').reference\n"
        "assert loaded() == {'tanh'}, loaded()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_op_is_refused_with_the_nearest() -> None:
    assert room_for("", "Tahn") is None
    assert room_for("edgepde", "Tanh") is None
    with pytest.raises(UnsupportedModel, match=r"op Tahn has no implementation.*Tanh"):
        required_room("", "Tahn")


def test_only_names_that_are_near_are_told() -> None:
    with pytest.raises(UnsupportedModel, match=r"op Mish has no implementation$"):
        required_room("", "Mish")


OP = Op(
    "",
    "Test",
    1,
    (Argument("A", "T", ("M", "K")), Argument("B", "T", ("K",)), Argument("I", "I", optional=True)),
    (),
    (
        Attribute("axis", "int"),
        Attribute("alpha", "float", 0.1),
        Attribute("perm", "ints", optional=True),
        Attribute("mode", "string", "a", choices=("a", "b")),
    ),
)


def test_attributes_are_completed_in_the_files_own_precision() -> None:
    assert complete(OP, {"axis": 1}) == {"axis": 1, "alpha": float(np.float32(0.1)), "mode": "a"}
    assert complete(OP, {"axis": 1, "perm": [1, 0]})["perm"] == (1, 0)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "expected attribute 'axis'"),
        ({"axis": 1, "beta": 2}, r"among .*'axis'.*got 'beta'"),
        ({"axis": 1.5}, "'axis' expected int, got float"),
        ({"axis": (1,)}, "'axis' expected int, got tuple"),
        ({"axis": 1, "perm": 2}, "'perm' expected ints, got int"),
        ({"axis": 1, "perm": ["x"]}, "'perm' expected ints, got list"),
        ({"axis": 1, "mode": "c"}, r"'mode' expected one of \['a', 'b'\], got 'c'"),
    ],
)
def test_attributes_that_do_not_fit_are_named(attributes: dict, message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        complete(OP, attributes)


A, B = np.zeros((2, 3), np.float32), np.zeros(3, np.float32)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([A], "expected 2 to 3 arguments, got 1"),
        ([A, B, B, B], "expected 2 to 3 arguments, got 4"),
        ([A, None], "input 'B' expected, got none"),
        ([A, B.astype(np.float64)], "input 'B' expected float32, got float64"),
        ([A.astype(np.int64), B], "input 'A' expected float32 or float64, got int64"),
        ([A, B, B], "input 'I' expected int32 or int64, got float32"),
        ([A[0], B], r"input 'A' expected shape \[M, K\], got \[3\]"),
        ([A, B[:2]], r"input 'B' expected shape \[K=3\], got \[2\]"),
    ],
)
def test_inputs_that_do_not_fit_are_named(inputs: list, message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        inputs_fit(OP, inputs)
