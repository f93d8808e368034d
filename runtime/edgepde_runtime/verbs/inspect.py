"""edgepde inspect: what is in a bundle or a model file?"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import bundle as bundles
from .. import columns, monitor, render
from ..bundle import Bundle
from ..certificate import Certificate, OutputCertificate
from ..errors import BundleError, InputError, ModelFileError
from ..fields import document, text
from ..onnxfile import Model, model_hash, parse
from ..subbox import words
from ..term import BY_BACKEND, LARGEST, SENSOR, TERMS, Totals

SCHEMA_VERSION = 1
LEDGER = "ledger.json"
LARGEST_MODEL = 512 * 1024 * 1024


@dataclass(frozen=True)
class InspectReport:
    """Facts by heading, each a list of rows with equal length."""

    title: str
    sections: Mapping[str, list[tuple[str, ...]]]
    headers: Mapping[str, tuple[str, ...]]

    def as_dict(self) -> dict[str, object]:
        """The JSON document: per section a list of objects."""
        sections = {
            name: [dict(zip(self.headers[name], row, strict=True)) for row in rows]
            for name, rows in self.sections.items()
        }
        return {"schema_version": SCHEMA_VERSION, "title": self.title, **sections}

    def table(self) -> str:
        """The sections one below the other."""
        parts = [f"{name}\n{render.table(rows, self.headers[name])}" for name, rows in self.sections.items() if rows]
        return "\n\n".join([render.safe(self.title), *parts])


HEADERS: Mapping[str, tuple[str, ...]] = {
    "inputs": ("input", "dtype", "shape", "column", "unit", "low", "high"),
    "outputs": ("output", "dtype", "shape", "unit", "kind"),
    "slots": ("slot", "dtype", "shape", "size"),
    "cassettes": ("cassette", "file", "slots", "output", "unit", "total", "class", "sound total"),
    "grid": ("axis", "points", "from", "to", "spacing"),
    "operators": ("operator", "horizon", "equation"),
    "monitor": monitor.HEADER,
    "errors": ("output", "norm", "unit", *TERMS, SENSOR, "total", "class", "sound total", "found", "against"),
    "other backends": ("output", "backend", *BY_BACKEND, "total", "class", "sound total"),
    "regions": ("output", "part of the box", "unit", "total", "class", "sound total"),
    "family": ("column", "mean", "modes", "radius"),
    "c99": ("target", "compiler", "RAM", "scratch", "stack", "flash", "weights", "code"),
    "files": ("file", "size"),
    "tools": ("tool", "version"),
    "graph inputs": ("input", "dtype", "shape"),
    "graph outputs": ("output", "dtype", "shape"),
    "graph": ("domain", "op", "nodes"),
    "functions": ("domain", "op", "nodes"),
    "weights": ("weight", "dtype", "shape"),
    "metadata": ("key", "value"),
}


def inspect(path: str | os.PathLike[str], cassette: str | None = None) -> InspectReport:
    """Describes a bundle's folder or a model file; cassette: with what is stated for this one.

    Raises NoBundle, BundleError, ModelFileError, and InputError for a cassette that is not there.
    """
    target = Path(path)
    if target.is_dir() or not target.exists():
        bundle = bundles.read(target)
        return _bundle(bundle if cassette is None else bundle.holding(cassette))
    if cassette is not None:
        raise InputError(f"cassette {cassette!a}: a model file has none; expected the folder of a bundle")
    try:
        if target.stat().st_size > LARGEST_MODEL:
            raise ModelFileError(f"{target}: expected at most {LARGEST_MODEL} bytes, got {target.stat().st_size}")
        data = target.read_bytes()
    except OSError as error:
        raise BundleError(f"{target}: {error.strerror}") from None
    hash_, model = _parsed(data, target)
    return _report(f"{target}: model {hash_}, {render.size(len(data))}", _model(model))


def _parsed(data: bytes, target: Path) -> tuple[str, Model]:
    try:
        return model_hash(data), parse(data)
    except ModelFileError as error:
        # A path that starts at "model" is that of the outermost message: no graph was reached.
        other = str(error).startswith("model")
        what = "neither the folder of a bundle nor an ONNX file" if other else "not the ONNX this runtime reads"
        raise ModelFileError(f"{target}: {what}: {error}") from None


def _report(title: str, sections: dict[str, list[tuple[str, ...]]]) -> InspectReport:
    return InspectReport(title, sections, HEADERS)


def _bundle(bundle: Bundle) -> InspectReport:
    manifest = bundle.manifest
    sections: dict[str, list[tuple[str, ...]]] = {
        "inputs": [
            (s.name, s.dtype, _shape(s.shape), columns.spelled(c, "name"), c["unit"], repr(c["low"]), repr(c["high"]))
            for s in manifest.inputs
            for c in columns.compact([vars(c) for c in s.columns], "name")
        ],
        "outputs": [
            (s.name, s.dtype, _shape(s.shape), s.unit, _kind(s.diagnostic, s.threshold)) for s in manifest.outputs
        ],
        "slots": [(s.name, s.dtype, _shape(s.shape), render.size(s.bytes)) for s in manifest.slots],
        "cassettes": [_cassette(bundle.holding(name)) for name in bundle.cassettes],
        **_places(bundle),
        "monitor": monitor.thresholds(manifest.outputs, bundle.monitor),
        **_certificate(bundle.certificate),
        "c99": _plan(bundle),
        "files": [(name, render.size(entry.bytes)) for name, entry in sorted(manifest.files.items())],
        "tools": sorted(manifest.tools.items()),
    }
    graph = _model(parse(bundle.model))
    sections |= {name: graph[name] for name in ("graph", "functions", "weights")}
    held = f", cassette {bundle.cassette.name}" if bundle.cassette is not None else ""
    return _report(f"{manifest.name}: bundle {bundle.id}, {render.size(bundle.size)}{held}", sections)


def _places(bundle: Bundle) -> dict[str, list[tuple[str, ...]]]:
    """Where and when outputs are, as the ledger of a model with slots says; what is not as expected is not shown."""
    ledger = _ledger(bundle) if bundle.manifest.slots else {}
    grid, operators = _mapping(ledger.get("grid")), _mapping(ledger.get("operators"))
    told = {name: _mapping(entry) for name, entry in sorted(operators.items())}
    timed = any("horizon" in entry for entry in told.values())
    return {
        "grid": [_axis(name, values, timed and name == "t") for name, values in grid.items() if _numbers(values)],
        "operators": [
            (name, str(entry.get("horizon", "")), str(entry.get("statement", ""))) for name, entry in told.items()
        ],
    }


def _ledger(bundle: Bundle) -> Mapping[str, object]:
    if LEDGER not in bundle.manifest.files:
        return {}
    return _mapping(document(text(bundle.content(LEDGER), bundle.root / LEDGER), str(bundle.root / LEDGER)))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _numbers(values: object) -> bool:
    return isinstance(values, list) and bool(values) and all(_number(v) for v in values)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < LARGEST


def _axis(name: str, values: object, timed: bool) -> tuple[str, ...]:
    """An axis in short; t is in parts of each operator's horizon."""
    assert isinstance(values, list)
    steps = [b - a for a, b in itertools.pairwise(values)]
    even = bool(steps) and max(steps) - min(steps) <= 1e-9 * max(abs(values[0]), abs(values[-1]))
    spacing = f"{steps[0]:.6g}" if even else "uneven" if steps else ""
    return (f"{name} / horizon" if timed else name, str(len(values)), f"{values[0]:.6g}", f"{values[-1]:.6g}", spacing)


