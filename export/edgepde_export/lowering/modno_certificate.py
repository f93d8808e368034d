"""The certificate of one operator, and of a bundle of several: what is promised of fresh draws, what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.backends import Backend
from edgepde_runtime.certificate import BoxEntry, Certificate, OutputCertificate, index
from edgepde_runtime.manifest import InputSpec, OutputSpec
from edgepde_runtime.monitor import fewest, rank
from edgepde_runtime.term import TERMS, Term, upward, weakest
from numpy.typing import NDArray

from ..bundle import UNHASHED
from .measured import ASSUMPTIONS, ENGINE, MARGIN, device, rows_apart
from .modno_held_out import Draws
from .outliers import refuse_outliers

LEVEL = 0.01
PROMISED = (
    "the statistical term holds for fresh draws like those it was calibrated on, not for every input of the box",
    "rounding is measured: the canonical frame divides by the size of an input's leading mode and is not turned where "
    "that is small, and a device may decide this choice in another way than real arithmetic where it is close",
)
Array = NDArray[np.float64]
Signature = tuple[InputSpec, OutputSpec]


@final
@dataclass(frozen=True, eq=False)
class Compared:
    """Draws; the field [N, T, n] by the run and by what is stored of it, on the bundle's grid, in float64.

    solved: the run's field where the draws' solution is known, [N, T', n'].
    """

    draws: Draws
    run: Array
    stored: Array
    solved: Array | None

    @property
    def scores(self) -> Array:
        """The largest |run - solution| of every draw; none without a solution."""
        if self.solved is None or self.draws.field is None:
            return np.zeros(0)
        return rows_apart(self.solved, self.draws.field)

    @property
    def relative(self) -> Array:
        """The relative L2 error of every draw."""
        if self.solved is None or self.draws.field is None:
            return np.zeros(0)
        wrong, size = (np.sqrt((v**2).sum((1, 2))) for v in (self.solved - self.draws.field, self.draws.field))
        return np.asarray(wrong / np.maximum(size, 1e-300))

    @property
    def words(self) -> str:
        """How far the run is from the solution."""
        found = self.relative
        if not found.size:
            return "no held-out cases"
        draws, wanted = self.draws, fewest(LEVEL)
        size = f"relative L2 {100 * found.mean():.3g} % in the mean of {found.size} {draws.source} {draws.where}"
        if draws.unknown:
            return f"{size}; no model term: {draws.unknown}"
        return size if found.size >= wanted else f"{size}; {_few(draws, found.size)}"


def certify(signature: Signature, backends: Mapping[str, Backend], found: Compared) -> Certificate:
    """One sup entry for the field, in the box of the operator; UNHASHED until written."""
    spec, output = signature
    terms = {
        "model": _model(found),
        "compression": Term(0.0, "sound", "nothing was compressed after training"),
        "quantisation": _quantisation(found),
        "rounding": _rounding(spec, output, backends, found),
        "activation": Term(0.0, "measured", "contained in the measured rounding term"),
    }
    return _certificate(signature, tuple(sorted(backends)), terms)


def whole(signature: Signature, parts: Sequence[Certificate]) -> Certificate:
    """What holds whichever of the operators is in use: the largest of every term, in the weakest class."""
    output, count, terms = signature[1], f"{len(parts)} operators", {}
    for term in TERMS:
        held = [part.outputs[output.name].terms[term] for part in parts]
        values = [t.value for t in held if t.value is not None]
        if len(values) < len(held):
            terms[term] = Term.not_verified(f"one of {count} has none; see each one's own statement")
        else:
            worst = max(held, key=lambda t: t.value or 0.0)
            alike = len(set(held)) == 1
            how = worst.how if alike else f"the largest of {count}, each with its own statement: {worst.how}"
            terms[term] = Term(worst.value, weakest(t.class_ for t in held), how)
    return _certificate(signature, parts[0].backends, terms)


def _certificate(signature: Signature, backends: tuple[str, ...], terms: Mapping[str, Term]) -> Certificate:
    spec, output = signature
    entry = OutputCertificate.from_terms(output.name, output.unit, terms)
    box = tuple(BoxEntry(spec.name, c.name, c.unit, c.low, c.high) for c in spec.columns)
    return Certificate(UNHASHED, backends, box, (*ASSUMPTIONS, *PROMISED), ENGINE, index([entry]))


def _model(found: Compared) -> Term:
    """Split conformal: the ceil((n + 1)(1 - level))-th smallest error of n draws bounds that of a fresh one."""
    scores, draws = found.scores, found.draws
    if draws.unknown:
        return Term.not_verified(draws.unknown)
    if len(scores) < fewest(LEVEL):
        few = _few(draws, len(scores))
        if not len(scores):
            return Term.not_verified(few)
        how = f"{MARGIN:g} x the largest |run - solution| {draws.where} of {draws.source}; only {few}"
        return Term(float(MARGIN * scores.max()), "measured", how)
    value = float(np.sort(scores)[rank(len(scores), LEVEL) - 1])
    how = (
        f"largest |run - solution| {draws.where} of a fresh draw inside the box, with probability {1 - LEVEL:g}: split "
        f"conformal calibration on {len(scores)} {draws.source}{draws.refused}"
    )
    return Term(value, "statistical", how)


def _few(draws: Draws, count: int) -> str:
    wanted = fewest(LEVEL)
    return f"{count} held-out cases; a promise at {100 * (1 - LEVEL):g} % takes {wanted}{draws.advice(wanted)}"


def _quantisation(found: Compared) -> Term:
    apart = float(rows_apart(found.stored, found.run).max())
    how = f"{MARGIN:g} x the largest |stored - run| in float64 on {len(found.run)} {found.draws.source}"
    return Term(MARGIN * apart, "measured", how)


def _rounding(spec: InputSpec, output: OutputSpec, backends: Mapping[str, Backend], found: Compared) -> Term:
    each = {
        name: float(rows_apart(device(backend, spec, output, found.draws.sensors), found.stored).max())
        for name, backend in backends.items()
    }
    unit, size = float(np.finfo(output.dtype).eps) / 2, float(np.abs(found.stored).max())
    refuse_outliers(each, size, unit)
    names = " and ".join(sorted(backends))
    how = f"{MARGIN:g} x the largest |device - float64| of {names} on {len(found.stored)} {found.draws.source}"
    return Term(MARGIN * max(*each.values(), unit * size), "measured", how)


def in_words(term: Term) -> str:
    """A bound with its class."""
    return "not verified" if term.value is None else f"{upward(term.value)} ({term.class_})"
