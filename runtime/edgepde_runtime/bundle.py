"""Opening a bundle: every rule of docs/bundle.md is checked before anything of it is used."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from . import folder, npz, shelf
from .agreement import certificate_agrees, model_agrees, reference_agrees
from .cassettes import Cassette
from .certificate import Certificate
from .errors import BundleError, InputError, NoBundle
from .fields import short, text
from .golden import Golden
from .manifest import CASSETTES, FileEntry, Manifest
from .monitor import NAME as MONITOR
from .monitor import Monitor
from .plan import NAME as PLAN
from .plan import Plan, check_hash

INDEX = "manifest.json"
REFERENCE = "reference.npz"
RUN_PARTS = ("spec.json", "checkpoint")
KB, MB = 1024, 1024 * 1024
LARGEST = {
    INDEX: MB,
    "card.md": MB,
    "certificate.json": 4 * MB,
    "ledger.json": 4 * MB,
    "report.npz": 200 * KB,
    "golden.npz": 64 * MB,
    REFERENCE: 256 * MB,
    "model.onnx": 512 * MB,
    PLAN: MB,
    MONITOR: MB,
}
LARGEST_OTHER = 256 * MB
LARGEST_ARRAYS = 256 * MB


@final
@dataclass(frozen=True)
class Bundle:
    """A bundle that keeps every rule; files are read again, and checked again, when they are asked for.

    root: the folder. id: sha256 of manifest.json in hex. index: of its cassettes. cassette: the one in use, whose box,
    statement and golden data are then the bundle's. whole: the bundle without it.
    """

    root: Path
    id: str
    manifest: Manifest
    certificate: Certificate
    index: shelf.Index = shelf.NONE
    cassette: Cassette | None = None
    whole: Bundle | None = None

    @property
    def cassettes(self) -> tuple[str, ...]:
        """The names of its cassettes, sorted."""
        return tuple(sorted(self.index.entries))

    @property
    def in_use(self) -> str:
        """What calls are counted for: the id, or with a cassette the hash of the id and the cassette's, in hex."""
        if self.cassette is None:
            return self.id
        own = self.index.entries[self.cassette.name].sha256
        return hashlib.sha256(f"{self.id} {own}".encode()).hexdigest()

    def holding(self, name: str) -> Bundle:
        """The bundle with one of its cassettes in use, read and checked.

        Raises InputError for a name that is not there, BundleError naming what of the file breaks a rule.
        """
        if not self.manifest.slots:
            raise InputError(f"cassette {name!a}: the model of {self.root} has no slots")
        whole = self.whole or self
        found = shelf.read(self.root, whole.manifest, self.index, name)
        manifest = found.narrowed(whole.manifest)
        return replace(whole, manifest=manifest, certificate=found.certificate, cassette=found, whole=whole)

    def content(self, name: str) -> bytes:
        """A listed file's bytes; raises BundleError where it is not listed or no longer what the manifest says."""
        entry = self.manifest.files.get(name)
        if entry is None:
            raise BundleError(f"{self.root / INDEX}: files: expected an entry for {name}, got none")
        return _content(self.root, name, entry)

    @cached_property
    def model(self) -> bytes:
        """The bytes of model.onnx."""
        return self.content("model.onnx")

    @cached_property
    def card(self) -> str:
        """The text of card.md."""
        return text(self.content("card.md"), self.root / "card.md")

    @cached_property
    def golden(self) -> Golden:
        """The golden inputs and reference outputs; raises BundleError where they disagree with the manifest.

        Of a model with slots: those of the cassette in use, without one the inputs alone.
        """
        if self.cassette is not None:
            return self.cassette.golden
        where = str(self.root / "golden.npz")
        arrays = npz.read(self.content("golden.npz"), where, LARGEST_ARRAYS, BundleError)
        return Golden.from_arrays(
            arrays, replace(self.manifest, outputs=()) if self.manifest.slots else self.manifest, where
        )

    @cached_property
    def report(self) -> dict[str, NDArray[np.floating]]:
        """The arrays of report.npz; empty without that file."""
        if "report.npz" not in self.manifest.files:
            return {}
        return npz.read(self.content("report.npz"), str(self.root / "report.npz"), LARGEST_ARRAYS, BundleError)

    @cached_property
    def reference(self) -> bytes | None:
        """The ONNX file of the float64 reference network; None without reference.npz.

        Raises BundleError naming the member where it is not what docs/bundle.md says.
        """
        if REFERENCE not in self.manifest.files:
            return None
        where = str(self.root / REFERENCE)
        data, limit = self.content(REFERENCE), LARGEST_ARRAYS
        arrays = npz.read(data, where, limit, BundleError, dtypes=(np.dtype(np.uint8),), members=("graph",))
        graph = arrays["graph"]
        if graph.ndim != 1:
            raise BundleError(f"{where}: member graph expected bytes [n], got shape {list(graph.shape)}")
        reference_agrees(graph.tobytes(), self.manifest, f"{where}: member graph")
        return graph.tobytes()

    @cached_property
    def plan(self) -> Plan | None:
        """What the compiled model needs; None without c99/plan.json. Raises BundleError naming the field."""
        if PLAN not in self.manifest.files:
            return None
        where = str(self.root / PLAN)
        plan = Plan.from_json(text(self.content(PLAN), self.root / PLAN), where)
        check_hash(plan, self.manifest.model_hash, where)
        return plan

    @cached_property
    def monitor(self) -> Monitor | None:
        """How the residual's threshold was found; None without monitor.json. Raises BundleError naming the field."""
        if MONITOR not in self.manifest.files:
            return None
        where = str(self.root / MONITOR)
        monitor = Monitor.from_json(text(self.content(MONITOR), self.root / MONITOR), where)
        monitor.agrees(self.manifest, where)
        return monitor

    @property
    def size(self) -> int:
        """Bytes of all files but those of c99/ and lib/, the indices and cassettes included."""
        held = [entry.bytes for entry in self.index.entries.values()]
        if held:
            held.append(os.path.getsize(self.root / shelf.INDEX))
        counted = [e.bytes for n, e in self.manifest.files.items() if not n.startswith(("c99/", "lib/"))]
        return sum([*counted, *held]) + os.path.getsize(self.root / INDEX)


