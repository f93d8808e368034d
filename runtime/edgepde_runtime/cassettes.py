"""A cassette: what fills the slots of a graph for one operator, with a statement of its own, and its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from . import npz
from .agreement import certificate_agrees
from .certificate import BoxEntry, Certificate
from .errors import BundleError
from .fields import short, text, words
from .filling import Filling
from .golden import Golden
from .manifest import CASSETTES, InputSpec, Manifest

LARGEST_STATEMENT, LARGEST_GOLDEN = 1 << 22, 1 << 25
# What a zip adds to its arrays, per member.
_AROUND = 1 << 13
_FILLING = tuple(f"filling/{name}" for name in ("mean", "factor", "floor"))
_TYPES = tuple(np.dtype(name) for name in ("<f2", "<f4", "<f8", "u1"))
Slots = Mapping[str, NDArray[np.floating]]


@final
@dataclass(frozen=True)
class Cassette:
    """One operator of a shared model.

    slots: an array for every slot of the manifest, in its dtype and shape. certificate: what holds for this operator,
    in its own box, which lies in the manifest's. golden: inputs and the reference network's outputs for them. filling:
    what fills missing numbers of the model's only input, None where nothing does.
    """

    name: str
    slots: Slots
    certificate: Certificate
    golden: Golden
    filling: Filling | None = None

    @property
    def bytes(self) -> int:
        """What its slots take in memory."""
        return sum(array.nbytes for array in self.slots.values())

    def narrowed(self, manifest: Manifest) -> Manifest:
        """The manifest with this operator's box."""
        return _narrowed(manifest, self.certificate.box)


def file_of(name: str) -> str:
    """Where a cassette lies in its bundle."""
    return f"{CASSETTES}/{name}.npz"


def largest(manifest: Manifest) -> int:
    """The most bytes a cassette of this model can have as a file."""
    members = len(manifest.slots) + len(manifest.inputs) + len(manifest.outputs) + 1 + len(_FILLING)
    return _largest_arrays(manifest) + members * _AROUND


def _largest_arrays(manifest: Manifest) -> int:
    columns = max((len(spec.columns) for spec in manifest.inputs), default=0)
    filling = 4 * (columns * columns + columns + 1)
    return sum(slot.bytes for slot in manifest.slots) + LARGEST_GOLDEN + LARGEST_STATEMENT + filling


def from_bytes(name: str, data: bytes, manifest: Manifest, where: str) -> Cassette:
    """The cassette that `to_bytes` wrote; raises BundleError naming `where` and the member."""
    slots = [f"slot/{spec.name}" for spec in manifest.slots]
    golden = [f"{kind}/{s.name}" for kind, specs in _tested(manifest) for s in specs]
    expected = ["certificate", *slots, *golden]
    arrays = npz.read(data, where, _largest_arrays(manifest), BundleError, dtypes=_TYPES)
    if set(arrays) != {*expected} and set(arrays) != {*expected, *_FILLING}:
        raise BundleError(f"{where}: expected members {npz.listed(expected)}, got {npz.listed(arrays)}")
    statement = arrays.pop("certificate")
    if statement.dtype != np.uint8 or statement.ndim != 1:
        got = f"{statement.dtype} {list(statement.shape)}"
        raise BundleError(f"{where}: member certificate expected uint8 [n], got {got}")
    at = f"{where}: member certificate"
    certificate = Certificate.from_json(text(statement.tobytes(), at), at)
    made = Cassette(
        name,
        {spec.name: arrays[f"slot/{spec.name}"] for spec in manifest.slots},
        certificate,
        Golden.from_arrays(
            {member: arrays[member] for member in golden}, _narrowed(manifest, certificate.box, at), where
        ),
        _filling(arrays, where),
    )
    check(made, manifest, where)
    return made


