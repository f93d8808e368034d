"""The page's tables and sentences, as text."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from edgepde_runtime import shelf
from edgepde_runtime.bundle import Bundle
from edgepde_runtime.cassettes import file_of
from edgepde_runtime.certificate import Found, OutputCertificate
from edgepde_runtime.certificate_rules import REFERENCE, SOLUTION
from edgepde_runtime.family import Family
from edgepde_runtime.latency import FLOOR, Latency
from edgepde_runtime.manifest import FileEntry
from edgepde_runtime.render import MARKS
from edgepde_runtime.subbox import SubBox
from edgepde_runtime.term import SENSOR, Totals
from edgepde_runtime.verdict import FAIL, MEASURED, NOT_VERIFIED, PASS, Check

from . import words
from .arrays import parameter_columns
from .collect import Collected, Economy

STYLES = {PASS: "pass", FAIL: "fail", NOT_VERIFIED: "open", MEASURED: "measured"}
CLASS_WORDS = {
    "sound": "proved for every input of the box",
    "statistical": "holds with the stated coverage",
    "measured": "seen on the stated points",
    "not verified": "could not be checked",
}
WEAK_WORDS = {
    "statistical": "statistical, for fresh draws and with the coverage stated",
    "measured": "measured, on the points stated",
    "not verified": "not verified",
}
TERM_WORDS = {
    "model": "the exact solution against the reference network",
    "compression": "the reference network against the smaller one",
    "quantisation": "weights rounded to the stored precision",
    "rounding": "arithmetic of the device",
    "activation": "the device's transcendental functions",
    SENSOR: "inputs as inaccurate as stated",
}
AGAINST_WORDS = {SOLUTION: "exact solution − device", REFERENCE: "reference network − device"}
_LONGEST_LEDGER = 20_000
_MOST_VALUES = 12
_HEADINGS = ("identity", "provenance")
_KNOWN = ("recipe", "seed", "command", "family", "problem", "recipe_sha256", "data_sha256", "config")


def check(one: Check) -> dict[str, str]:
    """A check as a row: mark, style and figures."""
    unit = {"us": "µs"}.get(one.unit, words.unit(one.unit))
    figures = ["" if v is None else words.bound(v) for v in (one.value, one.limit)]
    detail = one.detail.replace(" us,", " µs,")
    head = {"name": one.name, "status": one.status, "mark": MARKS[one.status], "style": STYLES[one.status]}
    return {**head, "value": figures[0], "limit": figures[1], "unit": unit if any(figures) else "", "detail": detail}


def tables(facts: Collected) -> dict[str, Any]:
    """Every table by name: rows of text."""
    return {
        "certificate": [
            _entry(entry, facts.verdict.backend, facts.bundle.certificate.backends)
            for entry in facts.bundle.certificate.outputs.values()
        ],
        "stated": stated(facts.bundle, facts.verdict.backend),
        "family": family(facts.bundle.certificate.family),
        "files": list(_files(facts)),
        "greedy": list(_greedy(facts)),
        "latency": list(_latency(facts)),
        "economy": _economy(facts.economy),
        "verdict": sentence(facts.economy, facts.verdict.backend),
        "provenance": list(_provenance(facts)),
        "ledger": _ledger(facts),
        "commands": commands(facts),
        "missing": list(missing(facts)),
    }


def _entry(stated: OutputCertificate, backend: str, backends: Sequence[str]) -> dict[str, Any]:
    """An entry as it holds on the backend in use; its totals on every backend where they differ; its regions."""
    entry, found = stated.on(backend), stated.found
    views = [(name, stated.on(name)) for name in backends] if stated.elsewhere else []
    return {
        "key": stated.key,
        "entry": entry,
        "terms": [(t, TERM_WORDS[t], entry.terms[t]) for t in entry.names],
        "classes": CLASS_WORDS,
        "place": "" if found is None else place(found),
        "against": "" if found is None else AGAINST_WORDS[found.against],
        "views": [(name, *_totals(view)) for name, view in views],
        "regions": [(part(region.box), *_totals(region)) for region in entry.regions],
    }


def stated(bundle: Bundle, backend: str) -> str:
    """What the sum of the terms is said to be, in words that promise no more than the weakest class of a term."""
    entries = [entry.on(backend) for entry in bundle.certificate.outputs.values()]
    named = [name for name in dict.fromkeys(name for e in entries for name in e.names)]
    weak = {c: [n for n in named if any(n in e.terms and e.terms[n].class_ == c for e in entries)] for c in WEAK_WORDS}
    what = "|exact solution − device| ≤ model + compression + quantisation + rounding + activation"
    if not any(weak.values()):
        return f"{what}, for inputs in the box; values are rounded up."
    kept = [f"{' and '.join(names)}: {WEAK_WORDS[class_]}" for class_, names in weak.items() if names]
    text = f"{what}, where every term holds; values are rounded up. No bound over the whole box: {'; '.join(kept)}."
    if bundle.manifest.slots:
        text += " This is for any cassette, the worst; what holds for one operator is the certificate in its cassette."
    return text


def place(found: Found) -> str:
    return "; ".join(f"{name} = ({_some(values)})" for name, values in found.input.items())


def _some(values: Sequence[float]) -> str:
    """All of a few values, of many the first ones and how many there are."""
    if len(values) <= _MOST_VALUES:
        return ", ".join(map(words.plain, values))
    return ", ".join(map(words.plain, values[:3])) + f", … {words.count(len(values))} values in all"


def _totals(statement: Totals) -> tuple[str, str, str, str]:
    totals = words.bound(statement.total), statement.total_class
    return (*totals, words.bound(statement.device_total), statement.device_class)


def part(box: SubBox) -> str:
    """A part of the box in words: x from 0.4 to 0.6."""
    return ", ".join(f"{name} from {words.plain(low)} to {words.plain(high)}" for name, (low, high) in box.items())


def family(inputs: Family | None) -> str:
    """Which inputs the certificate is for, "" where it is all of the box."""
    if inputs is None:
        return ""
    modes = words.counted(len(inputs.modes), "mode", "modes")
    return (
        f"The statement is for a family: inputs that are a mean plus a combination of {modes}, off by at most "
        f"{words.number(max(inputs.radius))} in a column; other inputs of the box have no bound."
    )


def _files(facts: Collected) -> Iterator[tuple[str, int, str]]:
    for name, entry in sorted(listed(facts.bundle).items()):
        yield name, entry.bytes, entry.sha256[:16]


def listed(bundle: Bundle) -> dict[str, FileEntry]:
    """Every file but manifest.json by name: the cassettes and their index too, which the manifest does not list."""
    found = dict(bundle.manifest.files)
    if bundle.cassettes:
        index = (bundle.root / shelf.INDEX).read_bytes()
        found[shelf.INDEX] = FileEntry(hashlib.sha256(index).hexdigest(), len(index))
        found |= {file_of(name): entry for name, entry in bundle.index.entries.items()}
    return found


def _greedy(facts: Collected) -> Iterator[tuple[str, ...]]:
    error, parameter = facts.arrays.greedy_error, facts.arrays.greedy_parameter
    for i in range(0 if error is None or parameter is None else len(error)):
        assert error is not None
        assert parameter is not None
        yield (str(i + 1), words.number(float(error[i])), *(words.plain(float(v)) for v in parameter[i]))


def _latency(facts: Collected) -> Iterator[tuple[str, ...]]:
    kinds: list[tuple[str, Latency]] = [
        (f"one call ({facts.query_words})", facts.verdict.samples[facts.verdict.backend])
    ]
    if facts.field_latency is not None:
        kinds.append((f"whole field ({words.count(facts.economy.points)} points)", facts.field_latency))
    for name, t in [*kinds, ("empty call (the floor)", facts.verdict.samples[FLOOR])]:
        yield (name, *(words.number(v) for v in (t.least, t.p50, t.p90, t.p99, t.spread)), words.count(len(t.samples)))


def _economy(economy: Economy) -> list[tuple[str, str, str]]:
    rows = [
        ("training, once", economy.offline, "stated by the bundle"),
        ("one solve of the reference", economy.reference, "stated by the bundle"),
        ("one query of the same field", economy.query, "p50, measured here"),
    ]
    return [(name, "not known" if s is None else words.duration(s), how) for name, s, how in rows]


def sentence(economy: Economy, backend: str) -> str:
    """What the surrogate saves, in words."""
    if economy.reference is None or economy.query is None:
        return "Break-even is not known: it needs the reference's time and a query of the same field."
    if economy.query >= economy.reference:
        times = words.number(economy.query / max(economy.reference, 1e-12))
        faster = f"The reference solver is faster than a query on {backend}, by a factor of {times}"
        return f"{faster}: training never pays off for speed."
    times = words.number(economy.reference / economy.query)
    if economy.queries is None:
        return f"A query is {times} times faster than the reference; the training's time is not known."
    after = words.counted(economy.queries, "query", "queries")
    return f"A query is {times} times faster than the reference: training has paid for itself after {after}."


def _provenance(facts: Collected) -> Iterator[tuple[str, str]]:
    manifest = facts.bundle.manifest
    yield "bundle id", facts.bundle.id
    yield "model hash", manifest.model_hash
    yield from sorted(manifest.tools.items())
    yield from _origin(facts.ledger)
    yield "certificate engine", facts.bundle.certificate.engine
    for assumption in facts.bundle.certificate.assumptions:
        yield "assumes", assumption


def _origin(where: Any) -> Iterator[tuple[str, str]]:
    """What a ledger says of recipe, seed and settings, at its top or under one of its headings."""
    if not isinstance(where, dict):
        return
    for key in _KNOWN:
        if where.get(key) is not None:
            yield key, where[key] if isinstance(where[key], str) else json.dumps(where[key], sort_keys=True)
    for heading in _HEADINGS:
        yield from _origin(where.get(heading))


def _ledger(facts: Collected) -> str:
    if not facts.ledger:
        return ""
    text = json.dumps(facts.ledger, indent=2, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _LONGEST_LEDGER else text[:_LONGEST_LEDGER] + "\n… (the rest is in ledger.json)"


def commands(facts: Collected) -> list[str]:
    """What to type to see the same again; the ledger's own command first."""
    path, flags = str(facts.path), facts.typed
    made = facts.ledger.get("command")
    return [
        *([made] if isinstance(made, str) and "\n" not in made else _training(dict(_origin(facts.ledger)))),
        shlex.join(["edgepde", "verify", path, *flags]),
        shlex.join(["edgepde", "bench", path]),
        shlex.join(["edgepde", "report", path, *flags, "--out", "report.html"]),
    ]


