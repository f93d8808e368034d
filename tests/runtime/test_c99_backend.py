"""The backend c99 says, refuses and flags what the reference does, and loads nothing that is not what it should be."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime import Model, compiler, dynload, library, load, trust
from edgepde_runtime.backends.c99 import C99Backend, load_bundle
from edgepde_runtime.bound import NativeBound
from edgepde_runtime.bundle import read
from edgepde_runtime.errors import BackendError, BundleError, CompilerError, EdgePDEError, InputError, OutOfBox
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support import c99

pytestmark = pytest.mark.skipif(compiler.find() is None, reason="no C compiler")
X = np.array([[0.5, 0.25], [-0.75, 1.0], [1.0, 0.0]], dtype=np.float32)
HERE = compiler.host_triple()


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles of the three toy models."""
    root = tmp_path_factory.mktemp("toys")
    made = {"mlp": c99.mlp_bundle, "solver": c99.solver_bundle, "pole": c99.pole_bundle}
    return {name: make(root / name) for name, make in made.items()}


@pytest.fixture(params=["scalar", "avx2", "avx512"])
def isa(request: pytest.FixtureRequest, toys: dict[str, Path]) -> Iterator[str]:
    """Every instruction set of this processor, forced on the solver."""
    backend = native(toys["solver"])
    first = backend.isa
    if not backend.use(request.param):
        pytest.skip(f"this processor or build has no {request.param}")
    yield str(request.param)
    backend.use(first)


def native(path: Path) -> C99Backend:
    return load_bundle(read(path), True)


def shipped(bundle: Path, triple: str = HERE) -> Path:
    """Compiles a bundle's c99/ into its lib/<triple>/ and returns the library's path."""
    folder = bundle.parent / f"{bundle.name}-build"
    folder.mkdir(exist_ok=True)
    built = library.build(bundle / "c99", folder / "libtoy.so", None if triple == HERE else triple)
    c99.put(bundle, f"lib/{HERE}/libtoy.so", built.path.read_bytes())
    return bundle / f"lib/{HERE}/libtoy.so"


class TestValues:
    """What comes out."""

    def test_the_same_as_on_the_reference(self, toys: dict[str, Path]) -> None:
        for name, inputs in {
            "mlp": {"x": X},
            "solver": {"parameters": np.array([[0.5], [0.1]]), "points": X},
            "pole": {"x": X[:, :1].copy()},
        }.items():
            ours, theirs = (load(toys[name], b, trust=True).call(**inputs) for b in ("c99", "reference"))
            assert ours.flags == theirs.flags
            for output, value in theirs.outputs.items():
                np.testing.assert_allclose(ours.outputs[output], value, rtol=1e-5, atol=1e-5)
            assert ours.error_bound == theirs.error_bound

    def test_every_instruction_set_gives_the_same_bits(self, toys: dict[str, Path], isa: str) -> None:
        model = load(toys["solver"], "c99", trust=True)
        inputs = {"parameters": np.linspace(0.1, 0.5, 5)[:, None], "points": X}
        backend = native(toys["solver"])
        assert backend.isa == isa
        backend.use("scalar")
        expected = model.call(**inputs).outputs
        backend.use(isa)
        got = model.call(**inputs).outputs
        assert all(np.array_equal(got[name], expected[name]) for name in expected)

    def test_an_unknown_instruction_set_changes_nothing(self, toys: dict[str, Path]) -> None:
        backend = native(toys["solver"])
        before = backend.isa
        assert not backend.use("sse9")
        assert backend.isa == before

    def test_flags_of_rows(self, toys: dict[str, Path]) -> None:
        inputs = {"parameters": np.array([[0.5], [2.0]]), "points": np.array([[0, 0], [3, 0]], np.float32)}
        expected = load(toys["solver"], "reference").check(**inputs)
        got = native(toys["solver"]).check(inputs)
        assert {name: rows.tolist() for name, rows in got.items()} == {n: r.tolist() for n, r in expected.items()}
        with pytest.raises(BackendError, match="NaN or infinity"):
            native(toys["solver"]).check({**inputs, "parameters": np.array([[np.nan], [0.5]])})

    def test_sizes_above_the_limit_are_refused_in_words(self, toys: dict[str, Path]) -> None:
        many = np.zeros(((1 << 20) + 1, 2), np.float32)
        with pytest.raises(InputError, match=r"sizes M = 1048577: expected numbers above 0 within"):
            load(toys["mlp"], "c99", trust=True).call(many)
        with pytest.raises(InputError, match=r"sizes M = 1048577"):
            load(toys["mlp"], "c99", trust=True).bind(many)()

    def test_outputs_that_cannot_be_allocated_are_an_input_error(self, toys: dict[str, Path]) -> None:
        one = np.lib.stride_tricks.as_strided(np.full(1, 0.5), (1 << 40, 1), (0, 8))
        points = np.lib.stride_tricks.as_strided(np.zeros(2, np.float32), (1 << 40, 2), (0, 4))
        with pytest.raises(InputError, match="outputs cannot be allocated"):
            native(toys["solver"]).run({"parameters": one, "points": points})

    def test_calls_in_threads_do_not_meet(self, toys: dict[str, Path]) -> None:
        from concurrent.futures import ThreadPoolExecutor

        model = load(toys["solver"], "c99", trust=True)
        values = np.linspace(0.01, 0.5, 64)
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(lambda nu: model(parameters=np.array([[nu]]), points=X).u, values))
        for nu, u in zip(values, got, strict=True):
            np.testing.assert_array_equal(u, np.float32(nu) * (X[:, :1] + X[:, 1:]).T)


