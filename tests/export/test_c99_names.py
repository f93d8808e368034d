"""Names of models, sizes, inputs and outputs in generated C: whatever they are, it compiles and means the same."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from edgepde_export.c99.names import distinct, reserved
from edgepde_runtime.library import COMMON, INCLUDES, ISAS
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from hypothesis import given
from hypothesis import strategies as st
from support import onnx_writer as w
from support.c99_api import built, files, written
from support.generated import WARNINGS, builds
from support.kernel_libraries import needs_cc, needs_compiler

COLUMN = (Column("c", "", -1.0, 1.0),)
IDENTIFIER = re.compile(r"\b[A-Za-z]\w*")
CPP = (  # noqa: SIM905 - one line per word says less
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class "
    "co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype "
    "default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline "
    "int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public "
    "register reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch "
    "template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile "
    "wchar_t while xor xor_eq"
).split()

pytestmark = needs_cc


def sums(names: Sequence[str], symbol: str = "M", output: str = "the_result", name: str = "toy") -> dict[str, bytes]:
    """The C of output = the sum of all inputs, each [symbol, 1]."""
    nodes = [w.node("Identity", [names[0]], ["n0"])]
    nodes += [w.node("Add", [f"n{i}", n], [f"n{i + 1}"]) for i, n in enumerate(names[1:])]
    nodes[-1] = nodes[-1] if len(names) == 1 else w.node("Add", [f"n{len(names) - 2}", names[-1]], [output])
    nodes += [w.node("Identity", ["n0"], [output])] if len(names) == 1 else []
    infos = [w.value_info(n, "float32", [symbol, 1]) for n in names]
    encoded = w.model(w.graph(nodes, infos, [w.value_info(output, "float32", [symbol, 1])]))
    inputs = [InputSpec(n, "float32", (symbol, 1), COLUMN) for n in names]
    return files(encoded, inputs, [OutputSpec(output, "float32", (symbol, 1), "")], name)


def fans(names: Sequence[str]) -> dict[str, bytes]:
    """The C of as many outputs, each the input times two."""
    nodes = [w.node("Add", ["the_input", "the_input"], [n]) for n in names]
    infos = [w.value_info(n, "float32", ["M", 1]) for n in names]
    encoded = w.model(w.graph(nodes, [w.value_info("the_input", "float32", ["M", 1])], infos))
    inputs = [InputSpec("the_input", "float32", ("M", 1), COLUMN)]
    return files(encoded, inputs, [OutputSpec(n, "float32", ("M", 1), "") for n in names])


def compiles(folder: Path, made: dict[str, bytes], name: str = "toy", *, alone: bool = False) -> str:
    """What the compiler says to the model, the dispatch and the example; to the plain model alone where asked."""
    written(folder, made)
    said = ""
    for source in (f"{name}.c", *(() if alone else ("dispatch.c", "example.c"))):
        vectors = [] if alone else ISAS[builds()[-1]]
        argv = ["gcc", *COMMON, *WARNINGS, *vectors, "-fsyntax-only", *INCLUDES, source]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        said += done.stderr if done.returncode else ""
    return said


@pytest.fixture(scope="module")
def words() -> list[str]:
    """Every word of a generated file with its kernels: locals, functions, macros, types."""
    made = sums(["x", "y"])
    text = "\n".join(data.decode() for name, data in made.items() if name.endswith((".c", ".h")))
    code = re.sub(r'/\*.*?\*/|"[^"\n]*"|\b0[xX]\w+', " ", text, flags=re.DOTALL)
    found = {word for word in IDENTIFIER.findall(code) if not word.startswith("__")}
    assert {"rows", "left", "flags", "ep_fma_f32", "EP_NAME", "size_t", "tile_x", "run_tile"} <= found
    return sorted((found | set(CPP) | reserved()) - {"the_result"})


def test_inputs_may_be_called_as_anything_in_the_file(words: list[str], tmp_path: Path) -> None:
    assert not compiles(tmp_path, sums(words))


def test_outputs_may_be_called_as_anything_in_the_file(words: list[str], tmp_path: Path) -> None:
    assert not compiles(tmp_path, fans(words))


def test_sizes_may_be_called_as_anything_the_driver_has(words: list[str], tmp_path: Path) -> None:
    short = [word for word in words if len(word) < 2 or word in ("rows", "left", "flags", "found", "scratch", "x", "y")]
    assert len(short) > 12
    for i, word in enumerate(short):
        assert not compiles(tmp_path / str(i), sums(["x", "y"], symbol=word), alone=True), word


def test_names_that_differ_in_case_or_by_the_driver_s_own_endings(tmp_path: Path) -> None:
    names = ["x", "X", "x_", "X_", "m_x", "x_low", "x_high", "x_flags", "tile_x", "toy", "TOY", "toy_run", "M_", "m"]
    assert not compiles(tmp_path, sums([*names, "u1", "U1"], symbol="M", output="U"))
    assert not compiles(tmp_path / "fan", fans(names))


def test_a_size_may_be_called_as_an_input(tmp_path: Path) -> None:
    assert not compiles(tmp_path, sums(["x", "y"], symbol="x"))
    assert not compiles(tmp_path / "output", sums(["x", "y"], symbol="the_result"))


def test_nasty_names_compute_the_same(tmp_path: Path) -> None:
    names = ["b", "m", "n", "s", "L", "l", "c0", "v0", "rows", "left", "flags", "found", "tile_b", "b_low", "b_flags"]
    nodes = [w.node("Sub", ["b", "m"], ["d0"])]
    nodes += [w.node("Sub", [f"d{i}", name], [f"d{i + 1}"]) for i, name in enumerate(names[2:])]
    nodes.append(w.node("Tanh", [f"d{len(names) - 2}"], ["e"]))
    infos = [w.value_info(n, "float32", ["i", 1]) for n in names]
    encoded = w.model(w.graph(nodes, infos, [w.value_info("e", "float32", ["i", 1])]))
    specs = [InputSpec(n, "float32", ("i", 1), COLUMN) for n in names]
    api = built(tmp_path, encoded, specs, [OutputSpec("e", "float32", ("i", 1), "")], "while")
    rng = np.random.default_rng(0)
    given_ = {n: rng.uniform(-0.1, 0.1, (21, 1)).astype(np.float32) for n in names}
    expected = np.tanh(given_["b"].astype(np.float64) - sum(given_[n].astype(np.float64) for n in names[1:]))
    for isa in api.isas:
        assert api.library.edgepde_model_use(isa.encode()) == 0
        np.testing.assert_allclose(api.call(given_).outputs["e"], expected, atol=1e-6)


MODELS = [
    "while",
    "class",
    "main",
    "run",
    "float",
    "string",
    "math",
    "stddef",
    "stdint",
    "float.h",
    "box",
    "tanh",
    "immintrin",
    "dispatch",
    "example",
    "test_golden",
    "kernels",
    "a-b.c",
    "9lives",
    "_",
    "toy_run",
    "EP_NAME",
]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_may_be_called_anything(name: str, tmp_path: Path) -> None:
    made = sums(["x", "y"], name=name)
    headers = [n.removesuffix(".h") for n in made if n.endswith(".h") and "/" not in n]
    assert len(headers) == 1
    assert f"{headers[0]}.c" in made
    assert {"dispatch.c", "example.c", "Makefile", "CMakeLists.txt"} <= made.keys()
    assert not compiles(tmp_path, made, headers[0])


@pytest.mark.parametrize("standard", ["c++11", "c++20"])
def test_the_header_is_cpp(standard: str, words: list[str], tmp_path: Path) -> None:
    needs_compiler("g++")
    for i, made in enumerate((sums(words), fans(words), sums(["x"], name="class"))):
        folder = written(tmp_path / str(i), made)
        (header,) = (n for n in made if n.endswith(".h") and "/" not in n)
        (folder / "use.cpp").write_text(f'#include "{header}"\nint main() {{ return 0; }}\n')
        argv = ["g++", f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "use.cpp"]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[:2000]


@given(st.lists(st.text(min_size=1, max_size=12), unique=True, max_size=12), st.sampled_from(["toy", "m"]))
def test_any_texts_become_names_that_are_apart(texts: list[str], model: str) -> None:
    found = distinct(texts, model)
    assert list(found) == texts
    assert len({name.lower() for name in found.values()}) == len(texts)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) for name in found.values())
    assert not reserved() & set(found.values())
