"""cassettes/ of a bundle: what fills the slots of its graph, one operator a file, with a statement of its own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from . import folder, npz
from .agreement import certificate_agrees
from .atomic import write_bytes
from .certificate import BoxEntry, Certificate
from .errors import BundleError, InputError
from .fields import HASH, Fields, short, words
from .filling import Filling
from .golden import Golden
from .manifest import CASSETTES, FileEntry, InputSpec, Manifest

if TYPE_CHECKING:
    from .bundle import Bundle

SCHEMA_VERSION = 1
INDEX = f"{CASSETTES}/index.json"
MOST = 1024
LARGEST_INDEX, LARGEST_STATEMENT, LARGEST_GOLDEN = 1 << 20, 1 << 22, 1 << 25
# What a zip adds to its arrays, per member.
_AROUND = 1 << 13
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
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


@final
@dataclass(frozen=True)
class Index:
    """cassettes/index.json. branch: the model_hash of the model they belong to."""

    branch: str
    entries: Mapping[str, FileEntry]

    def to_json(self) -> str:
        """The file's text, the same for the same content. Raises BundleError where a rule is broken."""
        _check(self, INDEX)
        listed = {name: {"sha256": e.sha256, "bytes": e.bytes} for name, e in self.entries.items()}
        document = {"schema_version": SCHEMA_VERSION, "branch": self.branch, "cassettes": listed}
        return json.dumps(document, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = INDEX) -> Index:
        """Reads and checks; raises BundleError naming the field in `where`."""
        fields = Fields.parse(text, where)
        version = fields.integer("schema_version")
        if version != SCHEMA_VERSION:
            raise fields.wrong("schema_version", f"{SCHEMA_VERSION}, which this runtime understands", version)
        listed = fields.nested("cassettes")
        index = cls(fields.string("branch"), {name: _entry(listed.nested(name)) for name in listed.names()})
        fields.done()
        _check(index, where)
        return index


NONE = Index("0" * 64, {})


def file_of(name: str) -> str:
    """Where a cassette lies in its bundle."""
    return f"{CASSETTES}/{name}.npz"


def scan(root: Path, manifest: Manifest, files: Iterable[str]) -> Index:
    """The index of a bundle's cassettes, every file of it there and as it says; NONE where there are none.

    files: what lies in the folder. Raises BundleError naming file and field.
    """
    here = {name for name in files if name.startswith(f"{CASSETTES}/")}
    if not here:
        return NONE
    if not manifest.slots:
        raise BundleError(f"{root}: {min(here)!a} is not listed in manifest.json, whose model has no slots")
    if INDEX not in here:
        raise BundleError(f"{root / INDEX}: missing, but there is {min(here)!a}")
    where = root / INDEX
    index = Index.from_json(_text(folder.read(root, INDEX, None, LARGEST_INDEX), str(where)), str(where))
    if index.branch != manifest.model_hash:
        raise BundleError(_other_branch(f"{where}: branch", manifest, index.branch))
    listed = {file_of(name): entry for name, entry in index.entries.items()}
    if missing := min(set(listed) - here, default=None):
        raise BundleError(f"{root / missing}: missing, but listed in {INDEX}")
    if unlisted := min(here - set(listed) - {INDEX}, default=None):
        raise BundleError(f"{root}: {unlisted!a} is not listed in {INDEX}")
    for name, entry in listed.items():
        got = folder.digest(root, name, entry.bytes, largest(manifest))
        if got != entry.sha256:
            raise BundleError(f"{root / name}: altered: expected sha256 {short(entry.sha256)}, got {short(got)}")
    return index


def largest(manifest: Manifest) -> int:
    """The most bytes a cassette of this model can have as a file."""
    members = len(manifest.slots) + len(manifest.inputs) + len(manifest.outputs) + 1 + len(_FILLING)
    return _largest_arrays(manifest) + members * _AROUND


def _largest_arrays(manifest: Manifest) -> int:
    columns = max((len(spec.columns) for spec in manifest.inputs), default=0)
    filling = 4 * (columns * columns + columns + 1)
    return sum(slot.bytes for slot in manifest.slots) + LARGEST_GOLDEN + LARGEST_STATEMENT + filling