def _cassette(bundle: Bundle) -> tuple[str, ...]:
    """What a cassette takes as a file and in memory, and the first line of its statement."""
    held = bundle.cassette
    assert held is not None
    entry = next(iter(bundle.certificate.outputs.values()))
    sizes = render.size(bundle.index.entries[held.name].bytes), render.size(held.bytes)
    return (held.name, *sizes, entry.key, entry.unit, *_totals(entry))


def _plan(bundle: Bundle) -> list[tuple[str, ...]]:
    """What the compiled model needs per target; where it was planned for none, that there are sources."""
    plan = bundle.plan
    if plan is None:
        sources = any(name.startswith("c99/") for name in bundle.manifest.files)
        return [("sources without a plan", *("",) * 7)] if sources else []
    weights = render.size(plan.weights_bytes)
    rows: list[tuple[str, ...]] = []
    for t in plan.targets:
        ram, flash = render.size(t.ram), render.size(plan.flash(t))
        figures = ram, render.size(t.scratch_bytes), render.size(t.stack_bytes), flash, weights
        rows.append((t.triple, t.compiler, *figures, render.size(t.code_bytes)))
    return rows or [("no target", "", "", "", "", "", weights, "")]


def _kind(diagnostic: bool, threshold: float | None) -> str:
    if threshold is not None:
        return f"residual, threshold {threshold:.3g}"
    return "diagnostic" if diagnostic else "certified"


def _certificate(certificate: Certificate) -> dict[str, list[tuple[str, ...]]]:
    entries, family = certificate.outputs.values(), certificate.family
    others = [(e, name, e.on(name)) for e in entries for name in e.elsewhere]
    return {
        "errors": [_errors(entry) for entry in entries],
        "other backends": [
            (e.key, name, *(render.bound(view.terms[t].value) for t in BY_BACKEND), *_totals(view))
            for e, name, view in others
        ],
        "regions": [(e.key, words(region.box), e.unit, *_totals(region)) for e in entries for region in e.regions],
        "family": []
        if family is None
        else [
            (f"{c.input}.{c.column}", repr(family.mean[j]), str(len(family.modes)), repr(family.radius[j]))
            for j, c in enumerate(certificate.box)
        ],
    }


def _errors(entry: OutputCertificate) -> tuple[str, ...]:
    values = [render.bound(entry.terms[t].value if t in entry.terms else None) for t in (*TERMS, SENSOR)]
    found = ("-", "-") if entry.found is None else (render.bound(entry.found.value), entry.found.against)
    return (entry.name, entry.norm, entry.unit, *values, *_totals(entry), *found)


def _totals(statement: Totals) -> tuple[str, ...]:
    return (render.bound(statement.total), statement.total_class, render.bound(statement.sound_total))


def _shape(shape: tuple[int | str, ...] | None) -> str:
    return "?" if shape is None else f"[{', '.join(str(n) or '?' for n in shape)}]"


def _model(model: Model) -> dict[str, list[tuple[str, ...]]]:
    def counted(nodes: Counter[tuple[str, str]]) -> list[tuple[str, ...]]:
        return [(domain or "onnx", op, str(n)) for (domain, op), n in sorted(nodes.items())]

    graph = model.graph
    return {
        "graph inputs": [(v.name, str(v.dtype), _shape(v.shape)) for v in graph.inputs],
        "graph outputs": [(v.name, str(v.dtype), _shape(v.shape)) for v in graph.outputs],
        "graph": counted(Counter((node.domain, node.op_type) for node in graph.nodes)),
        "functions": [(f.domain, f.name, str(len(f.nodes))) for f in model.functions.values()],
        "weights": [(name, str(w.dtype), _shape(w.shape)) for name, w in graph.initializers.items()],
        "metadata": sorted(model.metadata.items()),
    }
