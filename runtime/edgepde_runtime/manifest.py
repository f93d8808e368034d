"""manifest.json of a bundle: what the files are and what goes in and out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword

from . import columns
from .box import Box
from .errors import BundleError
from .fields import HASH, Fields, kind, words

FORMAT_VERSION = 1
REQUIRED = ("card.md", "certificate.json", "golden.npz", "model.onnx")
DTYPES = ("float32", "float64")
SLOT_DTYPES = ("float16", *DTYPES)
# The folder that has an index of its own, and the keyword of a call that names a file of it.
CASSETTES, ASKED = "cassettes", "cassette"
MOST_SIZES, LARGEST_SLOT = 4, 1 << 26
SHOWN = 20

_NAME = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Column:
    """One column of an input and its box low <= value <= high, in `unit`."""

    name: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class InputSpec:
    """An input of shape [rows, columns]: a symbol and a number; one Column per column."""

    name: str
    dtype: str
    shape: tuple[str, int]
    columns: tuple[Column, ...]

    @property
    def box(self) -> Box:
        """The box of one row."""
        c = self.columns
        return Box([v.low for v in c], [v.high for v in c], [v.name for v in c], [v.unit for v in c])


@dataclass(frozen=True)
class OutputSpec:
    """An output; `diagnostic` ones have no certificate, one with a `threshold` is the residual of each row."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    unit: str
    diagnostic: bool = False
    threshold: float | None = None


@dataclass(frozen=True)
class SlotSpec:
    """An input of the graph that a cassette fills: fixed sizes, float16, float32 or float64."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """What its array takes."""
        return math.prod(self.shape) * int(self.dtype.removeprefix("float")) // 8


@dataclass(frozen=True)
class FileEntry:
    """What a file of the bundle must be: its sha256 in hex and its size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """The index of a bundle; see docs/bundle.md. slots: the graph's inputs after `inputs`, filled by a cassette."""

    format_version: int
    name: str
    model_hash: str
    files: Mapping[str, FileEntry]
    tools: Mapping[str, str]
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    slots: tuple[SlotSpec, ...] = ()

    def to_json(self) -> str:
        """The file's text, the same for the same content. Raises BundleError where a rule is broken."""
        check(self, "manifest.json")
        return json.dumps(_document(self), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "manifest.json") -> Manifest:
        """Reads and checks every rule of docs/bundle.md; raises BundleError naming the field in `where`."""
        fields = Fields.parse(text, where)
        version = fields.integer("format_version")
        if version > FORMAT_VERSION:
            raise fields.wrong(
                "format_version", f"at most {FORMAT_VERSION}, the newest this runtime understands", version
            )
        files, tools = fields.nested("files"), fields.nested("tools")
        manifest = cls(
            format_version=version,
            name=fields.string("name"),
            model_hash=fields.string("model_hash"),
            files={name: _entry(files.nested(name)) for name in files.names()},
            tools={name: tools.string(name) for name in tools.names()},
            inputs=tuple(_input(item) for item in fields.objects("inputs")),
            outputs=tuple(_output(item) for item in fields.objects("outputs")),
            slots=_slots(fields) if fields.has("slots") else (),
        )
        fields.done()
        check(manifest, where)
        return manifest


def is_name(text: str) -> bool:
    """Whether a bundle can be called so: letters, digits, ., _ and -."""
    return bool(_NAME.fullmatch(text))


def _entry(fields: Fields) -> FileEntry:
    entry = FileEntry(fields.string("sha256"), fields.integer("bytes"))
    fields.done()
    return entry


def _columns(fields: Fields) -> list[Column]:
    unit, low, high = fields.string("unit"), fields.number("low"), fields.number("high")
    found = [Column(name, unit, low, high) for name in columns.names(fields, "name")]
    fields.done()
    return found


def _shape(fields: Fields) -> tuple[int | str, ...]:
    shape: list[int | str] = []
    for i, size in enumerate(fields.entries("shape")):
        if isinstance(size, bool) or not isinstance(size, int | str):
            raise fields.wrong(f"shape[{i}]", "a whole number or a symbol", kind(size))
        shape.append(size)
    return tuple(shape)


