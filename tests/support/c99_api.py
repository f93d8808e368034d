"""A generated target written to a folder, built as the runtime builds it, and called through its fixed C names."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from edgepde_export.c99.generating import generate
from edgepde_runtime import library
from edgepde_runtime.certificate import OutputCertificate
from edgepde_runtime.manifest import InputSpec, Manifest, OutputSpec
from edgepde_runtime.onnxfile import model_hash
from numpy.typing import NDArray
from support import bundles

Array = NDArray[Any]
BAD_SIZE, NOT_FINITE, OUTSIDE = -1, -2, -3
UNTOUCHED = 0x5A


def files(
    model: bytes,
    inputs: Sequence[InputSpec],
    outputs: Sequence[OutputSpec],
    name: str = "toy",
    golden: Mapping[str, Array] | None = None,
) -> dict[str, bytes]:
    """The files of c99/ by name."""
    hash_ = model_hash(model)
    entries = [OutputCertificate.from_terms(o.name, o.unit, bundles.terms()) for o in outputs if not o.diagnostic]
    certificate = bundles.certificate(tuple(inputs), hash_, entries)
    manifest = Manifest(1, name, hash_, {}, {"edgepde": "0.1.0"}, tuple(inputs), tuple(outputs))
    return generate(model, manifest, certificate, golden or {})


def written(folder: Path, made: Mapping[str, bytes]) -> Path:
    """The files in a folder."""
    for name, data in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


class _Call(ctypes.Structure):
    _fields_ = (
        ("sizes", ctypes.c_void_p),
        ("inputs", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("scratch", ctypes.c_void_p),
        ("refuse_out_of_box", ctypes.c_int),
    )


@final
@dataclass(frozen=True)
class Answer:
    """What a call returned, its outputs, and whether it wrote any of their bytes."""

    code: int
    outputs: dict[str, Array]
    untouched: bool


@final
class Api:
    """A built library."""

    def __init__(self, folder: Path, inputs: Sequence[InputSpec], outputs: Sequence[OutputSpec]) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.symbols = list(dict.fromkeys(spec.shape[0] for spec in inputs))
        built = library.build(folder, folder.parent / f"{folder.name}.so")
        self.library = ctypes.CDLL(str(built.path))
        self.library.edgepde_model_scratch_bytes.restype = ctypes.c_size_t
        self.library.edgepde_model_isa.restype = ctypes.c_char_p
        self.library.edgepde_model_hash.restype = ctypes.c_char_p
        self.isas = [isa for isa in built.isas if self.library.edgepde_model_use(isa.encode()) == 0]

    def sizes(self, inputs: Mapping[str, Array]) -> dict[str, int]:
        """Rows by symbol."""
        return {spec.shape[0]: len(inputs[spec.name]) for spec in self.inputs}

    def check(
        self, inputs: Mapping[str, Array], sizes: Mapping[str, int] | None = None
    ) -> tuple[int, dict[str, Array]]:
        """The result of edgepde_model_check and the flags of every row, -7 where it wrote none."""
        numbers = sizes or self.sizes(inputs)
        given = self._given(inputs)
        flags = {spec.name: np.full(len(given[spec.name]), -7, np.int32) for spec in self.inputs}
        code = self.library.edgepde_model_check(
            (ctypes.c_size_t * len(self.symbols))(*(numbers[s] for s in self.symbols)),
            _pointers(list(given.values())),
            _pointers(list(flags.values())),
        )
        return int(code), flags

    def call(
        self,
        inputs: Mapping[str, Array],
        *,
        refuse: bool = False,
        sizes: Mapping[str, int] | None = None,
        fill: int = 0xA5,
    ) -> Answer:
        """edgepde_model_call; `sizes` may lie about the arrays. Scratch is guarded and filled before."""
        numbers = dict(sizes or self.sizes(inputs))
        rows = self.sizes(inputs)
        given = self._given(inputs)
        made = {o.name: np.empty([rows.get(str(d), d) for d in o.shape], o.dtype) for o in self.outputs}
        for y in made.values():
            y.view(np.uint8)[...] = UNTOUCHED
        most = int(self.library.edgepde_model_scratch_bytes())
        scratch = np.full(most + 192, fill, np.uint8)
        start = -scratch.ctypes.data % 64
        counts = (ctypes.c_size_t * len(self.symbols))(*(numbers[s] for s in self.symbols))
        places = _pointers(list(given.values())), _pointers(list(made.values()))
        at = (ctypes.addressof(counts), *map(ctypes.addressof, places), scratch.ctypes.data + start, int(refuse))
        before = [x.tobytes() for x in given.values()]
        code = int(self.library.edgepde_model_call(ctypes.byref(_Call(*at))))
        assert before == [x.tobytes() for x in given.values()], "inputs were written"
        outside = np.concatenate([scratch[:start], scratch[start + most :]])
        assert (outside == fill).all(), "scratch was written past its end"
        return Answer(code, made, all((y.view(np.uint8) == UNTOUCHED).all() for y in made.values()))

    def _given(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        return {spec.name: np.ascontiguousarray(inputs[spec.name], spec.dtype) for spec in self.inputs}


def _pointers(arrays: Sequence[Array]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*(x.ctypes.data for x in arrays))


def built(
    folder: Path, model: bytes, inputs: Sequence[InputSpec], outputs: Sequence[OutputSpec], name: str = "toy"
) -> Api:
    """A model as a library."""
    return Api(written(folder / name, files(model, inputs, outputs, name)), inputs, outputs)