def read(path: str | os.PathLike[str]) -> Bundle:
    """Opens the bundle in folder `path` and checks it whole.

    Raises NoBundle where there is none, else BundleError naming the file and field.
    """
    root = locate(path)
    try:
        return _read(root)
    except OSError as error:
        raise BundleError(f"{error.filename or root}: cannot be read: {error.strerror or error}") from None


def locate(path: str | os.PathLike[str]) -> Path:
    """The folder `path`; raises NoBundle where nothing, a file or a run folder is there instead of a bundle."""
    root = Path(path)
    if not os.path.lexists(root):
        raise NoBundle(f"{root}: there is no such bundle")
    if not root.is_dir():
        raise NoBundle(f"{root}: expected the folder of a bundle, got {'a file' if root.exists() else 'a broken link'}")
    if not (root / INDEX).exists() and any((root / part).exists() for part in RUN_PARTS):
        raise NoBundle(
            f"{root}: this is a run folder, not a bundle; export it first: "
            f"{shlex.join(['edgepde', 'export', str(root), '--out', 'bundle'])}"
        )
    return root


def _read(root: Path) -> Bundle:
    files, folders = folder.scan(root)
    if INDEX not in files:
        raise BundleError(f"{root}: expected {INDEX}, got {', '.join(sorted(files)[:5]) or 'an empty folder'}")
    index = folder.read(root, INDEX, None, LARGEST[INDEX])
    manifest = Manifest.from_json(text(index, root / INDEX), str(root / INDEX))
    held = shelf.scan(root, manifest, files)
    own = {name for name in files if manifest.slots and name.startswith(f"{CASSETTES}/")}
    _check_listed(root, manifest, files - own - {INDEX}, folders - {CASSETTES} if own else folders)
    for name, entry in manifest.files.items():
        got = folder.digest(root, name, entry.bytes, LARGEST.get(name, LARGEST_OTHER))
        if got != entry.sha256:
            raise _altered(root / name, entry.sha256, got)
    where = root / "certificate.json"
    data = _content(root, "certificate.json", manifest.files["certificate.json"])
    certificate = Certificate.from_json(text(data, where), str(where))
    certificate_agrees(certificate, manifest, str(where))
    model = _content(root, "model.onnx", manifest.files["model.onnx"])
    model_agrees(model, manifest, certificate, str(root / "model.onnx"))
    bundle = Bundle(root, hashlib.sha256(index).hexdigest(), manifest, certificate, held)
    _ = bundle.monitor
    return bundle


def _check_listed(root: Path, manifest: Manifest, files: set[str], folders: set[str]) -> None:
    listed = set(manifest.files)
    if missing := _first(listed - files):
        raise BundleError(f"{root / missing}: missing, but listed in {INDEX}")
    if unlisted := _first(files - listed):
        raise BundleError(f"{root}: {unlisted!a} is not listed in {INDEX}")
    parents = {str(parent) for name in listed for parent in Path(name).parents}
    if empty := _first(folders - {Path(p).as_posix() for p in parents}):
        raise BundleError(f"{root}: folder {empty!a} holds nothing that is listed in {INDEX}")


def _first(names: Iterable[str]) -> str | None:
    return min(names, default=None)


def _content(root: Path, name: str, entry: FileEntry) -> bytes:
    data = folder.read(root, name, entry.bytes, LARGEST.get(name, LARGEST_OTHER))
    got = hashlib.sha256(data).hexdigest()
    if got != entry.sha256:
        raise _altered(root / name, entry.sha256, got)
    return data


def _altered(file: Path, expected: str, got: str) -> BundleError:
    return BundleError(f"{file}: altered: expected sha256 {short(expected)}, got {short(got)}")
