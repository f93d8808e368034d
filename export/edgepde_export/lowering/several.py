"""Certificates of the outputs of one graph as one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgepde_runtime.certificate import Certificate, index

from . import measured
from .options import Options


def together(parts: Sequence[Certificate]) -> Certificate:
    """One certificate with an entry per output; it covers the backends that each of them covers.

    An entry whose terms are of a backend that is not covered is stated for the first that is.
    """
    if len(parts) == 1:
        return parts[0]
    covered = tuple(name for name in parts[0].backends if all(name in part.backends for part in parts))
    entries = []
    for part in parts:
        lost = set(part.backends) - set(covered)
        for entry in part.outputs.values():
            kept = entry.on(covered[0]) if lost else entry
            entries.append(kept)
    proved = next((part for part in parts if part.engine != measured.ENGINE), parts[0])
    assumptions = dict.fromkeys(text for part in (proved, *parts) for text in part.assumptions)
    return replace(proved, backends=covered, outputs=index(entries), assumptions=tuple(assumptions))


def worst_of(made: Sequence[tuple[Certificate, str]], options: Options) -> str:
    """What costs most in the output that is farthest above its limit, or nearest to it."""

    def share(part: tuple[Certificate, str]) -> float:
        (entry,) = (e for e in part[0].outputs.values() if e.norm == "sup")
        limit = None if options.limits is None else options.limits.of(entry.name)
        return 0.0 if limit is None or entry.device_total is None else entry.device_total / limit

    return max(made, key=share)[1]


def following(certificate: Certificate, name: str, operator: str) -> Certificate:
    """The certificate of an output that was appended, saying what its terms are of; unchanged where none was."""
    if not operator:
        return certificate
    entry = certificate.outputs[name]
    model = entry.terms["model"]
    terms = {**entry.terms, "model": replace(model, how=f"{model.how}; the reference is {operator}")}
    return replace(certificate, outputs={**certificate.outputs, name: replace(entry, terms=terms)})
