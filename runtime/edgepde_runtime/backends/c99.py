"""The bundle's own C code: a shared library from lib/ or compiled from c99/, called through ctypes.

Native code of a bundle is loaded only for a caller who trusts it, or where the bundle was written on this machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .. import compiler, dynload, library, trust
from ..atomic import write_bytes
from ..bundle import Bundle
from ..errors import BackendError, CompilerError, InputError
from ..fields import short
from ..manifest import Manifest
from . import Arrays

_log = logging.getLogger("edgepde_runtime")
LARGEST_SCRATCH = 256 * 1024 * 1024
ALIGNMENT = 64
BAD_SIZE, NOT_FINITE, OUTSIDE = -1, -2, -3
_ENTRIES = ("hash", "isa", "scratch_bytes", "check", "call", "use")


class _Call(ctypes.Structure):
    """struct edgepde_call of dispatch.c."""

    _fields_ = (
        ("sizes", ctypes.c_void_p),
        ("inputs", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("scratch", ctypes.c_void_p),
        ("refuse_out_of_box", ctypes.c_int),
    )


@final
@dataclass(frozen=True)
class Prebuilt:
    """A call on fixed arrays: `function(argument)` is its result; kept: what the argument points to."""

    function: Any
    argument: Any
    kept: tuple[object, ...]


@final
class C99Backend:
    """A loaded library; calls on different arrays may run side by side."""

    name = "c99"

    def __init__(self, manifest: Manifest, loaded: ctypes.CDLL, where: str) -> None:
        self._manifest, self._symbols = manifest, list(dict.fromkeys(s.shape[0] for s in manifest.inputs))
        for name in _ENTRIES:
            if not hasattr(loaded, f"edgepde_model_{name}"):
                raise BackendError(f"backend c99: {where}: expected a function edgepde_model_{name}, got none")
        loaded.edgepde_model_hash.restype = ctypes.c_char_p
        loaded.edgepde_model_isa.restype = ctypes.c_char_p
        loaded.edgepde_model_scratch_bytes.restype = ctypes.c_size_t
        self._library = loaded
        got = (loaded.edgepde_model_hash() or b"").decode(errors="replace")
        if got != manifest.model_hash:
            expected = short(manifest.model_hash)
            raise BackendError(f"backend c99: {where}: model_hash expected {expected}, got {short(got)}")
        self._scratch = int(loaded.edgepde_model_scratch_bytes())
        if self._scratch > LARGEST_SCRATCH:
            raise BackendError(
                f"backend c99: {where}: expected at most {LARGEST_SCRATCH} bytes of scratch, got {self._scratch}"
            )
        self._slots: Arrays = {}

    def fed(self, slots: Arrays) -> C99Backend:
        """The same library with its slots filled."""
        other = copy(self)
        other._slots = {name: np.ascontiguousarray(array) for name, array in slots.items()}
        return other

    @property
    def isa(self) -> str:
        """The instruction set in use: avx512, avx2 or scalar."""
        return str((self._library.edgepde_model_isa() or b"").decode(errors="replace"))

    def use(self, isa: str) -> bool:
        """Forces an instruction set in this process; False, and nothing changed, where it is not there."""
        return bool(self._library.edgepde_model_use(isa.encode()) == 0)

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Evaluate the model once, also outside its box; raises InputError for a size above the limit."""
        sizes = self._sizes(inputs)
        shapes = {o.name: [sizes[n] if isinstance(n, str) else n for n in o.shape] for o in self._manifest.outputs}
        try:
            outputs = {o.name: np.empty(shapes[o.name], dtype=o.dtype) for o in self._manifest.outputs}
        except (MemoryError, ValueError) as error:
            raise InputError(f"sizes {_words(sizes)}: outputs cannot be allocated: {error}") from None
        call = self.prebuilt(inputs, outputs, False)
        result = call.function(call.argument)
        if result < 0:
            raise self.refusal(result, sizes)
        return outputs

    def check(self, inputs: Arrays) -> dict[str, NDArray[np.int32]]:
        """Flag 1 of each row by input, int32 [n], without computing; raises InputError as a call does."""
        sizes = self._sizes(inputs)
        arrays = [self._checked(inputs, spec.name, spec.dtype) for spec in self._manifest.inputs]
        flags = [np.zeros(len(array), dtype=np.int32) for array in arrays]
        numbers = (ctypes.c_size_t * len(sizes))(*sizes.values())
        result = self._library.edgepde_model_check(numbers, _pointers(arrays), _pointers(flags))
        if result < 0:
            raise self.refusal(result, sizes)
        return {spec.name: rows for spec, rows in zip(self._manifest.inputs, flags, strict=True)}

    def prebuilt(self, inputs: Arrays, outputs: Arrays, refuse_out_of_box: bool) -> Prebuilt:
        """A call on these arrays, C-contiguous and in the graph's dtypes, with scratch of its own.

        Its result is negative where it refused and wrote nothing, else the OR of the rows' flags.
        """
        specs, results = self._manifest.inputs, self._manifest.outputs
        sizes = (ctypes.c_size_t * len(self._symbols))(*self._sizes(inputs).values())
        if len(self._slots) != len(self._manifest.slots):
            raise BackendError("backend c99: expected a cassette for the model's slots, got none")
        given = [self._checked(inputs, spec.name, spec.dtype) for spec in specs]
        given += [self._checked(self._slots, slot.name, slot.dtype) for slot in self._manifest.slots]
        made = [self._checked(outputs, spec.name, spec.dtype) for spec in results]
        scratch = np.empty(self._scratch + ALIGNMENT, dtype=np.uint8)
        aligned = -(-scratch.ctypes.data // ALIGNMENT) * ALIGNMENT
        addresses = _pointers(given), _pointers(made)
        at = (ctypes.addressof(sizes), *map(ctypes.addressof, addresses), aligned, int(refuse_out_of_box))
        kept = (sizes, addresses, given, made, scratch)
        return Prebuilt(self._library.edgepde_model_call, ctypes.byref(_Call(*at)), kept)

    def bind(self, inputs: Arrays, outputs: Arrays) -> Callable[[], None]:
        """A call on these arrays, which keep their layout; it computes outside the box too, and raises as `run`."""
        made = self.prebuilt(inputs, outputs, False)

        def call() -> None:
            result = made.function(made.argument)
            if result < 0:
                raise self.refusal(result, self._sizes(inputs))

        return call

    @staticmethod
    def refusal(result: int, sizes: Mapping[str, int]) -> InputError | BackendError:
        """The error a negative result stands for."""
        if result == BAD_SIZE:
            return InputError(f"sizes {_words(sizes)}: expected numbers above 0 within the compiled model's limits")
        if result in (NOT_FINITE, OUTSIDE):
            what = "NaN or infinity" if result == NOT_FINITE else "a row outside the box"
            return BackendError(f"backend c99: refused the inputs for {what}, which the runtime does not see in them")
        return BackendError(f"backend c99: expected flags or -1 ... -3 of the library, got {result}")

    def _sizes(self, inputs: Arrays) -> dict[str, int]:
        rows = {spec.shape[0]: len(inputs[spec.name]) for spec in self._manifest.inputs}
        return {symbol: rows[symbol] for symbol in self._symbols}

    @staticmethod
    def _checked(arrays: Arrays, name: str, dtype: str) -> NDArray[np.generic]:
        array = arrays[name]
        if array.dtype != np.dtype(dtype) or not array.flags.c_contiguous:
            raise BackendError(f"backend c99: {name}: expected a C-contiguous {dtype} array, got {array.dtype}")
        return array


def _pointers(arrays: Sequence[NDArray[Any]]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def _words(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{symbol} = {n}" for symbol, n in sizes.items())


def has_code(bundle: Bundle) -> bool:
    """Whether the bundle has anything this backend could load here."""
    return "c99" in _roots(bundle) or _shipped(bundle) is not None


def load_bundle(bundle: Bundle, trusted: bool = False) -> C99Backend:
    """The backend of a bundle; trusted: the caller allows its native code.

    Raises BackendError where it is not trusted, has no code, or the code is not what the manifest says, and
    CompilerError where it has to be compiled and cannot.
    """
    if not has_code(bundle):
        here = compiler.host_triple()
        raise BackendError(f"backend c99: this bundle has no c99/ and no lib/{here}/; export it with --target c99")
    if not (trusted or trust.known(bundle.id)):
        raise BackendError(
            "backend c99: native code of a bundle from elsewhere is not run unasked; --trust (trust=True) allows it"
        )
    shipped = _shipped(bundle)
    if shipped is not None:
        return _open(bundle, bundle.content(shipped), shipped)
    triple = compiler.host_triple()
    found = compiler.find()
    kept = trust.kept(bundle.id, triple, found.identity if found else None)
    if kept is not None:
        try:
            return _open(bundle, kept, "the library kept in the cache")
        except BackendError:
            if found is None:
                raise
    return _open(bundle, _compiled(bundle, found or compiler.required()), "the library compiled from c99/")


def _open(bundle: Bundle, data: bytes, where: str) -> C99Backend:
    return C99Backend(bundle.manifest, dynload.load(data, where), where)


def _compiled(bundle: Bundle, found: compiler.Compiler) -> bytes:
    """The library just compiled, also kept in the cache where that can be written."""
    kept = trust.keep(bundle.id, found.triple, found.identity)
    _log.info("compiling c99/ of %s with %s%s", bundle.manifest.name, found.words, ", once" if kept else "")
    try:
        with tempfile.TemporaryDirectory(prefix="edgepde-") as temporary:
            for name in bundle.manifest.files:
                if name.startswith("c99/"):
                    path = Path(temporary) / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(bundle.content(name))
            out = Path(temporary) / "model.so"
            library.build(Path(temporary) / "c99", out)
            data = out.read_bytes()
    except CompilerError as error:
        raise CompilerError(f"backend c99: c99/ does not compile: {error}") from None
    except OSError as error:
        raise BackendError(f"backend c99: {error.filename}: {error.strerror or error}") from None
    if kept is not None:
        with contextlib.suppress(OSError):
            write_bytes(kept, data)
    return data


def _shipped(bundle: Bundle) -> str | None:
    start = f"lib/{compiler.host_triple()}/"
    return min((n for n in bundle.manifest.files if n.startswith(start) and n.endswith(".so")), default=None)


def _roots(bundle: Bundle) -> set[str]:
    return {name.partition("/")[0] for name in bundle.manifest.files if "/" in name}
