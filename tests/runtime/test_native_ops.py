"""onnxruntime with our kernels: they win over function bodies, give the kernel's bits, and refuse what does not fit."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime import native
from edgepde_runtime.ops.gauss_newton_solve import OP
from edgepde_runtime.rooms import PACKAGE, Room
from edgepde_runtime.verbs.doctor import doctor
from support.gauss_newton_kernel import Kernel, build_kernel
from support.native_ops import ROOT, oldest_onnxruntime, oldest_version
from support.onnx_writer import graph, model, node, value_info
from support.polynomial_systems import BURGERS, planted
from support.rooms import case_model, cases_of

ort = pytest.importorskip("onnxruntime")
from edgepde_runtime.backends import ort as backend  # noqa: E402

ROOM = Room(OP.name)
SAMPLE = ROOT / "samples" / "s2gpt_burgers" / "bundle"
ROOMS_WITH_KERNEL = sorted(Path(str(resources.files(PACKAGE))).glob("*/*_ort.c"))
ELEMENTS = {"ORT_FLOAT32": "float32", "ORT_FLOAT64": "float64", "ORT_INT64": "int64", "ORT_BOOL": "bool"}
ELEMENTS |= {"EP_ORT_T": "T", "EP_ORT_H": "H"}
KINDS = ("float", "int", "ints")
DECLARED = re.compile(r'\{"(\w+)", ((?:EP_)?ORT_\w+), (?:"([A-Z]*)"|(EP_ORT_ANY_RANK))\}')
ATTRIBUTES = re.compile(r'\{"(\w+)", ([012]), ([\d.e+-]+|EP_ORT_REQUIRED), (?:0|\'[A-Z]\')\}')


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return build_kernel("gcc", "scalar", tmp_path_factory.mktemp("kernel"))


def session(encoded: bytes, library: Path | None) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    if library is not None:
        options.register_custom_ops_library(str(library))
    return ort.InferenceSession(encoded, options, providers=["CPUExecutionProvider"])


def sample() -> tuple[bytes, dict[str, np.ndarray]]:
    given = {"parameters": np.array([[0.1], [0.5]]), "points": np.array([[0.2, 0.4], [-0.7, 0.9]], dtype=np.float32)}
    return (SAMPLE / "model.onnx").read_bytes(), given


def field(encoded: bytes, given: dict[str, np.ndarray], using: Path | None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The field u of the sample as backend ort computes it where this library is the installed one."""
    monkeypatch.setattr(native, "library", lambda: using)
    return backend.load(encoded).run(given)["u"]


