"""What a bundle was exported with, read off its own files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from edgepde_runtime import library
from edgepde_runtime.bundle import REFERENCE, Bundle
from edgepde_runtime.certificate import OutputCertificate
from edgepde_runtime.errors import BundleError, InputError
from edgepde_runtime.onnxfile import parse
from edgepde_runtime.onnxmodel import Graph
from edgepde_runtime.term import SENSOR, weakest

from edgepde.certify.family import Family

from ..lowering.options import Naming
from ..native import TARGET
from .outputs import extra

LEDGER = "ledger.json"
FACTORIZED = "factorized_conv"


@dataclass(frozen=True)
class Settings:
    """ledger: as it was written, empty without one. kept: the options of export() that the new bundle has too."""

    naming: Naming
    ledger: Mapping[str, Any]
    kept: Mapping[str, Any]

    @property
    def max_error(self) -> str | None:
        """The error the network was compressed to, as it was typed; None where it was not compressed."""
        stated = self.ledger.get("max_error")
        return str(stated) if isinstance(stated, str | float | int) else None

    @property
    def method(self) -> str:
        """The form that was asked for in compression."""
        return str(self.ledger.get("method", "auto"))


def settings(bundle: Bundle, residual: str | None = None, accuracy: str | None = None) -> Settings:
    """residual: the equation, where the bundle does not say how to find it; accuracy: of inputs, which it never says.

    Raises BundleError naming the file that cannot be read, InputError where either must be given.
    """
    if accuracy is None and any(SENSOR in entry.terms for entry in _sup(bundle)):
        raise InputError(
            f"{bundle.root}: its certificate has a term for inaccurate inputs, and does not say how inaccurate; give "
            "--input-accuracy again"
        )
    manifest, ledger = bundle.manifest, read_ledger(bundle)
    names = manifest.files
    c99 = any(name.startswith("c99/") for name in names)
    spec, first = manifest.inputs[0], manifest.outputs[0]
    kept = {
        "targets": ("onnx", TARGET) if c99 else ("onnx",),
        "cc": tuple(sorted(library.triples(names))),
        "precision": precision(parse(bundle.model).graph),
        "blocks": _asked(ledger, "blocks"),
        "convolutions": _asked(ledger, "convolutions"),
        "family": _family(bundle),
        "with_reference": REFERENCE in names,
        "input_accuracy": accuracy,
        "min_class": weakest(entry.device_class for entry in _sup(bundle)),
        **extra(bundle, ledger, residual),
    }
    if kept["min_class"] == "not verified":
        kept["min_class"] = None
    return Settings(Naming(manifest.name, spec.name, first.name, first.unit), ledger, kept)


def read_ledger(bundle: Bundle) -> Mapping[str, Any]:
    """ledger.json as it is, empty without one; raises BundleError naming the file where it is no JSON object."""
    if LEDGER not in bundle.manifest.files:
        return {}
    where = bundle.root / LEDGER
    try:
        ledger = json.loads(bundle.content(LEDGER))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: expected JSON, {error}") from None
    if not isinstance(ledger, dict):
        raise BundleError(f"{where}: expected a JSON object, got {type(ledger).__name__}")
    return ledger


def precision(graph: Graph) -> str:
    """How the weights of a graph are stored: what its Casts of constants cast from."""
    halves, others = np.dtype(np.float16), {np.dtype(np.int8), np.dtype(np.uint8)}
    held = graph.initializers
    cast = {held[n.inputs[0]].dtype for n in graph.nodes if n.op_type == "Cast" and n.inputs[0] in held}
    factors = {held[name].dtype for n in graph.nodes if n.op_type == FACTORIZED for name in n.inputs if name in held}
    if cast & others:
        return "i8w"
    return "f16w" if halves in cast | factors else "f32"


def _asked(ledger: Mapping[str, Any], name: str) -> str:
    """The way that was asked for, for every layer alike; auto where it was measured."""
    rows = ledger.get(name)
    ways = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    asked = {str(row.get("form")) for row in ways if str(row.get("why", "")).startswith("asked for")}
    return asked.pop() if len(asked) == 1 else "auto"


def _family(bundle: Bundle) -> Family | None:
    stated = bundle.certificate.family
    if stated is None:
        return None
    return Family(stated.mean, stated.modes, stated.low, stated.high, stated.radius)


def _sup(bundle: Bundle) -> list[OutputCertificate]:
    return [entry for entry in bundle.certificate.outputs.values() if entry.norm == "sup"]
