"""Whether the certificate and the model file say what the manifest says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from . import columns
from .certificate import BoxEntry, Certificate
from .errors import BundleError, ModelFileError, UnsupportedModel
from .fields import document, short
from .manifest import SHOWN, InputSpec, Manifest, OutputSpec, SlotSpec
from .onnxfile import model_hash, parse
from .onnxmodel import Graph, Model

_SHOWN = 200
# The key of a tensor's external file, also inside the graphs of If and Loop; lengths in any encoding of theirs.
_EXTERNAL = re.compile(rb"(?:\x0a|\x8a\x80*\x00)(?:\x08|\x88\x80*\x00)location")


def certificate_agrees(certificate: Certificate, manifest: Manifest, where: str) -> None:
    """Same model, same box, one entry per non-diagnostic output, same units; raises BundleError naming the field."""
    if certificate.model_hash != manifest.model_hash:
        raise BundleError(
            f"{where}: model_hash expected {short(manifest.model_hash)} as in manifest.json, "
            f"got {short(certificate.model_hash)}"
        )
    stated = list(certificate.box)
    expected = [BoxEntry(s.name, c.name, c.unit, c.low, c.high) for s in manifest.inputs for c in s.columns]
    if stated != expected:
        raise _other_box(stated, expected, where)
    rows = list(dict.fromkeys(spec.shape[0] for spec in manifest.inputs))
    if certificate.family is not None and len(rows) > 1:
        raise BundleError(f"{where}: family expected inputs that share their rows, got rows {', '.join(rows)}")
    _check_outputs(certificate, {o.name: o for o in manifest.outputs if not o.diagnostic}, where)


def _other_box(stated: list[BoxEntry], expected: list[BoxEntry], where: str) -> BundleError:
    held = set(stated)
    missing = next((want for want in expected if want not in held), None)
    if missing is not None:
        got = _few("; ", map(_column, stated), len(stated))
        return BundleError(f"{where}: box expected {_column(missing)} as in manifest.json, got {got}")
    if len(stated) != len(expected):
        return BundleError(f"{where}: box expected {len(expected)} columns as in manifest.json, got {len(stated)}")
    order = _few(", ", (f"{c.input}.{c.column}" for c in expected), len(expected))
    return BundleError(f"{where}: box expected the columns in the order of manifest.json, {order}")


def _few(between: str, texts: Iterable[str], count: int) -> str:
    """The first of many texts."""
    shown = between.join(islice(texts, SHOWN))
    return shown if count <= SHOWN else f"{shown}{between}and {count - SHOWN} more"


def _column(entry: BoxEntry) -> str:
    return f"{entry.input}.{entry.column} from {entry.low!r} to {entry.high!r} {entry.unit}".rstrip()


def _check_outputs(certificate: Certificate, outputs: dict[str, OutputSpec], where: str) -> None:
    for key, entry in certificate.outputs.items():
        if entry.name not in outputs:
            raise BundleError(f"{where}: outputs: {key!a} is no output of manifest.json, or a diagnostic one")
        if entry.norm == "sup" and entry.unit != outputs[entry.name].unit:
            expected = outputs[entry.name].unit
            raise BundleError(f"{where}: outputs: unit of {key} expected {expected!a}, got {entry.unit!a}")
    for name in outputs:
        if name not in certificate.outputs:
            raise BundleError(
                f"{where}: outputs expected an entry for {name}, got {', '.join(sorted(certificate.outputs))}"
            )


def model_agrees(data: bytes, manifest: Manifest, certificate: Certificate, where: str) -> None:
    """Same hash, names, dtypes, shapes and edgepde.* facts, finite weights, no other file.

    Raises BundleError or ModelFileError.
    """
    got = model_hash(data)
    if got != manifest.model_hash:
        expected_hash = short(manifest.model_hash)
        raise BundleError(f"{where}: model_hash expected {expected_hash} as in manifest.json, got {short(got)}")
    model = _parsed(data, where)
    _check_metadata(model.metadata, certificate, where)
    _check_signature(model.graph, [*manifest.inputs, *manifest.slots], manifest.outputs, where)


def reference_agrees(data: bytes, manifest: Manifest, where: str) -> None:
    """The manifest's inputs, slots and outputs in float64, diagnostic outputs left out; finite weights, no other file.

    Raises BundleError naming `where`.
    """
    try:
        graph = _parsed(data, where).graph
    except (ModelFileError, UnsupportedModel) as error:
        raise BundleError(f"{where}: {error}") from None
    given: list[InputSpec | SlotSpec] = [*manifest.inputs, *manifest.slots]
    inputs = [replace(spec, dtype="float64") for spec in given]
    outputs = [replace(spec, dtype="float64") for spec in manifest.outputs if not spec.diagnostic]
    _check_signature(graph, inputs, outputs, where)


def _parsed(data: bytes, where: str) -> Model:
    if _EXTERNAL.search(data):
        raise BundleError(f"{where}: expected all weights inside the file, got one that names another file")
    model = parse(data)
    for name, weight in model.graph.initializers.items():
        _check_weight(weight, f"{where}: weight {name!a}")
    return model


def _check_signature(
    graph: Graph, inputs: Sequence[InputSpec | SlotSpec], outputs: Sequence[OutputSpec], where: str
) -> None:
    for label, values, specs in (("inputs", graph.inputs, inputs), ("outputs", graph.outputs, outputs)):
        found = [_words(v.name, v.dtype, v.shape) for v in values]
        expected = [_words(s.name, s.dtype, s.shape) for s in specs]
        if found != expected:
            raise BundleError(
                f"{where}: {label} expected {', '.join(expected)} as in manifest.json, got {', '.join(found)}"
            )


def facts(certificate: Certificate) -> dict[str, object]:
    """What a model file alone says of its certificate, by the key of metadata_props."""
    entries = certificate.outputs
    return {
        "edgepde.box": columns.compact([vars(entry) for entry in certificate.box], "column"),
        "edgepde.classes": {key: entry.total_class for key, entry in entries.items()},
        "edgepde.model_hash": certificate.model_hash,
        "edgepde.totals": {key: entry.total for key, entry in entries.items()},
    }


def _check_metadata(metadata: Mapping[str, str], certificate: Certificate, where: str) -> None:
    known = facts(certificate)
    for key, text in metadata.items():
        if not key.startswith("edgepde."):
            continue
        at = f"{where}: metadata_props {key!a}"
        if key not in known:
            raise BundleError(f"{at}: unknown key; known are {', '.join(known)}")
        expected = known[key]
        whole = [vars(entry) for entry in certificate.box] if key == "edgepde.box" else expected
        if (text if isinstance(expected, str) else document(text, at)) not in (expected, whole):
            told = expected if isinstance(expected, str) else json.dumps(expected, sort_keys=True)
            got = ascii(text[:_SHOWN]) + "..." * (len(text) > _SHOWN)
            raise BundleError(f"{at} expected {told} as in certificate.json, got {got}")


def _words(name: str, dtype: object, shape: object) -> str:
    sizes = ", ".join(str(n) for n in shape) if isinstance(shape, tuple | list) else "?"
    return f"{name} {dtype}[{sizes}]"


def _check_weight(weight: NDArray[np.generic], where: str) -> None:
    """Infinity only as a single number, which graphs use as a mark; the reader of the file has refused NaN."""
    if weight.dtype.kind == "f" and weight.size > 1 and not np.isfinite(weight).all():
        raise BundleError(f"{where}: expected finite values, got infinity")