def _input(fields: Fields) -> InputSpec:
    shape = _shape(fields)
    if len(shape) != 2 or not isinstance(shape[0], str) or not isinstance(shape[1], int):
        raise fields.wrong("shape", "a symbol and a number", words(shape))
    held = columns.gathered(fields.objects("columns"), _columns)
    spec = InputSpec(fields.string("name"), fields.string("dtype"), (shape[0], shape[1]), held)
    fields.done()
    return spec


def _output(fields: Fields) -> OutputSpec:
    threshold = fields.number("threshold") if fields.has("threshold") else None
    spec = OutputSpec(
        fields.string("name"),
        fields.string("dtype"),
        _shape(fields),
        fields.string("unit"),
        fields.boolean("diagnostic"),
        threshold,
    )
    fields.done()
    return spec


def _slots(fields: Fields) -> tuple[SlotSpec, ...]:
    found = []
    for item in fields.objects("slots"):
        shape = _shape(item)
        sizes = tuple(n for n in shape if isinstance(n, int))
        if len(sizes) < len(shape):
            raise item.wrong("shape", "numbers", words(shape))
        found.append(SlotSpec(item.string("name"), item.string("dtype"), sizes))
        item.done()
    if not found:
        raise fields.wrong("slots", "at least one where the key is there", "none")
    return tuple(found)


def _document(manifest: Manifest) -> dict[str, object]:
    def output(spec: OutputSpec) -> dict[str, object]:
        members: dict[str, object] = {
            "name": spec.name,
            "dtype": spec.dtype,
            "shape": list(spec.shape),
            "unit": spec.unit,
            "diagnostic": spec.diagnostic,
        }
        return members if spec.threshold is None else {**members, "threshold": spec.threshold}

    def listed(spec: InputSpec) -> list[dict[str, object]]:
        return columns.compact([vars(c) for c in spec.columns], "name")

    return {
        "format_version": manifest.format_version,
        "name": manifest.name,
        "model_hash": manifest.model_hash,
        "files": {name: {"sha256": e.sha256, "bytes": e.bytes} for name, e in manifest.files.items()},
        "tools": dict(manifest.tools),
        "inputs": [
            {"name": s.name, "dtype": s.dtype, "shape": list(s.shape), "columns": listed(s)} for s in manifest.inputs
        ],
        "outputs": [output(spec) for spec in manifest.outputs],
        **({"slots": [{**vars(s), "shape": list(s.shape)} for s in manifest.slots]} if manifest.slots else {}),
    }


def _require(holds: bool, where: str, expected: str, got: object) -> None:
    if not holds:
        raise BundleError(f"{where} expected {expected}, got {words(got)}")


def check(manifest: Manifest, where: str) -> None:
    """Raises BundleError naming the first field of a manifest that breaks a rule of docs/bundle.md."""
    version = manifest.format_version
    _require(version == FORMAT_VERSION, f"{where}: format_version", str(FORMAT_VERSION), version)
    _require(is_name(manifest.name), f"{where}: name", "letters, digits, ., _ and -", manifest.name)
    _require(bool(HASH.fullmatch(manifest.model_hash)), f"{where}: model_hash", "64 hex digits", manifest.model_hash)
    _check_files(manifest.files, f"{where}: files")
    for label, specs in (("inputs", manifest.inputs), ("outputs", manifest.outputs)):
        _require(bool(specs), f"{where}: {label}", "at least one", [])
    named: Sequence[InputSpec | SlotSpec | OutputSpec] = [*manifest.inputs, *manifest.slots, *manifest.outputs]
    names = [spec.name for spec in named]
    what = "inputs, slots and outputs" if manifest.slots else "inputs and outputs"
    _require(len(set(names)) == len(names), f"{where}: {what}", "distinct names", names)
    for i, spec in enumerate(manifest.inputs):
        _check_input(spec, f"{where}: inputs[{i}]")
    for i, slot in enumerate(manifest.slots):
        _check_slot(slot, f"{where}: slots[{i}]")
    if manifest.slots:
        _require(ASKED not in names, f"{where}: inputs", f"another name: {ASKED} names one in a call", ASKED)
    symbols = {spec.shape[0] for spec in manifest.inputs}
    for i, out in enumerate(manifest.outputs):
        _check_output(out, symbols, f"{where}: outputs[{i}]")


