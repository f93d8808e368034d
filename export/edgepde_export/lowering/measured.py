"""A certificate from measurements alone: what stands until the bounds are proved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from edgepde_runtime.backends import Backend
from edgepde_runtime.box import Box
from edgepde_runtime.certificate import BoxEntry, Certificate, Found, OutputCertificate, index
from edgepde_runtime.errors import BackendError, UnsupportedModel
from edgepde_runtime.manifest import InputSpec, OutputSpec, SlotSpec
from edgepde_runtime.term import Term
from numpy.typing import NDArray

from edgepde.certify.search import worst_point
from edgepde.certify.steep import Steep, steepest

from .. import native
from ..bundle import UNHASHED
from ..passes.simplify import Log
from .outliers import refuse_outliers

ENGINE = "measured 1"
ASSUMPTIONS = (
    "IEEE-754 arithmetic, round to nearest",
    "measured terms: the largest value found on what is stated, times the margin stated",
)
MARGIN = 2.0
MODEL_MARGIN = 1.25
LEAST_ROWS = 100
Array = NDArray[np.floating]
Network = Callable[[Array], NDArray[np.float64]]


@dataclass(frozen=True)
class HeldOut:
    """True values y [n, ...] at x [n, d], and where they come from."""

    source: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True)
class Recorded:
    """What the training found: the largest |original network - `solution`|, and how many values were compared.

    where: on what, in words, where the search was no other.
    """

    worst: float
    solution: str
    compared: int
    where: str = ""


@dataclass(frozen=True)
class Networks:
    """The float64 networks a device is compared with: what was compressed, and what is shipped.

    narrow: what is shipped, evaluated in float32; the measure of rounding where the device itself computes in float64.
    module: what was exported, where its weights are stored in fewer bits; else that is what is shipped.
    """

    original: Network
    shipped: Network
    compressed: bool
    narrow: Network
    module: Network | None = None

    @property
    def exported(self) -> Network:
        """The module before its weights were stored."""
        return self.module or self.shipped


def load_backends(
    model: bytes, log: Log, c99: native.Signature | None = None, slots: tuple[SlotSpec, ...] = ()
) -> dict[str, Backend]:
    """The backends here that run the model; `log` hears of the others. c99: with it, the signature of the C code.

    slots: inputs of the model that cassettes fill.

    Raises UnsupportedModel with each one's reason where none runs it, or naming the node that has no C.
    """
    from edgepde_runtime import choose

    loaded: dict[str, Backend] = {}
    reasons = []
    for name in choose.available():
        try:
            loaded[name] = choose.of_model(name, model)
        except BackendError as error:
            reasons.append(str(error))
            log(f"not measured: {reasons[-1]}")
    if c99 is not None and (compiled := native.backend(model, c99, log, slots)) is not None:
        loaded[compiled.name] = compiled
    if not loaded:
        raise UnsupportedModel(f"no backend runs the graph: {'; '.join(reasons)}")
    return loaded


def certify(
    signature: tuple[InputSpec, OutputSpec],
    networks: Networks,
    backends: Mapping[str, Backend],
    points: Array,
    truth: HeldOut | Recorded | None,
) -> Certificate:
    """The certificate of a model with one input and one output; points [n, d] are numbers of the graph's dtype.

    Its hash is UNHASHED until the bundle is written.
    """
    spec, output = signature
    place = _Place.of(spec, networks, points)
    terms = {
        "compression": _compression(networks, place),
        "quantisation": _quantisation(networks, place),
        "rounding": _rounding(spec, output, networks, backends, place),
        "activation": Term(0.0, "measured", "contained in the measured rounding term"),
    }
    terms["model"], found = _model(spec, output, networks, backends, truth)
    entry = OutputCertificate.from_terms(output.name, output.unit, terms, found=found)
    box = tuple(BoxEntry(spec.name, c.name, c.unit, c.low, c.high) for c in spec.columns)
    return Certificate(UNHASHED, tuple(sorted(backends)), box, ASSUMPTIONS, ENGINE, index([entry]))


@dataclass(frozen=True)
class _Place:
    """Where a search begins: points [n, d] in float64, the network's values there, and where it is steepest."""

    box: Box
    points: NDArray[np.float64]
    values: NDArray[np.float64]
    steep: Steep

    @staticmethod
    def of(spec: InputSpec, networks: Networks, points: Array) -> _Place:
        wide = points.astype(np.float64)
        box = Box([c.low for c in spec.columns], [c.high for c in spec.columns])
        return _Place(box, wide, networks.shipped(wide), steepest(networks.shipped, wide))

    @property
    def words(self) -> str:
        return f"on {len(self.points)} points and by local search around the worst and the steepest"

    def worst(self, error: Network) -> float:
        """The largest error(x [m, d]) -> [m] found; raises UnsupportedModel where it is not finite."""
        found = worst_point(error, self.points, self.box, self.steep.points, width=self.values[0].size)
        if not np.isfinite(found.value):
            raise UnsupportedModel(
                f"output: expected finite values everywhere in the box, got NaN or infinity at {found.point.tolist()}"
            )
        return found.value


