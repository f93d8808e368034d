"""Writing a bundle (docs/bundle.md): bytes first, then a folder that is read back before it replaces the old one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from edgepde_runtime import bundle as reader
from edgepde_runtime import shelf, trust
from edgepde_runtime.agreement import facts
from edgepde_runtime.cassettes import Cassette, file_of
from edgepde_runtime.certificate import Certificate
from edgepde_runtime.errors import BundleError, EdgePDEError
from edgepde_runtime.manifest import FORMAT_VERSION, FileEntry, InputSpec, Manifest, OutputSpec, SlotSpec
from edgepde_runtime.monitor import NAME as MONITOR
from edgepde_runtime.monitor import Monitor
from edgepde_runtime.npz import written as npz
from edgepde_runtime.onnxfile import model_hash
from numpy.typing import NDArray

from . import card
from .errors import TargetError
from .exchange import building
from .native import Native
from .passes.clean import serialize

UNHASHED = "0" * 64
_DISTRIBUTIONS = ("edgepde", "edgepde-runtime", "numpy", "onnx", "onnxscript", "onnxsim", "torch")


@dataclass(frozen=True)
class BundleContent:
    """Everything a bundle says, before hashes; the certificate's model_hash is UNHASHED until it is written.

    model: as `lowering.prepare.prepare` returns it. golden: members of golden.npz. card: a family's own words.
    native: what is wanted of the C99 target. reference: the reference network in float64, with the model's inputs and
    outputs. costly: what costs most of the error, for a message that refuses it. monitor: how the threshold of a
    residual among the outputs was found. slots: inputs of the model after `inputs`, filled by one of `cassettes`, whose
    certificates are bound to the model when they are written; golden then holds inputs alone.
    """

    name: str
    model: onnx.ModelProto
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    certificate: Certificate
    golden: Mapping[str, NDArray[np.floating]]
    card: card.Notes = field(default_factory=card.Notes)
    ledger: Mapping[str, Any] | None = None
    report: Mapping[str, NDArray[np.floating]] | None = None
    native: Native | None = None
    reference: onnx.ModelProto | None = None
    costly: str = ""
    monitor: Monitor | None = None
    slots: tuple[SlotSpec, ...] = ()
    cassettes: tuple[Cassette, ...] = ()


def write(target: Path, content: BundleContent) -> Path:
    """Write the bundle to folder `target`, whole or not at all; an existing bundle there is replaced, nothing else is.

    The bundle then counts as written on this machine, so that its own C code may be run here.
    Raises TargetError naming what is in the way (not a bundle, read-only, full), BundleError for a rule broken, and
    what the C99 target raises.
    """
    target = Path(target)
    check_target(target)
    files = _files(content)
    try:
        with building(target.absolute()) as folder:
            for name, data in files.items():
                _write_file(folder / name, data)
            _read_back(folder, target)
    except OSError as error:
        reason = error.strerror or str(error)
        kept = "the bundle that was there is kept" if target.exists() else "nothing was left behind"
        raise TargetError(f"{target}: cannot be written: {reason}; {kept}") from error
    trust.remember(hashlib.sha256(files[reader.INDEX]).hexdigest())
    return target


def check_target(target: Path) -> None:
    """Raises TargetError where `target` is something that a bundle must not replace."""
    above = next((p for p in target.absolute().parents if p.exists()), None)
    if above is not None and not above.is_dir():
        raise TargetError(f"{target}: expected a folder for the bundle, {above} is a file")
    if target.is_symlink():
        raise TargetError(f"{target}: expected a folder for the bundle, got a symbolic link")
    if not target.exists():
        return
    if not target.is_dir():
        raise TargetError(f"{target}: expected a folder for the bundle, got a file")
    present = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_symlink() or not p.is_dir()}
    foreign = sorted(present - _claimed(target))
    if foreign:
        raise TargetError(
            f"{target}: expected a bundle or nothing, got a folder with {foreign[0]}; choose another --out"
        )


def _claimed(target: Path) -> set[str]:
    """Files of the folder that its manifest answers for; none where it has no manifest."""
    try:
        manifest = json.loads((target / reader.INDEX).read_text(encoding="utf-8"))
        listed = set(manifest["files"]) if "format_version" in manifest else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return listed | {reader.INDEX, "manifest.sig", *_shelved(target)} if listed else set()


def _shelved(target: Path) -> set[str]:
    """Files of the folder that the index of its cassettes answers for."""
    try:
        index = shelf.Index.from_json((target / shelf.INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError, BundleError):
        return set()
    return {shelf.INDEX, *map(file_of, index.entries)}


def _files(content: BundleContent) -> dict[str, bytes]:
    bare = onnx.ModelProto()
    bare.CopyFrom(content.model)
    del bare.metadata_props[:]
    digest = model_hash(serialize(bare))
    certificate = replace(content.certificate, model_hash=digest)
    _describe(bare, certificate)
    files = {"model.onnx": serialize(bare), "certificate.json": certificate.to_json().encode()}
    files["golden.npz"] = npz(content.golden)
    if content.ledger is not None:
        files["ledger.json"] = (json.dumps(content.ledger, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
    if content.report is not None:
        files["report.npz"] = npz(content.report)
    if content.reference is not None:
        files[reader.REFERENCE] = npz({"graph": np.frombuffer(serialize(content.reference), np.uint8)})
    if content.monitor is not None:
        files[MONITOR] = content.monitor.to_json().encode()
    sizes = {name: len(data) for name, data in files.items()}
    signature = content.inputs, content.outputs
    text = card.render(content.name, signature, certificate, sizes, content.card, content.monitor)
    files["card.md"] = text.encode()
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        name=content.name,
        model_hash=digest,
        files={name: FileEntry(hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items()},
        tools=tools(),
        inputs=content.inputs,
        outputs=content.outputs,
        slots=content.slots,
    )
    if content.native is not None:
        golden, tested = _tested(content)
        code = content.native.files(files["model.onnx"], manifest, certificate, golden, tested)
        files |= code
        listed = {name: FileEntry(hashlib.sha256(data).hexdigest(), len(data)) for name, data in code.items()}
        manifest = replace(manifest, files={**manifest.files, **listed})
    return {**files, reader.INDEX: manifest.to_json().encode(), **shelf.files(content.cassettes, manifest)}


def _tested(content: BundleContent) -> tuple[Mapping[str, NDArray[np.floating]], Certificate | None]:
    """What test_golden.c runs and whose statement it asks: of a model with slots, the first of its cassettes."""
    if not content.cassettes:
        return ({} if content.slots else content.golden), None
    first = content.cassettes[0]
    arrays = {"slot": first.slots, "input": first.golden.inputs, "output": first.golden.outputs}
    return {f"{kind}/{name}": a for kind, held in arrays.items() for name, a in held.items()}, first.certificate


def _describe(model: onnx.ModelProto, certificate: Certificate) -> None:
    """metadata_props edgepde.*: what a reader of the model file alone should know."""
    props = {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True, allow_nan=False)
        for key, value in facts(certificate).items()
    }
    for key in sorted(props):
        model.metadata_props.add(key=key, value=props[key])


def tools() -> dict[str, str]:
    """Versions of what made the bundle."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:
        file.write(data)


def _read_back(folder: Path, target: Path) -> None:
    try:
        bundle = reader.read(folder)
        _ = bundle.golden, bundle.report, bundle.card, bundle.reference
        for name in bundle.cassettes:
            bundle.holding(name)
    except EdgePDEError as error:
        raise BundleError(str(error).replace(str(folder), str(target))) from error