special = st.sampled_from([np.nan, np.inf, -np.inf, 1e30, 0.0, -0.0, 5e-324, 0.9, 1.0, 0.005, 2.0, -1.0])
number = st.one_of(special, st.floats(-1.2, 1.2), st.floats(0.0, 1.0))


@cache
def opened(path: Path, backend: str, flag: bool) -> Model:
    """A bundle on a backend, once for all examples."""
    return Model(read(path), backend, "flag" if flag else "raise", False, True)


def told(call: Any) -> tuple[object, ...]:
    """Flags, or the kind and words of the refusal."""
    try:
        return ("flags", call())
    except EdgePDEError as error:
        return (type(error), str(error))


class TestBind:
    """bind() on c99 is bind() on the reference."""

    @settings(max_examples=300)
    @given(st.lists(number, min_size=1, max_size=3), st.lists(number, min_size=2, max_size=6), st.booleans())
    def test_solver(self, toys: dict[str, Path], nu: list[float], xt: list[float], flag: bool) -> None:
        points = np.array(xt[: len(xt) // 2 * 2], np.float64).astype(np.float32).reshape(-1, 2)
        self.compare(toys["solver"], {"parameters": np.array(nu)[:, None], "points": points}, flag)

    @settings(max_examples=200)
    @given(st.lists(number, min_size=1, max_size=6), st.booleans())
    def test_pole(self, toys: dict[str, Path], x: list[float], flag: bool) -> None:
        self.compare(toys["pole"], {"x": np.array(x, np.float64).astype(np.float32)[:, None]}, flag)

    @staticmethod
    def compare(path: Path, inputs: dict[str, NDArray[Any]], flag: bool) -> None:
        with np.errstate(all="ignore"):
            ours, theirs = (opened(path, b, flag).bind(**inputs) for b in ("c99", "reference"))
            for bound in (ours, theirs):
                for array in bound.outputs.values():
                    array[...] = 7.0
            assert isinstance(ours, NativeBound)
            assert told(ours) == told(theirs)
        for name, value in theirs.outputs.items():
            np.testing.assert_allclose(ours.outputs[name], value, rtol=1e-6, err_msg=name)

    def test_refused_inputs_leave_the_outputs_alone(self, toys: dict[str, Path]) -> None:
        x, out = X.copy(), np.full((3, 1), 7.0, np.float32)
        call = load(toys["mlp"], "c99", trust=True).bind(x, out)
        for value, error in ((1.5, OutOfBox), (np.nan, InputError), (np.inf, InputError)):
            x[1, 1] = value
            with pytest.raises(error, match="row 1, column t"):
                call()
            assert (out == 7.0).all()
        x[1, 1] = 1.0
        assert call() == 0
        np.testing.assert_array_equal(out, load(toys["mlp"], "c99", trust=True)(x))

    def test_arrays_are_held_so_that_their_memory_stays(self, toys: dict[str, Path]) -> None:
        x = X.copy()
        call = load(toys["mlp"], "c99", trust=True).bind(x)
        with pytest.raises(ValueError, match="resize"):
            x.resize((2, 2))
        x.shape = (2, 3)
        assert call() == 0
        with pytest.raises(TypeError):
            call.inputs["x"] = X  # type: ignore[index]

    def test_a_call_allocates_nothing(self, toys: dict[str, Path]) -> None:
        call = load(toys["mlp"], "c99", trust=True).bind(X.copy())
        call()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(1000):
                call()
            assert tracemalloc.get_traced_memory()[0] - before < 1000
        finally:
            tracemalloc.stop()

    def test_a_result_nobody_knows_is_told(self, toys: dict[str, Path]) -> None:
        call = load(toys["mlp"], "c99", trust=True).bind(X.copy())
        call._function = lambda _: -77  # type: ignore[attr-defined]
        with pytest.raises(BackendError, match="got -77"):
            call()
        call._function = lambda _: -3  # type: ignore[attr-defined]
        with pytest.raises(BackendError, match="a row outside the box, which the runtime does not see"):
            call()


class TestLibraries:
    """Where the library comes from."""

    def test_a_compiled_library_is_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bundle = read(c99.mlp_bundle(tmp_path / "b", seed=11))
        assert trust.kept(bundle.id, HERE, None) is None
        load_bundle(bundle, True)
        assert trust.kept(bundle.id, HERE, compiler.required().identity) is not None
        monkeypatch.setattr(library, "build", lambda *_: pytest.fail("compiled again"))
        load_bundle(bundle, True)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(compiler, "has_zig", lambda: False)
        load_bundle(bundle, True)

    def test_another_compiler_makes_its_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bundle = read(c99.mlp_bundle(tmp_path / "b", seed=12))
        load_bundle(bundle, True)
        count = trust.libraries()
        monkeypatch.setenv("CC", f"{shutil.which('cc') or shutil.which('gcc')} -DOTHER=1")
        load_bundle(bundle, True)
        assert trust.libraries() == count + 1

    def test_a_damaged_one_is_made_anew(self, tmp_path: Path) -> None:
        bundle = read(c99.mlp_bundle(tmp_path / "b", seed=13))
        load_bundle(bundle, True)
        (path,) = trust.folder().glob(f"libraries/{bundle.id}-*")
        good = path.read_bytes()
        path.write_bytes(good[:100])
        assert load_bundle(bundle, True).name == "c99"
        assert path.read_bytes() == good

    def test_one_that_others_could_write_is_not_taken(self, tmp_path: Path) -> None:
        bundle = read(c99.mlp_bundle(tmp_path / "b", seed=14))
        load_bundle(bundle, True)
        (path,) = trust.folder().glob(f"libraries/{bundle.id}-*")
        path.chmod(0o777)
        assert trust.kept(bundle.id, HERE, None) is None

    def test_a_shipped_library_is_taken_before_compiling(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bundle = c99.mlp_bundle(tmp_path / "b")
        shipped(bundle)
        monkeypatch.setattr(library, "build", lambda *_: pytest.fail("compiled"))
        monkeypatch.setenv("PATH", str(tmp_path))
        np.testing.assert_allclose(load(bundle, "c99", trust=True)(X), load(bundle, "reference")(X), atol=1e-5)

    def test_without_a_cache_it_is_compiled_each_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "cache" / "edgepde").mkdir(parents=True)
        (tmp_path / "cache" / "edgepde").chmod(0o777)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        assert load(c99.mlp_bundle(tmp_path / "b", seed=15), "c99", trust=True).backend == "c99"
        assert list((tmp_path / "cache" / "edgepde").iterdir()) == []

    def test_the_bytes_that_were_checked_are_the_ones_loaded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Files that change after the bundle was read are refused, and the path in the bundle is never opened."""
        bundle = c99.mlp_bundle(tmp_path / "b", seed=16)
        path = shipped(bundle)
        opened: list[str] = []
        real = ctypes.CDLL
        monkeypatch.setattr(ctypes, "CDLL", lambda name: opened.append(name) or real(name))
        good = read(bundle)
        load_bundle(good, True)
        assert opened
        assert not any(str(tmp_path / "b") in name for name in opened)
        assert not any(os.path.exists(name) for name in opened)
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(BundleError, match="altered"):
            load_bundle(good, True)
        with pytest.raises(BundleError, match="altered"):
            load(bundle, "c99", trust=True)


class TestRefused:
    """Libraries that are not what they should be."""

    def test_another_models_library(self, tmp_path: Path) -> None:
        bundle, other = c99.mlp_bundle(tmp_path / "b"), c99.solver_bundle(tmp_path / "o")
        c99.put(bundle, f"lib/{HERE}/libtoy.so", shipped(other).read_bytes())
        with pytest.raises(BackendError, match=rf"lib/{HERE}/libtoy\.so: model_hash expected [0-9a-f]+\.\.\., got "):
            load(bundle, "c99", trust=True)

    def test_a_library_of_another_processor(self, tmp_path: Path) -> None:
        cross = "aarch64-linux-gnu" if HERE.startswith("x86_64") else "x86_64-linux-gnu"
        if shutil.which(f"{cross}-gcc") is None:
            pytest.skip(f"no {cross}-gcc")
        bundle = c99.mlp_bundle(tmp_path / "b")
        shipped(bundle, cross)
        with pytest.raises(BackendError, match=r"libtoy\.so: built for aarch64, 64 bits; this is"):
            load(bundle, "c99", trust=True)

    @pytest.mark.parametrize("data", [b"", b"\x7fELF", b"MZ" * 100, b"\x7fELF\x02\x01\x01" + bytes(200)])
    def test_no_library_at_all(self, tmp_path: Path, data: bytes) -> None:
        bundle = c99.mlp_bundle(tmp_path / "b")
        c99.put(bundle, f"lib/{HERE}/libtoy.so", data)
        with pytest.raises(BackendError, match=rf"lib/{HERE}/libtoy\.so"):
            load(bundle, "c99", trust=True)

    def test_a_library_that_lacks_a_function(self, tmp_path: Path) -> None:
        (tmp_path / "x.c").write_text("int nothing;\n")
        compiler.required().run(["-shared", "-fPIC", "-o", "x.so", "x.c"], tmp_path)
        bundle = c99.mlp_bundle(tmp_path / "b")
        c99.put(bundle, f"lib/{HERE}/libtoy.so", (tmp_path / "x.so").read_bytes())
        with pytest.raises(BackendError, match="expected a function edgepde_model_hash, got none"):
            load(bundle, "c99", trust=True)

    def test_scratch_above_the_limit(self, tmp_path: Path) -> None:
        bundle = c99.mlp_bundle(tmp_path / "b", scratch=(256 << 20) + 1)
        with pytest.raises(BackendError, match=r"expected at most 268435456 bytes of scratch, got 268435457"):
            load(bundle, "c99", trust=True)

    def test_sources_without_dispatch(self, tmp_path: Path) -> None:
        bundle = c99.mlp_bundle(tmp_path / "b")
        (bundle / "c99/dispatch.c").unlink()
        c99.bundles.edit_json(bundle, "manifest.json", lambda m: m["files"].pop("c99/dispatch.c"))
        with pytest.raises(CompilerError, match=r"backend c99: c99/ does not compile: c99/dispatch\.c is missing"):
            load(bundle, "c99", trust=True)

    def test_dynload_names_a_system_refusal(self) -> None:
        header = bytearray(200)
        header[:7] = b"\x7fELF\x02\x01\x01"
        header[18:20] = {"x86_64": 62, "aarch64": 183, "riscv64": 243}[HERE.partition("-")[0]].to_bytes(2, "little")
        with pytest.raises(BackendError, match=r"backend c99: lib/x\.so cannot be loaded: "):
            dynload.load(bytes(header), "lib/x.so")


def test_importing_the_runtime_loads_no_foreign_function_interface() -> None:
    code = "import sys, edgepde_runtime; print('edgepde_runtime.backends.c99' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