def _compression(networks: Networks, place: _Place) -> Term:
    if not networks.compressed:
        return Term(0.0, "sound", "nothing was compressed")
    worst = place.worst(lambda x: rows_apart(networks.exported(x), networks.original(x)))
    return Term(MARGIN * worst, "measured", f"twice the largest |compressed - original| in float64 {place.words}")


def _quantisation(networks: Networks, place: _Place) -> Term:
    if networks.module is None:
        return Term(0.0, "sound", "weights are stored in the graph's own precision")
    worst = place.worst(lambda x: rows_apart(networks.shipped(x), networks.exported(x)))
    return Term(MARGIN * worst, "measured", f"twice the largest |stored - exported| in float64 {place.words}")


def quantisation(spec: InputSpec, networks: Networks, points: Array) -> Term:
    """What storing the constants changes, by a search that begins at points [n, d]."""
    return _quantisation(networks, _Place.of(spec, networks, points))


def _rounding(
    spec: InputSpec, output: OutputSpec, networks: Networks, backends: Mapping[str, Backend], place: _Place
) -> Term:
    unit = float(np.finfo(output.dtype).eps) / 2
    ratio = unit / (float(np.finfo(np.float32).eps) / 2)
    narrow = networks.narrow
    names = " and ".join(sorted(backends))
    how = f"twice the largest |device - float64 network| of {names} {place.words}"
    if output.dtype == "float64":
        if narrow is None:
            return Term.not_verified("float64 against float64 shows no rounding; export the module itself")
        how += f", or of its float32 evaluation times the ratio of unit roundoffs, {ratio:.2g}"

    def error(x: Array) -> NDArray[np.float64]:
        held = x.astype(spec.dtype)
        exact = networks.shipped(held)
        rows = [rows_apart(device(b, spec, output, held), exact) for b in backends.values()]
        if output.dtype == "float64" and narrow is not None:
            coarse = x.astype(np.float32).astype(np.float64)
            rows.append(ratio * rows_apart(narrow(coarse), networks.shipped(coarse)))
        return np.asarray(np.max(rows, axis=0))

    held = place.points.astype(spec.dtype)
    exact = networks.shipped(held)
    each = {name: float(rows_apart(device(b, spec, output, held), exact).max()) for name, b in backends.items()}
    refuse_outliers(each, float(np.abs(place.values).max()), unit)
    value = max(place.worst(error), unit * float(np.abs(place.values).max()))
    input_effect = min(unit * place.steep.slope, float(np.ptp(place.values, axis=0).max()))
    if input_effect > MARGIN * value:
        value = input_effect
        how = (
            f"twice the first-order effect of rounding where the network is steepest, {place.steep.slope:.3g} per "
            f"relative change of its input; more than {how}"
        )
    return Term(MARGIN * value, "measured", how)


def _model(
    spec: InputSpec,
    output: OutputSpec,
    networks: Networks,
    backends: Mapping[str, Backend],
    held_out: HeldOut | Recorded | None,
) -> tuple[Term, Found | None]:
    if held_out is None:
        return Term.not_verified("no reference data; export with --data FILE"), None
    if isinstance(held_out, Recorded):
        among = f"among {held_out.compared} points, local search included"
        seen = f"found in training {held_out.where or among}"
        how = f"{MODEL_MARGIN:g} x the largest |original network - {held_out.solution}| {seen}"
        return Term(MODEL_MARGIN * held_out.worst, "measured", how), None
    x = held_out.x.astype(spec.dtype)
    misses = [_worst(device(b, spec, output, x), held_out.y) for b in backends.values()]
    error, row = max(misses)
    found = Found(error, {spec.name: tuple(float(v) for v in x[row])})
    if len(x) < LEAST_ROWS:
        few = f"{len(x)} held-out rows cannot speak for the box; expected at least {LEAST_ROWS}"
        return Term.not_verified(few), found
    worst, _ = _worst(networks.original(x), held_out.y)
    how = f"largest |original network - held-out value| on the {len(x)} points of {held_out.source}"
    return Term(MODEL_MARGIN * worst, "measured", f"{MODEL_MARGIN:g} x the {how}"), found


def device(backend: Backend, spec: InputSpec, output: OutputSpec, points: Array) -> NDArray[np.float64]:
    values = backend.run({spec.name: np.ascontiguousarray(points)})[output.name]
    return np.asarray(values, dtype=np.float64)


def rows_apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest |a - b| of every row."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(a - b)
    return np.asarray(difference.reshape(len(difference), -1).max(axis=1))


def _worst(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, int]:
    """The largest |a - b|, and its row."""
    rows = rows_apart(a, b)
    if not np.isfinite(rows).all():
        row = int(np.flatnonzero(~np.isfinite(rows))[0])
        raise UnsupportedModel(
            f"output: expected finite values everywhere in the box, got NaN or infinity at sample {row}"
        )
    row = int(rows.argmax())
    return float(rows[row]), row
