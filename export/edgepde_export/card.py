"""card.md: what a person should know before using a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgepde_runtime import columns
from edgepde_runtime.certificate import BoxEntry, Certificate, Found, OutputCertificate
from edgepde_runtime.certificate_rules import REFERENCE
from edgepde_runtime.family import Family
from edgepde_runtime.manifest import SHOWN, InputSpec, OutputSpec
from edgepde_runtime.monitor import HEADER, Monitor, thresholds
from edgepde_runtime.subbox import words
from edgepde_runtime.term import Term, upward


@dataclass(frozen=True)
class Table:
    """A table of a family's own, below its title."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Notes:
    """What only the maker knows: the problem in words, devices measured on, inputs known to fail, tables of its own."""

    problem: str = ""
    devices: Sequence[str] = ()
    failures: Sequence[str] = ()
    tables: Sequence[Table] = ()


def render(
    name: str,
    signature: tuple[Sequence[InputSpec], Sequence[OutputSpec]],
    certificate: Certificate,
    sizes: Mapping[str, int],
    notes: Notes,
    monitor: Monitor | None = None,
) -> str:
    """The text of card.md; sizes: bytes of the other files by name. monitor: how a residual's threshold was found."""
    inputs, outputs = signature
    where = "box" if certificate.family is None else "family below, and for no other"
    parts = [f"# {name}", notes.problem or "A neural network; nobody said which problem it solves."]
    parts += ["## Box", _table(("input", "column", "unit", "low", "high"), _box(inputs))]
    parts += [
        "## Outputs",
        _table(("output", "type", "shape", "unit", "error bound", "class"), _outputs(outputs, certificate)),
    ]
    parts += [part for own in notes.tables for part in (f"## {own.title}", _table(own.head, own.rows))]
    parts += [
        *_monitor(outputs, monitor),
        "## Error by term",
        f"Sup norm unless said. A sound bound holds for every input of the {where}; a measured one is the largest "
        "value found on what its line states, times a margin.",
    ]
    parts += [_terms(entry, certificate.box) for entry in certificate.outputs.values()]
    parts += [] if certificate.family is None else [_family(certificate.family)]
    parts += ["The statement covers the backends " + ", ".join(certificate.backends) + "."]
    parts += ["## Sizes", _table(("file", "bytes"), [(file, f"{size}") for file, size in sorted(sizes.items())])]
    parts += ["## Devices measured", _list(notes.devices, "None yet; `edgepde bench` measures this one.")]
    parts += ["## Known failures", _list(notes.failures, "None known inside the box. Outside it nothing is promised.")]
    return "\n\n".join(parts) + "\n"


def _box(inputs: Sequence[InputSpec]) -> list[tuple[str, ...]]:
    return [
        (s.name, columns.spelled(c, "name"), c["unit"] or "-", f"{c['low']!r}", f"{c['high']!r}")
        for s in inputs
        for c in columns.compact([vars(c) for c in s.columns], "name")
    ]


def _outputs(outputs: Sequence[OutputSpec], certificate: Certificate) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for spec in outputs:
        entry = certificate.outputs.get(spec.name)
        bound = ("diagnostic", "-") if entry is None else (_number(entry.total), entry.total_class)
        shape = "[" + ", ".join(str(n) for n in spec.shape) + "]"
        rows.append((spec.name, spec.dtype, shape, spec.unit or "-", *bound))
    return rows


def _monitor(outputs: Sequence[OutputSpec], monitor: Monitor | None) -> list[str]:
    rows = thresholds(outputs, monitor)
    text = "A row whose residual is above its threshold has flag 4 and no error bound."
    return ["## Monitor", text, _table(HEADER, rows)] if rows else []


def _terms(entry: OutputCertificate, box: Sequence[BoxEntry]) -> str:
    norm = "" if entry.norm == "sup" else f" ({entry.norm} norm)"
    head = ("term", "value", "class", "how")
    parts = [f"### {entry.name}{norm}", _table(head, [_term(name, entry.terms[name]) for name in entry.names])]
    for backend, terms in entry.elsewhere.items():
        view = entry.on(backend)
        parts += [f"On `{backend}` instead, total {_number(view.total)} ({view.total_class}):"]
        parts += [_table(head, [_term(name, term) for name, term in terms.items()])]
    if entry.regions:
        rows = [
            (words(r.box), _number(r.total), r.total_class, _number(r.device_total), r.device_class)
            for r in entry.regions
        ]
        named = ("part of the box", "total", "class", "after model", "class")
        parts += ["Parts of the box with a bound of their own:", _table(named, rows)]
    if entry.found is not None:
        parts += [_found(entry, entry.found, box)]
    return "\n\n".join(parts)


def _term(name: str, term: Term) -> tuple[str, ...]:
    return (name, _number(term.value), term.class_, term.how)


def _found(entry: OutputCertificate, found: Found, box: Sequence[BoxEntry]) -> str:
    names = [c.column for c in box]
    values = [v for name in dict.fromkeys(c.input for c in box) for v in found.input[name]]
    place = ", ".join(f"{name} = {value:.6g}" for name, value in list(zip(names, values, strict=True))[:SHOWN])
    place += f" and {len(names) - SHOWN} more in certificate.json" if len(names) > SHOWN else ""
    what = "reference network - device" if found.against == REFERENCE else "exact solution - device"
    ratio = "" if entry.tightness_total is None else f"; bound / found = {entry.tightness_total:.3g}"
    return f"The worst |{what}| a search reached is {upward(found.value)}, at {place}{ratio}."


def _family(family: Family) -> str:
    modes = len(family.modes)
    ranges = ", ".join(f"{low!r} to {high!r}" for low, high in zip(family.low, family.high, strict=True))
    return (
        f"The family: the bound holds for inputs mean + a_1 mode_1 + ... + a_{modes} mode_{modes} + e alone, "
        f"a in {ranges} and |e| at most {max(family.radius)!r}; other inputs of the box have none."
    )


def _number(value: float | None) -> str:
    return "not verified" if value is None else upward(value)


def _list(items: Sequence[str], otherwise: str) -> str:
    return "\n".join(f"- {item}" for item in items) or otherwise


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