def _check_files(files: Mapping[str, FileEntry], where: str) -> None:
    for name, entry in files.items():
        parts = name.split("/")
        inside = all(_NAME.fullmatch(part) and part not in {".", ".."} for part in parts)
        _require(inside, f"{where}: a name", "relative, in letters, digits, ., _, - and /, without ..", name)
        _require(name not in {"manifest.json", "manifest.sig"}, where, "no entry for the index itself", name)
        _require(parts[0].lower() != CASSETTES, where, f"no entry in {CASSETTES}/, which has its own index", name)
        _require(bool(HASH.fullmatch(entry.sha256)), f"{where}.{name}.sha256", "64 hex digits", entry.sha256)
        _require(0 <= entry.bytes < 2**63, f"{where}.{name}.bytes", "a size", entry.bytes)
    for name in REQUIRED:
        _require(name in files, where, f"an entry for {name}", sorted(files))


def _check_common(name: str, dtype: str, where: str, dtypes: tuple[str, ...] = DTYPES) -> None:
    good = bool(_IDENTIFIER.fullmatch(name)) and not iskeyword(name)
    _require(good, f"{where}.name", "a letter, then letters, digits and _, no reserved word", name)
    _require(dtype in dtypes, f"{where}.dtype", " or ".join(dtypes), dtype)


def _check_slot(spec: SlotSpec, where: str) -> None:
    _check_common(spec.name, spec.dtype, where, SLOT_DTYPES)
    good = 0 < len(spec.shape) <= MOST_SIZES and all(n > 0 for n in spec.shape)
    _require(good, f"{where}.shape", f"1 to {MOST_SIZES} sizes above 0", list(spec.shape))
    _require(spec.bytes <= LARGEST_SLOT, f"{where}.shape", f"at most {LARGEST_SLOT} bytes", spec.bytes)


def _check_input(spec: InputSpec, where: str) -> None:
    _check_common(spec.name, spec.dtype, where)
    rows, width = spec.shape
    _require(bool(_IDENTIFIER.fullmatch(rows)), f"{where}.shape[0]", "a symbol", rows)
    _require(
        width == len(spec.columns) > 0, f"{where}.shape[1]", f"{len(spec.columns)}, one per entry of columns", width
    )
    names = [c.name for c in spec.columns]
    _require(all(names) and len(set(names)) == len(names), f"{where}.columns", "distinct names", names[:SHOWN])
    limit = 3.0e38 if spec.dtype == "float32" else 1.7e308
    for i, c in enumerate(spec.columns):
        _require(-limit <= c.low < c.high <= limit, f"{where}.columns[{i}]", "finite low < high", [c.low, c.high])


def _check_output(spec: OutputSpec, symbols: set[str], where: str) -> None:
    _check_common(spec.name, spec.dtype, where)
    known: Sequence[str] = sorted(symbols)
    for i, size in enumerate(spec.shape):
        fits = size in symbols if isinstance(size, str) else size > 0
        _require(fits, f"{where}.shape[{i}]", f"a number or one of the inputs' symbols {', '.join(known)}", size)
    if spec.threshold is not None:
        _require(spec.diagnostic, f"{where}.threshold", "only on a diagnostic output", spec.threshold)
        _require(0.0 < spec.threshold < float("inf"), f"{where}.threshold", "a positive number", spec.threshold)
        one_row = len(spec.shape) == 1 and isinstance(spec.shape[0], str)
        _require(one_row, f"{where}.shape", "one symbol, as every residual", list(spec.shape))
