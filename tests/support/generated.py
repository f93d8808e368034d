"""Models as generated C, compiled and called: many models in one file, or a whole target with its API."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
from edgepde_export.c99 import source
from edgepde_export.c99.entry import Entry, Input, Output
from edgepde_export.c99.generating import kernels
from edgepde_export.c99.names import distinct
from edgepde_export.c99.program import Part, Program
from edgepde_export.c99.program import part as part_of
from edgepde_export.c99.tracing import trace
from edgepde_export.c99.value import Value
from edgepde_runtime.library import COMMON, ISAS
from edgepde_runtime.onnxfile import parse
from numpy.typing import NDArray
from support.kernel_libraries import needs_processor

Array = NDArray[Any]
DTYPES = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "i32": np.int32, "u8": np.bool_}
DTYPES["f16"] = np.float16
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-Wshadow", "-Wno-unused-parameter")
GUARD = 256


def part(model: bytes, name: str) -> Part:
    """The steps of a model as a function of this name; its outputs are kept as they are, nothing is checked."""
    traced = trace(parse(model))
    inputs = tuple(Input(n, v) for n, v in traced.inputs.items())
    outputs = tuple(Output(n, v, diagnostic=True) for n, v in traced.outputs.items())
    outer = traced.outer[0] if traced.outer else None
    entry = Entry(name, traced.symbols, outer, traced.lane, inputs, outputs)
    return part_of(entry, traced.operations)


@final
@dataclass(frozen=True)
class Called:
    """One function of a library."""

    part: Part
    function: Any
    scratch_bytes: int

    def __call__(self, inputs: Mapping[str, Array], *, fill: int = 0xA5) -> dict[str, Array]:
        """The outputs; scratch is filled before and must be untouched past its end, inputs are never written."""
        entry = self.part.entry
        sizes = self._sizes(inputs)
        given = [np.array(inputs[i.name], DTYPES[i.value.code], order="C") for i in entry.inputs]
        before = [x.tobytes() for x in given]
        made = {o.name: np.empty(shape_of(o.value, sizes), DTYPES[o.value.code]) for o in entry.outputs}
        scratch = np.full(self.scratch_bytes + 64 + GUARD, fill, np.uint8)
        start = -scratch.ctypes.data % 64
        arrays = [*(x.ctypes.data for x in given), *(y.ctypes.data for y in made.values())]
        code = self.function(
            *(ctypes.c_size_t(sizes[s]) for s in entry.symbols),
            *map(ctypes.c_void_p, arrays),
            ctypes.c_void_p(scratch.ctypes.data + start),
        )
        assert code == 0, f"{entry.name} returned {code}"
        assert (scratch[start + self.scratch_bytes :] == fill).all(), f"{entry.name} writes past its scratch"
        assert before == [x.tobytes() for x in given], f"{entry.name} writes to its inputs"
        return made

    def _sizes(self, inputs: Mapping[str, Array]) -> dict[str, int]:
        found: dict[str, int] = {}
        for given in self.part.entry.inputs:
            for size, n in zip(given.value.shape, np.shape(inputs[given.name]), strict=True):
                if size and isinstance(size[0], str):
                    found[size[0]] = n
        return found


def shape_of(value: Value, sizes: Mapping[str, int]) -> list[int]:
    """The shape of a value for these free sizes."""
    return [int(np.prod([sizes[f] if isinstance(f, str) else f for f in d], dtype=np.int64)) for d in value.shape]


@final
class Generated:
    """Models in one C file; `on(isa)` compiles it, `on(isa)[name]` is a function."""

    def __init__(self, models: Mapping[str, bytes], folder: Path, optimised: str = "-O0") -> None:
        self._folder, self._optimised = folder, optimised
        self._numbers = {name: i for i, name in enumerate(models)}
        self.parts = [part(model, f"case{i}") for i, model in enumerate(models.values())]
        self.scratch_bytes = 0
        self._libraries: dict[str, ctypes.CDLL] = {}

    @cached_property
    def text(self) -> str:
        """The C; its kernel files are written beside it."""
        names = dict.fromkeys(n for p in self.parts for n in [*p.entry.symbols, *p.entry.names])
        ids = distinct(names, "cases")
        made = source.write(Program("cases", tuple(self.parts), ids), "/* cases */")
        self.scratch_bytes = max(made.tiled_bytes, made.single_bytes)
        (self._folder / "kernels").mkdir(exist_ok=True)
        for name, text in kernels(made.kernels).items():
            (self._folder / "kernels" / name).write_text(text)
        (self._folder / "cases.h").write_text("#include <stddef.h>\n#include <stdint.h>\n")
        return made.text

    def on(self, isa: str) -> _Build:
        """The build for an instruction set, compiled on first use."""
        if isa not in self._libraries:
            (self._folder / "cases.c").write_text(self.text)
            path = compiled(self._folder, ["cases.c"], isa, f"{isa}.so", "-shared", "-fPIC", self._optimised)
            self._libraries[isa] = ctypes.CDLL(str(path))
        return _Build(self, self._libraries[isa])

    def called(self, library: ctypes.CDLL, name: str) -> Called:
        """A function of a build by the model's name."""
        i = self._numbers[name]
        return Called(self.parts[i], getattr(library, f"cases_case{i}"), self.scratch_bytes)


@dataclass(frozen=True)
class _Build:
    """A compiled file of models."""

    made: Generated
    library: ctypes.CDLL

    def __getitem__(self, name: str) -> Called:
        return self.made.called(self.library, name)


def builds() -> list[str]:
    """The plain build and the widest vectors of this processor."""
    for isa in reversed(ISAS):
        try:
            needs_processor(isa)
        except pytest.skip.Exception:
            continue
        return list(dict.fromkeys(["scalar", isa]))
    return ["scalar"]


def compiled(folder: Path, sources: Sequence[str], isa: str, out: str, *flags: str, cc: str = "gcc") -> Path:
    """Sources of a folder compiled to `out` in it; AssertionError with what the compiler says."""
    argv = [cc, *COMMON, *WARNINGS, *ISAS[isa], *flags, "-I", "kernels", "-I", ".", *sources, "-o", out]
    done = subprocess.run(argv, check=False, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[:4000]
    return folder / out


def same_bits(a: Mapping[str, Array], b: Mapping[str, Array]) -> bool:
    """Whether two sets of outputs are the same bit for bit."""
    return a.keys() == b.keys() and all(np.array_equal(bits(a[n]), bits(b[n])) for n in a)


def bits(x: Array) -> Array:
    """The numbers as bytes; every NaN counts as one."""
    y = np.array(x, order="C")
    if y.dtype.kind == "f":
        y = np.where(np.isnan(y), y.dtype.type(np.nan), y)
    return np.frombuffer(y.tobytes(), np.uint8)
