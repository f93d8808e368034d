"""Everything the page says, read from the bundle or measured on this machine."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgepde_runtime import bundle as bundles
from edgepde_runtime import machine
from edgepde_runtime.bundle import Bundle
from edgepde_runtime.errors import BundleError, OutOfBox
from edgepde_runtime.latency import Latency, measure
from edgepde_runtime.limits import Limits
from edgepde_runtime.model import Model
from edgepde_runtime.verbs.timing import rows_in_words
from edgepde_runtime.verbs.verify import VerifyOptions, VerifyReport, verify

from . import arrays as stored
from . import blocks, fields, zone
from .arrays import Arrays
from .fields import Errors, Shown


@dataclass(frozen=True)
class Economy:
    """Seconds of training, of one reference solve and of one query of the same field; None where unknown."""

    offline: float | None
    reference: float | None
    query: float | None
    points: int

    @property
    def break_even(self) -> float | None:
        """Queries n with offline + n query = n reference; None where unknown or where a query saves nothing."""
        if self.offline is None or self.reference is None or self.query is None or self.query >= self.reference:
            return None
        return self.offline / (self.reference - self.query)

    @property
    def queries(self) -> int | None:
        """The break-even in whole queries, at least 1."""
        return None if self.break_even is None else max(1, math.ceil(self.break_even))


@dataclass(frozen=True)
class Collected:
    """The facts of one page; `field_latency`: one query of a whole field, None where it cannot be asked for."""

    path: Path
    typed: Sequence[str]
    bundle: Bundle
    limits: Limits
    verdict: VerifyReport
    arrays: Arrays
    errors: Errors | None
    shown: list[Shown]
    query_words: str
    field_latency: Latency | None
    economy: Economy
    ledger: dict[str, Any]
    layers: list[blocks.Layer]
    zone: zone.Zone | None
    machine: dict[str, object]
    when: str


def collect(path: Path, options: VerifyOptions, typed: Sequence[str] = ()) -> Collected:
    """Open, verify and measure a bundle; `typed` are the flags that asked for the limits, to repeat them.

    Raises BundleError for a bundle that breaks a rule, BackendError, BudgetError.
    """
    bundle = bundles.read(path)
    arrays = stored.read(bundle)
    around = zone.read(bundle)
    ledger = _ledger(bundle)
    verdict = verify(path, options)
    if not verdict.samples:
        raise BundleError(verdict.checks[0].detail)
    measured = fields.errors(arrays)
    latency = _field_latency(bundle, verdict.backend, arrays, options.seconds)
    return Collected(
        path=path,
        typed=typed,
        bundle=bundle,
        limits=options.limits,
        verdict=verdict,
        arrays=arrays,
        errors=measured,
        shown=fields.shown(bundle, verdict.backend, arrays),
        query_words=rows_in_words(bundle, options.limits.batch),
        field_latency=latency,
        economy=_economy(arrays, latency, around, verdict),
        ledger=ledger,
        layers=blocks.layers(bundle.model),
        zone=around,
        machine=machine.describe(),
        when=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _field_latency(bundle: Bundle, backend: str, arrays: Arrays, seconds: float) -> Latency | None:
    """Times of one query for the field of the middle parameter; None where it cannot be asked for."""
    asked = fields.query(bundle, arrays, 0 if arrays.parameters is None else len(arrays.parameters) // 2)
    if asked is None:
        return None
    try:
        call = Model(bundle, backend, "raise", False).bind(**asked)
        return measure({"field": call}, seconds)["field"]
    except OutOfBox:
        return None


def _economy(arrays: Arrays, latency: Latency | None, around: zone.Zone | None, verdict: VerifyReport) -> Economy:
    """A call of a zone's simulator is a query of its whole field."""

    def seconds(value: stored.Array | None) -> float | None:
        return None if value is None else float(value)

    points = 0 if arrays.predicted is None else arrays.predicted[0].size
    if around is not None:
        points, latency = around.cells, verdict.samples[verdict.backend]
    query = None if latency is None else latency.p50 * 1e-6
    return Economy(seconds(arrays.offline_seconds), seconds(arrays.reference_seconds), query, points)


def _ledger(bundle: Bundle) -> dict[str, Any]:
    """ledger.json as it is; empty without one. Raises BundleError naming the file where it is no JSON object."""
    if "ledger.json" not in bundle.manifest.files:
        return {}
    where = bundle.root / "ledger.json"
    try:
        ledger = json.loads(bundle.content("ledger.json"))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: expected JSON, got {error}") from None
    if not isinstance(ledger, dict):
        raise BundleError(f"{where}: expected a JSON object, got {type(ledger).__name__}")
    return ledger