def test_the_kernel_wins_over_the_body_and_the_body_runs_without_it(
    library: Path, marked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded, given = sample()
    body = field(encoded, given, None, monkeypatch)
    plain = field(encoded, given, library, monkeypatch)
    shifted = field(encoded, given, marked, monkeypatch)
    np.testing.assert_allclose(plain, body, atol=1e-6)
    assert np.abs(shifted - plain).max() > 0.1
    np.testing.assert_array_equal(body, session(encoded, None).run(["u"], given)[0])


@pytest.mark.parametrize("empty", [True, False])
def test_a_library_that_does_not_load_leaves_the_body_and_doctor_says_why(
    empty: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded, given = sample()
    body = field(encoded, given, None, monkeypatch)
    assert backend.kernels() == (False, native.NOT_BUILT)
    broken = tmp_path / "libedgepde_ops.so"
    broken.write_bytes(b"\x7fELF" + bytes(200) if empty else b"no library")
    np.testing.assert_array_equal(field(encoded, given, broken, monkeypatch), body)
    there, reason = backend.kernels()
    assert not there
    assert str(broken) in reason
    rows = {what: (found, detail) for what, found, detail in doctor().rows}
    assert rows["kernels in ort"][0] is False
    assert "function bodies run instead" in rows["kernels in ort"][1]


def test_doctor_names_the_instruction_set(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda: library)
    rows = {what: (found, detail) for what, found, detail in doctor().rows}
    assert rows["kernels in ort"] == (True, native.isa(library))
    assert native.isa(library) in ("avx512", "avx2", "scalar", "neon")


def test_an_installation_with_a_library_finds_it() -> None:
    found = native.library()
    if found is None:
        pytest.skip("this installation was made without a compiler")
    assert found.parent.name == native.FOLDER
    assert backend.kernels()[0]


@pytest.mark.parametrize("case", cases_of(ROOM), ids=lambda case: case[0])
def test_onnxruntime_gives_the_kernels_bits(case: Any, library: Path, kernel: Kernel) -> None:
    _, inputs, attributes = case
    encoded, given = case_model(ROOM, case)
    solution, converged = session(encoded, library).run(None, given)
    stop = float(np.float32(attributes["tolerance"])) if "tolerance" in attributes else 1e-9
    expected, done = kernel.run(inputs, **(attributes | {"tolerance": stop}))
    np.testing.assert_array_equal(converged, done)
    for x, y in zip(solution.ravel(), expected.ravel(), strict=True):
        assert x.tobytes() == y.tobytes() or (np.isnan(x) and np.isnan(y))


def one_node(attributes: dict[str, Any], ranks: dict[str, int] | None = None) -> bytes:
    """A model of one solve whose sizes are all free."""
    names = [a.name for a in OP.inputs], [a.name for a in OP.outputs]
    only = node(OP.name, *names, attributes, name="only", domain=OP.domain)
    free = {a.name: [f"{a.name}{i}" for i in range((ranks or {}).get(a.name, len(a.shape or ())))] for a in OP.inputs}
    given = [value_info(a.name, a.element, free[a.name]) for a in OP.inputs]
    made = [value_info(a.name, a.element, [f"out{i}" for i in range(len(a.shape or ()))]) for a in OP.outputs]
    return model(graph([only], given, made), opsets={"": 20, OP.domain: 1})


def named(inputs: list[Any]) -> dict[str, Any]:
    return {a.name: x for a, x in zip(OP.inputs, inputs, strict=True)}


@pytest.mark.parametrize("number", range(8))
def test_a_size_that_disagrees_is_an_error_naming_the_input(number: int, library: Path) -> None:
    inputs = planted(1, BURGERS, rows=6, unknowns=3, batch=2, constraints=2).inputs
    shapes = [x.shape for x in inputs]
    running = session(one_node({}), library)
    for axis in range(inputs[number].ndim):
        if OP.inputs[number].shape[axis] == "K":
            continue
        wrong = list(inputs)
        wrong[number] = np.repeat(inputs[number], 2, axis=axis)
        with pytest.raises(Exception, match=r"gauss_newton_solve: \w+: expected [A-Z] = \d+ as before, got \d+"):
            running.run(None, named(wrong))
    assert [x.shape for x in inputs] == shapes


@pytest.mark.parametrize("argument", OP.inputs, ids=lambda a: a.name)
def test_a_rank_that_disagrees_is_an_error(argument: Any, library: Path) -> None:
    inputs = named(planted(1, BURGERS, rows=6, unknowns=3, constraints=1).inputs)
    inputs[argument.name] = inputs[argument.name][None]
    encoded = one_node({}, {argument.name: len(argument.shape) + 1})
    with pytest.raises(Exception, match=f"gauss_newton_solve: {argument.name}: expected element type .* axes"):
        session(encoded, library).run(None, inputs)


@pytest.mark.parametrize("bad", [-1, 5, 2**62, -(2**63)])
def test_a_factor_number_that_is_none_is_an_error(bad: int, library: Path) -> None:
    inputs = planted(1, BURGERS, rows=6, unknowns=3).inputs
    inputs[5] = inputs[5].copy()
    inputs[5][0, 0] = bad
    with pytest.raises(Exception, match="terms: expected factor numbers 0 to F"):
        session(one_node({}), library).run(None, named(inputs))


def test_attributes_are_heard_and_default_to_the_schemas(library: Path) -> None:
    inputs = named(planted(3, BURGERS, rows=12, unknowns=4, distance=0.3).inputs)
    defaults = {a.name: a.default for a in OP.attributes}
    absent = session(one_node({}), library).run(None, inputs)
    given = session(one_node(defaults), library).run(None, inputs)
    np.testing.assert_allclose(absent[0], given[0], rtol=1e-12)
    assert not session(one_node({"max_iterations": 1}), library).run(None, inputs)[1].any()
    assert session(one_node({"max_iterations": 2, "tolerance": 10.0}), library).run(None, inputs)[1].all()


@pytest.mark.parametrize(("name", "value"), [("max_iterations", 2.0), ("tolerance", 1)])
def test_an_attribute_of_the_wrong_kind_is_an_error(name: str, value: Any, library: Path) -> None:
    with pytest.raises(Exception, match=rf"gauss_newton_solve: {name}: expected"):
        session(one_node({name: value}), library)


def test_an_empty_batch_and_sizes_beyond_memory_do_no_harm(library: Path) -> None:
    inputs = planted(1, BURGERS, rows=6, unknowns=3, batch=2).inputs
    running = session(one_node({}), library)
    empty = [x[:0] if i in (0, 2, 3, 4, 7) else x for i, x in enumerate(inputs)]
    solution, converged = running.run(None, named(empty))
    assert solution.shape == (0, 3)
    assert converged.shape == (0,)
    wide = list(inputs)
    wide[1], wide[4], wide[6] = (np.zeros(shape) for shape in ((4, 6, 20_000), (2, 20_000), (0, 20_000)))
    with pytest.raises(Exception, match="1 GiB"):
        running.run(None, named(wide))


def _number(text: str) -> float | None:
    return None if text == "EP_ORT_REQUIRED" else float(text)


@pytest.mark.parametrize("source", ROOMS_WITH_KERNEL, ids=lambda path: path.stem)
def test_a_room_declares_to_onnxruntime_what_its_schema_says(source: Path) -> None:
    op = Room(source.parent.name).op
    text = source.read_text("utf-8")
    arguments = [
        (n, ELEMENTS[element], None if any_ else tuple(shape)) for n, element, shape, any_ in DECLARED.findall(text)
    ]
    assert arguments == [(a.name, a.element, a.shape) for a in (*op.inputs, *op.outputs)]
    attributes = [(name, KINDS[int(kind)], _number(value)) for name, kind, value in ATTRIBUTES.findall(text)]
    assert attributes == [(a.name, a.kind, a.default) for a in op.attributes]
    assert f"EP_ORT_ROOM({op.name})" in text


def test_every_build_of_the_library_has_the_same_two_symbols(library: Path) -> None:
    loaded = ctypes.CDLL(str(library))
    assert loaded.RegisterCustomOps
    assert loaded.edgepde_ops_isa
    with pytest.raises(AttributeError):
        _ = loaded.ep_ort_op_of


OLDEST = """
import sys
from pathlib import Path
import numpy as np, onnxruntime
from edgepde_runtime import native
from edgepde_runtime.backends import ort
assert onnxruntime.__version__.startswith(sys.argv[1] + "."), onnxruntime.__version__
encoded = Path(sys.argv[2]).read_bytes()
given = {"parameters": np.array([[0.1]]), "points": np.array([[0.2, 0.4]], dtype=np.float32)}
found = []
for path in (None, Path(sys.argv[3]), Path(sys.argv[4])):
    native.library = lambda: path
    assert ort.kernels()[0] == (path is not None), ort.kernels()
    found.append(ort.load(encoded).run(given)["u"])
body, kernel, marked = found
assert np.abs(body - kernel).max() < 1e-6
assert np.abs(marked - kernel).max() > 0.1
print("same")
"""


def test_the_oldest_supported_onnxruntime(library: Path, marked: Path) -> None:
    path = os.pathsep.join([str(oldest_onnxruntime()), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, "-c", OLDEST, oldest_version(), str(SAMPLE / "model.onnx"), str(library), str(marked)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path})
    assert (done.returncode, done.stdout.strip()) == (0, "same"), done.stderr