def read(root: Path, manifest: Manifest, index: Index, name: str) -> Cassette:
    """A cassette of the bundle; raises InputError for a name that is not listed, BundleError naming file and member."""
    if name not in index.entries:
        raise InputError(f"cassette {name!a} is not in {root}; there {_there(index.entries)}")
    entry, where = index.entries[name], str(root / file_of(name))
    data = folder.read(root, file_of(name), entry.bytes, largest(manifest))
    got = hashlib.sha256(data).hexdigest()
    if got != entry.sha256:
        raise BundleError(f"{where}: altered: expected sha256 {short(entry.sha256)}, got {short(got)}")
    return from_bytes(name, data, manifest, where)


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
    certificate = Certificate.from_json(_text(statement.tobytes(), at), at)
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


def chosen(bundle: Bundle, name: str | None) -> Bundle:
    """The bundle with the cassette a user named, or the only one it has; itself where its model has no slots.

    Raises InputError where none is named of several, there is none, or a name is not there.
    """
    if name is not None:
        return bundle.holding(name)
    if not bundle.manifest.slots:
        return bundle
    if len(bundle.cassettes) != 1:
        raise InputError(f"expected --cassette NAME for the model's slots; there {_there(bundle.cassettes)}")
    return bundle.holding(bundle.cassettes[0])


def files(cassettes: Sequence[Cassette], manifest: Manifest) -> dict[str, bytes]:
    """The files of cassettes/, the index among them; none for no cassettes. Raises BundleError naming the cassette."""
    if not cassettes:
        return {}
    names = [cassette.name for cassette in cassettes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BundleError(f"{INDEX}: cassettes expected distinct names, got {twice[0]!a} twice")
    made = {cassette.name: to_bytes(cassette, manifest) for cassette in cassettes}
    entries = {name: FileEntry(hashlib.sha256(data).hexdigest(), len(data)) for name, data in made.items()}
    index = Index(manifest.model_hash, entries).to_json().encode()
    return {INDEX: index, **{file_of(name): data for name, data in made.items()}}


def write(root: Path, cassettes: Sequence[Cassette], manifest: Manifest) -> None:
    """Writes the files of cassettes/ below `root`, the index last. Raises BundleError and OSError."""
    for name, data in sorted(files(cassettes, manifest).items(), key=lambda item: item[0] == INDEX):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(root / name, data)


def check(cassette: Cassette, manifest: Manifest, where: str) -> None:
    """Raises BundleError naming `where` and the member: another model's, a wrong dtype, shape or box, not finite."""
    if cassette.certificate.model_hash != manifest.model_hash:
        raise BundleError(_other_branch(f"{where}: model_hash", manifest, cassette.certificate.model_hash))
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


def _entry(fields: Fields) -> FileEntry:
    entry = FileEntry(fields.string("sha256"), fields.integer("bytes"))
    fields.done()
    return entry


def _check(index: Index, where: str) -> None:
    if not HASH.fullmatch(index.branch):
        raise BundleError(f"{where}: branch expected 64 hex digits, got {words(index.branch)}")
    if not 0 < len(index.entries) <= MOST:
        raise BundleError(f"{where}: cassettes expected 1 to {MOST}, got {len(index.entries)}")
    known: dict[str, str] = {}
    for name, entry in index.entries.items():
        at = f"{where}: cassettes"
        if not _NAME.fullmatch(name):
            raise BundleError(f"{at}: a name expected at most 64 letters, digits, ., _ and -, got {words(name)}")
        if (other := known.setdefault(name.lower(), name)) != name:
            raise BundleError(f"{at} expected distinct names, got {other!a} and {name!a}")
        if not HASH.fullmatch(entry.sha256):
            raise BundleError(f"{at}.{name}.sha256 expected 64 hex digits, got {words(entry.sha256)}")
        if not 0 <= entry.bytes < 2**63:
            raise BundleError(f"{at}.{name}.bytes expected a size, got {entry.bytes}")


def _there(names: Iterable[str]) -> str:
    found = sorted(names)
    shown = ", ".join(found[:20]) + (f" and {len(found) - 20} more" if len(found) > 20 else "")
    return f"{'is' if len(found) == 1 else 'are'} {shown}" if found else "are none"


def _other_branch(at: str, manifest: Manifest, got: str) -> str:
    return f"{at} expected {short(manifest.model_hash)}, the model of this bundle, got {words(got)}, another's"


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BundleError(f"{where}: expected UTF-8 text, got {error.reason} at byte {error.start}") from None
