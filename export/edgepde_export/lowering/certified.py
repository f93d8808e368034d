"""A proved certificate: what is proved of the C99 arithmetic, what differs on other backends, the worst error found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from edgepde_runtime.attack import Search
from edgepde_runtime.backends import Backend
from edgepde_runtime.box import Box
from edgepde_runtime.certificate import Certificate, Found, OutputCertificate, Region, index
from edgepde_runtime.certificate_rules import REFERENCE
from edgepde_runtime.errorlimits import ErrorLimits, RegionLimit
from edgepde_runtime.errors import BackendError, BudgetError
from edgepde_runtime.inputspace import InputSpace
from edgepde_runtime.manifest import InputSpec, OutputSpec
from edgepde_runtime.subbox import SubBox, place, words
from edgepde_runtime.term import SENSOR, Term
from numpy.typing import NDArray

from edgepde.certify.engine import Bound
from edgepde.certify.expanding import wide
from edgepde.certify.family import Family
from edgepde.certify.prove import Lineage, Proof, Tell, prove, widened
from edgepde.certify.rounding import RoundingBound, single_operations
from edgepde.certify.search import worst_point
from edgepde.certify.sensor import bound_sensitivity, parse_accuracies, told
from edgepde.train.progress import progress

from ..family import statement
from .instead import Instead, covering
from .measured import MARGIN, Networks, device, rows_apart
from .options import Options

ENGINE = "Taylor models of the pair 1"
FAMILY = "inputs belong to the family stated; other inputs of the box have no bound"
C99, STATED = "c99", "reference"
ROUNDS = 1
# Columns up to which inputs are searched where the worst one is known in closed form.
SEARCHED = 64
# So many of the points where proofs saw the largest differences are walked from.
SUSPECTS = 8
ASSUMPTIONS = (
    "IEEE-754 arithmetic, round to nearest, ties to even; subnormal results may be flushed to 0, subnormal "
    "inputs and weights are not read as 0",
    "inputs are numbers of the graph's type inside the box, whose ends count as rounded to that type",
    "sound rounding and activation terms are those of the C code; on ort and reference: sums in any order, the nodes "
    "as the graph states them, functions as measured",
    "float64 functions used by the analysis err by at most 4 units in the last place",
    "measured terms: the largest value found on what is stated, times the margin stated",
)


@dataclass(frozen=True)
class Device:
    """What runs the graph: its signature, the networks it is compared with, the backends here; whether C code can.

    largest: |output| where seen; quantisation(): what storing the constants changes, measured.
    """

    signature: tuple[InputSpec, OutputSpec]
    values: Networks
    backends: Mapping[str, Backend]
    largest: float
    quantisation: Callable[[], Term]
    has_c: bool = True


def certificate(measured: Certificate, lineage: Lineage, on: Device, box: Box, options: Options) -> Certificate:
    """The measured certificate with proofs in the place of measurements.

    The terms are those of the C code, where there is any, and otherwise of the backends here.
    Raises BackendError where a backend is found beyond what is stated of it.
    """
    (entry,) = (e for e in measured.outputs.values() if e.norm == "sup")
    instead = Instead(entry.terms, on.largest, entry.unit, on.quantisation, options.log)
    with _told() as tell:
        where = options.family or widened(box, lineage.dtype)
        limits = options.limits or ErrorLimits()
        proof = prove(lineage, where, options.seconds, tell, limits.of(entry.name))
        sensor = _sensor(lineage, where, options)
        parts = {words(limit.box): limit for limit in sorted(limits.within(entry.name), key=lambda one: -one.limit)}
        regions = [_region(lineage, part, measured, instead, options, tell) for part in parts.values()]
    found = _found(on, proof, options.family)
    terms = _terms(lineage, proof, instead)
    stated = covering(terms, found) if not found.backend else terms
    made = OutputCertificate.from_terms(
        entry.name,
        entry.unit,
        {"model": entry.terms["model"], **stated, **sensor},
        found=found,
        found_compression=None if proof.compression is None else float(proof.compression.found.max()),
        elsewhere={n: _elsewhere(n, lineage, proof, instead, stated, found) for n in measured.backends if n != C99},
        regions=tuple(regions),
    )
    _check_found(made)
    # without a proof the C code has a bound only where it ran
    with_c = on.has_c and (C99 in on.backends or stated["rounding"].class_ == "sound")
    covered = tuple(sorted({*measured.backends, C99})) if with_c else measured.backends
    made = made if with_c else made.on(measured.backends[0])
    family = None if options.family is None else statement(options.family)
    whole = replace(measured, backends=covered, outputs=index([made]), family=family)
    meant = () if family is None else (FAMILY,)
    return replace(whole, assumptions=(*ASSUMPTIONS, *meant), engine=ENGINE)


@contextmanager
def _told() -> Iterator[Tell]:
    """A progress bar that shows how far the worst bound is from its goal."""
    with progress("proving the error bound") as shown:
        yield lambda what, ratio: shown.note(f"{what}, worst bound {ratio:.3g} x its goal")


def _region(
    lineage: Lineage, part: RegionLimit, whole: Certificate, instead: Instead, options: Options, tell: Tell
) -> Region:
    """The terms of a part of the box that has a limit; `model` is that of the whole."""
    box = widened(_cut(part.box, whole), lineage.dtype)
    proof = prove(lineage, box, options.seconds, tell, part.limit)
    sensor = _sensor(lineage, box, options)
    return Region(part.box, {"model": instead.terms["model"], **_terms(lineage, proof, instead), **sensor})


def _cut(part: SubBox, whole: Certificate) -> Box:
    """The box with the ranges of `part` in the place of its own."""
    ranges = place(part, whole.box, "--max-error", BudgetError)
    sides = [ranges.get(i, (column.low, column.high)) for i, column in enumerate(whole.box)]
    return Box([low for low, _ in sides], [high for _, high in sides], [column.column for column in whole.box])


def _sensor(lineage: Lineage, where: Box | Family, options: Options) -> dict[str, Term]:
    """What inaccurate inputs cost, where their accuracy is stated."""
    if options.accuracy is None:
        return {}
    names = where.names if isinstance(where, Box) else [f"x{i}" for i in range(where.dimension)]
    accuracies = parse_accuracies(options.accuracy, names)
    made = bound_sensitivity(lineage.reference, where, accuracies, seconds=options.seconds)
    value = float(made.value.max())
    stated = told(accuracies)
    if not math.isfinite(value) or value >= 1e300:
        return {SENSOR: Term.not_verified(f"no finite bound on what {stated} costs")}
    how = f"sup |f(x + delta) - f(x)| for {stated}, proved on {made.boxes} boxes; a search found {made.found.max():.3g}"
    return {SENSOR: Term(value, "sound", how)}


def _found(on: Device, proof: Proof, family: Family | None) -> Found:
    """The worst |reference - device| reached: on the C code where it was compiled, else on another backend."""
    spec, output = on.signature
    name = C99 if C99 in on.backends else next(iter(on.backends))
    backend = on.backends[name]
    low, high = (np.array([getattr(c, side) for c in spec.columns]) for side in ("low", "high"))
    space = InputSpace((spec,), low, high, family=None if family is None else statement(family))
    width = math.prod(n for n in output.shape if isinstance(n, int))

    def error(x: NDArray[np.floating]) -> NDArray[np.float64]:
        held = x.astype(spec.dtype)
        return rows_apart(device(backend, spec, output, held), on.values.original(held))

    def at(places: NDArray[np.float64]) -> NDArray[np.float64]:
        arrays, valid = space.inputs(places)
        return np.where(valid, error(arrays[spec.name]), 0.0)[:, None]

    best: list[tuple[float, NDArray[np.floating]]] = []
    if space.dimension <= SEARCHED or not proof.exact:
        searched = Search(at, space.dimension, width=width).run(rounds=ROUNDS)
        best.append((float(searched.value[0]), space.inputs(searched.place)[0][spec.name][0]))
    suspects = proof.suspects if family is not None else np.clip(proof.suspects, low, high)
    values = error(suspects)
    best += [(float(v), x) for v, x in zip(values, suspects.astype(spec.dtype), strict=True)]
    if family is None:
        most = suspects[np.argsort(-values, kind="stable")[:SUSPECTS]]
        near = worst_point(error, suspects, Box(low.tolist(), high.tolist()), most, width=width)
        best.append((near.value, near.point.astype(spec.dtype)))
    worst, point = max(best, key=lambda pair: pair[0])
    place = {spec.name: tuple(float(v) for v in point)}
    return Found(worst, place, against=REFERENCE, backend="" if name == C99 else name)


def _check_found(entry: OutputCertificate) -> None:
    found = entry.found
    bound = None if found is None else entry.bound_on(found)
    if found is not None and bound is not None and found.value > bound:
        where = found.backend or "the C code"
        raise BackendError(
            f"output {entry.name}: {where} is off by {found.value:.6g} at {dict(found.input)}, beyond the "
            f"{bound:.6g} stated, which is a fault of ours; nothing was written"
        )


def _terms(lineage: Lineage, proof: Proof, instead: Instead) -> dict[str, Term]:
    """The terms after `model`; one whose bound is not finite, or of no use, is as measured."""
    terms = {"compression": instead.terms["compression"]}
    if proof.compression is not None:
        terms["compression"] = _difference("compression", proof.compression, "|original - compressed|", instead)
    terms["quantisation"] = _difference("quantisation", proof.quantisation, "|module - graph as stored|", instead)
    order = f"{lineage.dtype}, the C code's order of sums"
    return {**terms, **_arithmetic(proof.rounding, order, instead, _passed(lineage))}


def _difference(name: str, bound: Bound, what: str, instead: Instead) -> Term:
    value = float(bound.value.max())
    if why := instead.useless(name, value):
        return instead.of(name, why)
    if not value and not bound.boxes:
        return Term(0.0, "sound", f"{what} is 0: both are the same")
    stopped = "" if bound.finished else ", stopped by its time"
    how = f"sup {what} over the box, proved on {bound.boxes} boxes{stopped}; a search found {bound.found.max():.3g}"
    return Term(value, "sound", how)


def _passed(lineage: Lineage) -> str:
    """How errors reach the outputs in the proof."""
    return "carried forwards to all outputs" if wide(lineage.graph) else "weighted by the adjoint"


def _arithmetic(made: RoundingBound, order: str, instead: Instead, passed: str) -> dict[str, Term]:
    rounding, activation = float((made.rounding).max()), float(made.activation.max())
    if why := instead.useless("rounding", rounding + activation):
        return {"rounding": instead.of("rounding", why), "activation": instead.terms["activation"]}
    reached = f"the same at single points is {made.at_points[0].max():.3g}"
    how = f"{order}, {passed}, proved on {made.boxes} boxes; {reached}"
    return {
        "rounding": Term(rounding, "sound", how),
        "activation": Term(activation, "sound", f"errors of the functions as swept or proved, {passed}"),
    }


def _elsewhere(
    backend: str, lineage: Lineage, proof: Proof, instead: Instead, stated: Mapping[str, Term], found: Found
) -> dict[str, Term]:
    """Rounding in any order is proved; what the library makes of functions and nodes is measured, rounding included.

    Only numpy computes the nodes as they are stated: there a network without functions is sound.
    """
    terms = _arithmetic(proof.any_order, "sums in any order", replace(instead, log=_unheard), _passed(lineage))
    if terms["rounding"].class_ == "sound":
        if backend == STATED and single_operations(lineage.graph, lineage.dtype):
            return terms
        seen = instead.terms["rounding"]
        terms["activation"] = replace(seen, how=f"{seen.how}; of that the library's functions are a part")
    own = terms["activation"]
    if own.value is not None and found.backend == backend:
        known = sum(stated[name].value or 0.0 for name in ("compression", "quantisation"))
        missing = MARGIN * (found.value - known - (terms["rounding"].value or 0.0))
        terms["activation"] = replace(own, value=max(own.value, missing))
    return terms


def _unheard(_: str) -> None:
    """The same was said of the C code's order."""