def to_bytes(cassette: Cassette, manifest: Manifest) -> bytes:
    """The file of a cassette, bound to the manifest's model; the same bytes for the same content.

    Raises BundleError naming what breaks a rule.
    """
    bound = replace(cassette, certificate=replace(cassette.certificate, model_hash=manifest.model_hash))
    check(bound, manifest, file_of(cassette.name))
    statement = np.frombuffer(bound.certificate.to_json().encode(), np.uint8)
    arrays: dict[str, NDArray[Any]] = {f"slot/{spec.name}": bound.slots[spec.name] for spec in manifest.slots}
    arrays |= {f"input/{name}": array for name, array in bound.golden.inputs.items()}
    arrays |= {f"output/{name}": array for name, array in bound.golden.outputs.items()}
    if bound.filling is not None:
        arrays |= {f"filling/{name}": array for name, array in bound.filling.arrays().items()}
    return npz.written({**arrays, "certificate": statement})


def check(cassette: Cassette, manifest: Manifest, where: str) -> None:
    """Raises BundleError naming `where` and the member: another model's, a wrong dtype, shape or box, not finite."""
    if cassette.certificate.model_hash != manifest.model_hash:
        raise BundleError(other_branch(f"{where}: model_hash", manifest, cassette.certificate.model_hash))
    names = [spec.name for spec in manifest.slots]
    if sorted(cassette.slots) != sorted(names):
        raise BundleError(f"{where}: slots expected {words(sorted(names))}, got {words(sorted(cassette.slots))}")
    for spec in manifest.slots:
        array, at = cassette.slots[spec.name], f"{where}: member slot/{spec.name}"
        if array.dtype.name != spec.dtype or array.shape != spec.shape:
            expected, got = f"{spec.dtype} {list(spec.shape)}", f"{array.dtype.name} {list(array.shape)}"
            raise BundleError(f"{at}: expected {expected}, got {got}")
        npz.check_finite(array, at, BundleError)
    certificate_agrees(cassette.certificate, _narrowed(manifest, cassette.certificate.box, where), where)
    if cassette.filling is not None:
        widths, filled = [len(spec.columns) for spec in manifest.inputs], len(cassette.filling.mean)
        if widths != [filled]:
            raise BundleError(f"{where}: member filling/mean expected {widths}, got [{filled}]")


def _filling(arrays: Mapping[str, NDArray[Any]], where: str) -> Filling | None:
    if _FILLING[0] not in arrays:
        return None
    held = {name.partition("/")[2]: arrays[name] for name in _FILLING}
    for name, values in held.items():
        if values.dtype != np.float32:
            raise BundleError(f"{where}: member filling/{name} expected float32, got {values.dtype}")
    return Filling.from_arrays(held, where, BundleError)


def _tested(manifest: Manifest) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    return (("input", manifest.inputs), ("output", manifest.outputs))


def _narrowed(manifest: Manifest, box: Sequence[BoxEntry], where: str = "cassette") -> Manifest:
    """The manifest with the box of a cassette's certificate; BundleError where that is none of its parts."""
    known = {(entry.input, entry.column): entry for entry in box}
    return replace(manifest, inputs=tuple(_inside(spec, known, where) for spec in manifest.inputs))


def _inside(spec: InputSpec, known: Mapping[tuple[str, str], BoxEntry], where: str) -> InputSpec:
    found = []
    for column in spec.columns:
        entry = known.get((spec.name, column.name))
        if entry is None or not column.low <= entry.low < entry.high <= column.high:
            got = "none" if entry is None else f"{entry.low!r} to {entry.high!r}"
            expected = f"{spec.name}.{column.name} within {column.low!r} to {column.high!r}"
            raise BundleError(f"{where}: box expected {expected}, got {got}")
        found.append(replace(column, low=entry.low, high=entry.high))
    return replace(spec, columns=tuple(found))


def other_branch(at: str, manifest: Manifest, got: str) -> str:
    """What is said where a cassette or an index belongs to another model."""
    return f"{at} expected {short(manifest.model_hash)}, the model of this bundle, got {words(got)}, another's"
