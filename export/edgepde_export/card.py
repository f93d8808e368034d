"""card.md: what a person should know before using a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgepde_runtime.certificate import Certificate, OutputCertificate
from edgepde_runtime.manifest import InputSpec, OutputSpec
from edgepde_runtime.term import TERMS, upward


@dataclass(frozen=True)
class Notes:
    """What only the maker knows: the problem in words, devices measured on, inputs known to fail."""

    problem: str = ""
    devices: Sequence[str] = ()
    failures: Sequence[str] = ()


def render(
    name: str,
    signature: tuple[Sequence[InputSpec], Sequence[OutputSpec]],
    certificate: Certificate,
    sizes: Mapping[str, int],
    notes: Notes,
) -> str:
    """The text of card.md; sizes: bytes of the other files by name."""
    inputs, outputs = signature
    parts = [f"# {name}", notes.problem or "A neural network; nobody said which problem it solves."]
    parts += ["## Box", _table(("input", "column", "unit", "low", "high"), _box(inputs))]
    parts += [
        "## Outputs",
        _table(("output", "type", "shape", "unit", "error bound", "class"), _outputs(outputs, certificate)),
    ]
    parts += [
        "## Error by term",
        "Sup norm unless said. A sound bound holds for every input of the box; a measured one is the largest value "
        "found on what its line states, times a margin.",
    ]
    parts += [_terms(entry) for entry in certificate.outputs.values()]
    parts += ["The statement covers the backends " + ", ".join(certificate.backends) + "."]
    parts += ["## Sizes", _table(("file", "bytes"), [(file, f"{size}") for file, size in sorted(sizes.items())])]
    parts += ["## Devices measured", _list(notes.devices, "None yet; `edgepde bench` measures this one.")]
    parts += ["## Known failures", _list(notes.failures, "None known inside the box. Outside it nothing is promised.")]
    return "\n\n".join(parts) + "\n"


def _box(inputs: Sequence[InputSpec]) -> list[tuple[str, ...]]:
    return [(s.name, c.name, c.unit or "-", f"{c.low!r}", f"{c.high!r}") for s in inputs for c in s.columns]


def _outputs(outputs: Sequence[OutputSpec], certificate: Certificate) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for spec in outputs:
        entry = certificate.outputs.get(spec.name)
        bound = ("diagnostic", "-") if entry is None else (_number(entry.total), entry.total_class)
        shape = "[" + ", ".join(str(n) for n in spec.shape) + "]"
        rows.append((spec.name, spec.dtype, shape, spec.unit or "-", *bound))
    return rows


def _terms(entry: OutputCertificate) -> str:
    norm = "" if entry.norm == "sup" else f" ({entry.norm} norm)"
    rows = [(t, _number(entry.terms[t].value), entry.terms[t].class_, entry.terms[t].how) for t in TERMS]
    return f"### {entry.name}{norm}\n\n" + _table(("term", "value", "class", "how"), rows)


def _number(value: float | None) -> str:
    return "not verified" if value is None else upward(value)


def _list(items: Sequence[str], otherwise: str) -> str:
    return "\n".join(f"- {item}" for item in items) or otherwise


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
