"""A network of one input, wherever it comes from: each output measured, proved where it can be, put in a bundle."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import onnx
from edgepde_runtime.backends import Backend
from edgepde_runtime.box import Box
from edgepde_runtime.certificate import BoxEntry, Certificate
from edgepde_runtime.errorlimits import ErrorLimits
from edgepde_runtime.errors import BudgetError, UnsupportedModel
from edgepde_runtime.limits import max_error as limits_of
from edgepde_runtime.manifest import InputSpec, OutputSpec
from edgepde_runtime.onnxfile import parse
from edgepde_runtime.term import Term
from numpy.typing import NDArray

from edgepde.certify.from_graph import from_graph
from edgepde.certify.network import Network
from edgepde.certify.prove import Lineage, Rewritten
from edgepde.certify.sensor import parse_accuracies

from .. import native
from ..bundle import BundleContent
from ..card import Notes
from ..passes.clean import serialize
from ..passes.precision import store
from . import blocks, certified, convolutions, held_out, measured, stored
from .costly import costliest
from .monitoring import check_live, monitored
from .options import Naming, Options
from .prepare import prepare
from .samples import dense_rows, golden_points, golden_rows
from .several import following, together, worst_of


@dataclass(frozen=True)
class Answer:
    """One output: what the manifest says of it, its networks in floating point and, for a bound, in real arithmetic.

    networks(): (reference, module); recorded: the model's error as known from training; data given now replace it.
    operator: what was appended between the network's field and this output, in words.
    """

    spec: OutputSpec
    values: measured.Networks
    networks: Callable[[], tuple[Network, Network]]
    recorded: measured.Recorded | None = None
    operator: str = ""


@dataclass(frozen=True)
class Plain:
    """model: as it ships, of one input. problem: in words. reference(): the float64 graph of what has a certificate."""

    model: onnx.ModelProto
    spec: InputSpec
    answers: tuple[Answer, ...]
    reference: Callable[[], onnx.ModelProto]
    problem: str
    ledger: Mapping[str, Any] | None = None

    @property
    def signature(self) -> native.Signature:
        """Inputs and outputs."""
        return (self.spec,), tuple(answer.spec for answer in self.answers)

    @property
    def certified(self) -> tuple[Answer, ...]:
        """The outputs that have an entry in the certificate."""
        return tuple(answer for answer in self.answers if not answer.spec.diagnostic)


def content(plain: Plain, box: Box, options: Options) -> BundleContent:
    """The bundle of a plain network; raises UnsupportedModel or DataError."""
    spec = plain.spec
    _check_questions(plain, box, options)
    c99, log = options.c99, options.log
    lowered = blocks.chosen(plain.model, options.blocks, c99=c99, log=log)
    convolved = convolutions.chosen(lowered.model, options.convolutions, c99=c99, log=log)
    ledger = _ledger(plain, {"blocks": lowered, "convolutions": convolved})
    plain = replace(plain, model=store(convolved.model, options.precision, options.log), ledger=ledger)
    if options.append is not None:
        check_live(plain.model, spec, plain.signature[1], box)
    as_is = options.precision == "f32" and not lowered.merged and not convolved.merged
    truths = held_out.read(options.data, box, [a.spec for a in plain.certified]) if options.data is not None else None
    width = box.dimension + sum(math.prod(n for n in a.spec.shape if isinstance(n, int)) for a in plain.answers)
    golden = golden_points(box, golden_rows(width), options.seed, np.dtype(spec.dtype))
    held = {a.spec.name: _golden_values(a, plain, as_is)(golden) for a in plain.answers}
    watch = monitored(plain.model, plain.signature, box, (golden, held), options)
    plain = replace(plain, answers=tuple(replace(a, spec=o) for a, o in zip(plain.answers, watch.outputs, strict=True)))
    points = np.concatenate([golden, golden_points(box, dense_rows(width), options.seed + 1, np.dtype(spec.dtype))])
    backends = measured.load_backends(serialize(plain.model), log, plain.signature if c99 else None)
    between = None if lowered.merged else convolved
    shared = _Shared(plain, box, replace(options, seconds=options.seconds / len(plain.certified)), backends, points)
    made = [
        _certified(answer, shared, as_is, None if truths is None else truths.get(answer.spec.name), between)
        for answer in plain.certified
    ]
    return BundleContent(
        name=(options.naming or Naming()).name,
        model=plain.model,
        inputs=(spec,),
        outputs=plain.signature[1],
        certificate=together([certificate for certificate, _ in made]),
        golden={f"input/{spec.name}": golden[watch.rows], **{f"output/{n}": y[watch.rows] for n, y in held.items()}},
        card=Notes(problem=plain.problem),
        ledger=plain.ledger,
        reference=prepare(plain.reference(), options.log) if options.reference else None,
        costly=worst_of(made, options),
        monitor=watch.monitor,
    )


@dataclass(frozen=True)
class _Shared:
    """What the outputs of one graph share: it, its backends, and the points [n, d] where searches begin."""

    plain: Plain
    box: Box
    options: Options
    backends: Mapping[str, Backend]
    points: NDArray[np.floating]

    @cached_property
    def no_c(self) -> str:
        """Why the graph has no C code; "" where it has. With the C target the code was written before."""
        return "" if self.options.c99 else native.writable(serialize(self.plain.model), self.plain.signature)


def stored_values(answer: Answer, plain: Plain, as_is: bool) -> measured.Networks:
    """The networks of an output with the weights that the graph stores."""
    return answer.values if as_is else stored.networks(answer.values, plain.model, (plain.spec, answer.spec))


def _golden_values(answer: Answer, plain: Plain, as_is: bool) -> measured.Network:
    """What a device is held against on golden inputs: for a diagnostic with the weights as they are stored."""
    return (stored_values(answer, plain, as_is) if answer.spec.diagnostic else answer.values).shipped


def _certified(
    answer: Answer,
    shared: _Shared,
    as_is: bool,
    given: measured.HeldOut | None,
    between: blocks.Chosen | None,
) -> tuple[Certificate, str]:
    """The certificate of one output, and what costs most of its error."""
    values = stored_values(answer, shared.plain, as_is)
    signature = (shared.plain.spec, answer.spec)
    truth = given if shared.options.data is not None else answer.recorded
    seen = measured.certify(signature, values, shared.backends, shared.points, truth)
    on = _device(answer, shared, values, seen)
    certificate, costly = _proved(answer, shared, seen, on, between)
    return following(certificate, answer.spec.name, answer.operator), costly


def _aims(ledger: Mapping[str, Any] | None, output: str, options: Options) -> ErrorLimits | None:
    """What the proof is to reach: the limits asked for, else those the network was compressed to."""
    if options.limits is not None or not isinstance((ledger or {}).get("max_error"), str):
        return options.limits
    try:
        stated = limits_of(dict(ledger or {})["max_error"], "ledger.json: max_error")
    except BudgetError as error:
        options.log(f"not aimed at: {error}")
        return None
    whole = stated.of(output)
    return None if whole is None else ErrorLimits({output: whole})


def _ledger(plain: Plain, lowered: Mapping[str, blocks.Chosen]) -> Mapping[str, Any] | None:
    """What was chosen in compression and, for layers in blocks and factorised convolutions, here."""
    chosen = {name: [dict(row) for row in one.ledger] for name, one in lowered.items() if one.ledger}
    return {**(plain.ledger or {}), **chosen} if chosen else plain.ledger


def _check_questions(plain: Plain, box: Box, options: Options) -> None:
    """Refuses limits and accuracies of outputs and columns there are not, before anything long is done."""
    spec = plain.spec
    if options.limits is not None:
        columns = [BoxEntry(spec.name, c.name, c.unit, c.low, c.high) for c in spec.columns]
        options.limits.check([a.spec.name for a in plain.certified], columns, "--max-error")
    if options.accuracy is not None:
        parse_accuracies(options.accuracy, box.names)


def _proved(
    answer: Answer,
    shared: _Shared,
    seen: Certificate,
    on: certified.Device,
    between: blocks.Chosen | None,
) -> tuple[Certificate, str]:
    """What was measured, with proofs in the place of measurements where every operation has a rule; what costs most."""
    plain, options, output = shared.plain, shared.options, answer.spec.name
    try:
        reference, module = answer.networks()
        graph = from_graph(parse(serialize(plain.model)).graph, output=output)
        rewritten = None if between is None else _rewritten(between, output)
    except UnsupportedModel as error:
        options.log(f"measured, not proved: {_named(plain, output)}{error}")
        return seen, ""
    lineage = Lineage(reference, module, graph, plain.spec.dtype, rewritten)
    if shared.no_c:
        options.log(f"measured, not proved: sums and functions of ort and reference; {shared.no_c}")
    on = replace(on, has_c=not shared.no_c)
    aimed = replace(options, limits=_aims(plain.ledger, output, options))
    made = certified.certificate(seen, lineage, on, shared.box, aimed)
    where = options.family or shared.box
    return made, costliest(made.outputs[output], lineage, where) if options.limits is not None else ""


def _named(plain: Plain, output: str) -> str:
    """Which output a message is about, where there are several."""
    return f"output {output}: " if len(plain.certified) > 1 else ""


def _device(answer: Answer, shared: _Shared, values: measured.Networks, seen: Certificate) -> certified.Device:
    """What the proof needs of the device; what stored constants change is measured where it is asked for."""
    plain, points = shared.plain, shared.points
    signature = (plain.spec, answer.spec)

    @cache
    def quantisation() -> Term:
        kept = seen.outputs[answer.spec.name].terms["quantisation"]
        if kept.class_ == "measured":
            return kept
        held = stored.networks(values, plain.model, signature)
        return measured.quantisation(plain.spec, held, points)

    largest = float(np.abs(values.shipped(points.astype(np.float64))).max())
    return certified.Device(signature, answer.values, shared.backends, largest, quantisation)


def _rewritten(between: blocks.Chosen, output: str) -> Rewritten | None:
    """The networks before and after convolutions were written in another way; None where none were."""
    if between.before is None:
        return None
    before, after = (from_graph(parse(serialize(m)).graph, output=output) for m in (between.before, between.model))
    return Rewritten(before, after, exact=not between.merged)