def _training(origin: dict[str, str]) -> list[str]:
    """How a run of a named recipe is made again; nothing for a recipe that is a user's own file."""
    if "recipe" not in origin or "recipe_sha256" in origin:
        return []
    train = ["edgepde", "train", origin["recipe"], "--seed", origin.get("seed", "0"), "--out", "run"]
    note = "  # with the settings named under Provenance" if "config" in origin else ""
    return [shlex.join(train) + note, "edgepde export run --out bundle"]


def _missing_of_zone(facts: Collected) -> Iterator[str]:
    if facts.zone is not None and facts.zone.predicted is None:
        yield "held-out cases (zone_predicted and zone_exact of report.npz)"
    if facts.zone is not None and facts.zone.error is None:
        yield "the error of every frame (zone_error of report.npz)"
    if facts.economy.reference is None or facts.economy.offline is None:
        yield "break-even (reference_seconds and offline_seconds of report.npz)"
    if not facts.ledger:
        yield "how it was compressed and trained (ledger.json)"


def missing(facts: Collected) -> Iterator[str]:
    """What the page cannot show, and for lack of what."""
    arrays = facts.arrays
    if "report.npz" not in facts.bundle.manifest.files:
        yield "report.npz: no fields, points, snapshots, convergence or break-even can be shown"
        return
    if facts.zone is not None:
        yield from _missing_of_zone(facts)
        return
    if not arrays.has_field:
        yield "predicted fields (predicted, parameters, axis0, axis1 of report.npz)"
    elif arrays.exact is None:
        yield "exact fields and error maps (exact of report.npz): the problem has no reference solution"
    if arrays.collocation is None:
        yield "collocation points (collocation of report.npz)"
    if arrays.snapshots is None and parameter_columns(facts.bundle):
        yield "snapshots (snapshots of report.npz)"
    if arrays.greedy_error is None:
        yield "greedy convergence (greedy_error of report.npz)"
    if facts.economy.reference is None or facts.economy.offline is None:
        yield "break-even (reference_seconds and offline_seconds of report.npz)"
    if not facts.ledger:
        yield "how it was compressed and trained (ledger.json)"
