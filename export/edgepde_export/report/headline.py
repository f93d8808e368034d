"""The top of the page: the verdict in one line, four figures, and captions that depend on what was measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from edgepde_runtime.certificate import OutputCertificate
from edgepde_runtime.latency import Latency
from edgepde_runtime.render import MARKS, size
from edgepde_runtime.term import CLASSES
from edgepde_runtime.verdict import FAIL, MEASURED, NOT_VERIFIED, PASS

from . import maps, tables, words
from .collect import Collected
from .fields import output
from .histogram import beyond

_HEADLINES = {
    PASS: "Passes: everything that was asked holds",
    FAIL: "Fails: a check does not hold",
    NOT_VERIFIED: "Not verified: something could not be checked",
}


@dataclass(frozen=True)
class Tile:
    """One figure at the top, with its unit, and a note below it."""

    name: str
    value: str
    note: str


def words_on_top(facts: Collected) -> dict[str, Any]:
    """The template's variables for the header and the captions."""
    verdict = facts.verdict
    counted = Counter(check.status for check in verdict.checks)
    return {
        "style": tables.STYLES[verdict.verdict],
        "mark": MARKS[verdict.verdict],
        "headline": _HEADLINES[verdict.verdict],
        "counted": ", ".join(f"{counted[s]} {s}" for s in (FAIL, NOT_VERIFIED, PASS, MEASURED) if counted[s]),
        "tiles": tiles(facts),
        "fields_caption": fields_caption(facts),
        "budget_caption": budget_caption(facts),
        "field_beyond": "" if facts.field_latency is None else beyond(facts.field_latency),
    }


def tiles(facts: Collected) -> list[Tile]:
    """Error bound, latency, size, and what a query saves."""
    samples: Latency = facts.verdict.samples[facts.verdict.backend]
    entries = facts.bundle.certificate.on(facts.verdict.backend).outputs.values()
    sup = [entry for entry in entries if entry.norm == "sup"]
    floor = f"{facts.query_words}; p99 {words.number(samples.p99)} µs"
    files = f"{len(tables.listed(facts.bundle)) + 1} files"
    return [
        *(_error(entry, len(sup)) for entry in sup[:1]),
        Tile("latency, p50", f"{words.number(samples.p50)} µs", floor),
        Tile("bundle", size(facts.bundle.size), files),
        *_saving(facts),
    ]


def _error(entry: OutputCertificate, outputs: int) -> Tile:
    more = f"; {outputs - 1} more below" if outputs > 1 else ""
    name = f"{'error bound' if entry.total_class in (CLASSES[0], CLASSES[-1]) else 'error'} of {entry.name}"
    if entry.total is None:
        return Tile(name, "not verified", f"a term could not be checked{more}")
    value = f"{words.bound(entry.total)} {words.unit(entry.unit)}".rstrip()
    return Tile(name, value, f"total, {entry.total_class}{more}")


def _saving(facts: Collected) -> list[Tile]:
    economy = facts.economy
    if economy.reference is None or economy.query is None:
        return []
    if economy.query >= economy.reference:
        return [Tile("against the reference", "slower", "the reference solver is the faster one")]
    ratio = words.number(economy.reference / economy.query)
    note = "" if economy.queries is None else f"pays off after {words.counted(economy.queries, 'query', 'queries')}"
    return [Tile("against the reference", f"{ratio}× faster", note)]


def fields_caption(facts: Collected) -> str:
    """Where the fields come from and how to read their colours."""
    gaps = [one.stored_gap for one in facts.shown if one.stored_gap is not None]
    text = "Predicted fields are those stored in the bundle. "
    if gaps and len(gaps) == len(facts.shown):
        unit = words.unit(output(facts.bundle).unit)
        gap = f"{words.number(max(gaps))} {unit}".rstrip()
        text = f"Predicted fields were evaluated just now; they differ from the stored ones by at most {gap}. "
    if facts.errors is None:
        return text + "There is no exact field to compare with."
    scale = maps.error_scale(facts.shown)
    if scale is None:
        return text + "They agree with the exact fields in every stored digit."
    kind = "on a logarithmic scale" if scale.log else "signed, predicted minus exact"
    return text + f"Predicted and exact share a scale per row; the error, {kind}, has one scale for all rows."


def budget_caption(facts: Collected) -> str:
    """Which limits are drawn, and what is not."""
    limits, slow = facts.limits, beyond(facts.verdict.samples[facts.verdict.backend])
    if limits.p50_us is None and limits.p99_us is None:
        return "No budget was given." + slow
    board = f" It is meant for the board {limits.board}." if limits.board else ""
    return f"Solid lines are the budget.{board}{slow}"
