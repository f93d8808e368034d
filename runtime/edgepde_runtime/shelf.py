"""cassettes/ of a bundle: which operators there are, in files that have an index of their own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from . import folder
from .atomic import write_bytes
from .cassettes import Cassette, file_of, from_bytes, largest, other_branch, to_bytes
from .errors import BundleError, InputError
from .fields import HASH, Fields, short, text, words
from .manifest import CASSETTES, FileEntry, Manifest

if TYPE_CHECKING:
    from .bundle import Bundle

SCHEMA_VERSION = 1
INDEX = f"{CASSETTES}/index.json"
MOST, LARGEST = 1024, 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


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
    index = Index.from_json(text(folder.read(root, INDEX, None, LARGEST), str(where)), str(where))
    if index.branch != manifest.model_hash:
        raise BundleError(other_branch(f"{where}: branch", manifest, index.branch))
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
