"""A network of one input and one output, wherever it comes from: measured, proved where it can be, put in a bundle."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
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
from .options import Naming, Options
from .prepare import prepare
from .samples import dense_rows, golden_points, golden_rows


@dataclass(frozen=True)
class Plain:
    """model: as it ships. values: the networks in floating point; networks(): (reference, module) in real arithmetic.

    reference(): the float64 graph of the reference. problem: in words. recorded: the model's error as known from
    training; data given now replace it.
    """

    model: onnx.ModelProto
    signature: tuple[InputSpec, OutputSpec]
    values: measured.Networks
    networks: Callable[[], tuple[Network, Network]]
    reference: Callable[[], onnx.ModelProto]
    problem: str
    ledger: Mapping[str, Any] | None = None
    recorded: measured.Recorded | None = None


def content(plain: Plain, box: Box, options: Options) -> BundleContent:
    """The bundle of a plain network; raises UnsupportedModel or DataError."""
    spec, output = plain.signature
    _check_questions(plain.signature, box, options)
    c99, log = options.c99, options.log
    lowered = blocks.chosen(plain.model, options.blocks, c99=c99, log=log)
    convolved = convolutions.chosen(lowered.model, options.convolutions, c99=c99, log=log)
    ledger = _ledger(plain, {"blocks": lowered, "convolutions": convolved})
    plain = replace(plain, model=store(convolved.model, options.precision, options.log), ledger=ledger)
    as_is = options.precision == "f32" and not lowered.merged and not convolved.merged
    values = plain.values if as_is else stored.networks(plain.values, plain.model, plain.signature)
    truth = plain.recorded if options.data is None else held_out.read(options.data, box, output.shape)
    width = box.dimension + math.prod(n for n in output.shape if isinstance(n, int))
    golden = golden_points(box, golden_rows(width), options.seed, np.dtype(spec.dtype))
    points = np.concatenate([golden, golden_points(box, dense_rows(width), options.seed + 1, np.dtype(spec.dtype))])
    with_c = ((spec,), (output,)) if options.c99 else None
    backends = measured.load_backends(serialize(plain.model), options.log, with_c)
    seen = measured.certify(plain.signature, values, backends, points, truth)
    between = None if lowered.merged else convolved
    on = _device(plain, values, backends, seen, points)
    certificate, costly = _proved(plain, seen, on, box, options, between)
    return BundleContent(
        name=(options.naming or Naming()).name,
        model=plain.model,
        inputs=(spec,),
        outputs=(output,),
        certificate=certificate,
        golden={f"input/{spec.name}": golden, f"output/{output.name}": plain.values.shipped(golden)},
        card=Notes(problem=plain.problem),
        ledger=plain.ledger,
        reference=prepare(plain.reference(), options.log) if options.reference else None,
        costly=costly,
    )


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


def _check_questions(signature: tuple[InputSpec, OutputSpec], box: Box, options: Options) -> None:
    """Refuses limits and accuracies of outputs and columns there are not, before anything long is done."""
    spec, output = signature
    if options.limits is not None:
        columns = [BoxEntry(spec.name, c.name, c.unit, c.low, c.high) for c in spec.columns]
        options.limits.check([output.name], columns, "--max-error")
    if options.accuracy is not None:
        parse_accuracies(options.accuracy, box.names)


def _proved(
    plain: Plain,
    seen: Certificate,
    on: certified.Device,
    box: Box,
    options: Options,
    between: blocks.Chosen | None,
) -> tuple[Certificate, str]:
    """What was measured, with proofs in the place of measurements where every operation has a rule; what costs most."""
    spec, output = plain.signature
    try:
        reference, module = plain.networks()
        graph = from_graph(parse(serialize(plain.model)).graph)
        rewritten = None if between is None else _rewritten(between)
    except UnsupportedModel as error:
        options.log(f"measured, not proved: {error}")
        return seen, ""
    lineage = Lineage(reference, module, graph, spec.dtype, rewritten)
    # With the C target the code was written before it was measured.
    no_c = "" if options.c99 else native.writable(serialize(plain.model), ((spec,), (output,)))
    if no_c:
        options.log(f"measured, not proved: sums and functions of ort and reference; {no_c}")
    on = replace(on, has_c=not no_c)
    aimed = replace(options, limits=_aims(plain.ledger, output.name, options))
    made = certified.certificate(seen, lineage, on, box, aimed)
    where = options.family or box
    return made, costliest(made.outputs[output.name], lineage, where) if options.limits is not None else ""


def _device(
    plain: Plain,
    values: measured.Networks,
    backends: Mapping[str, Backend],
    seen: Certificate,
    points: NDArray[np.floating],
) -> certified.Device:
    """What the proof needs of the device; what stored constants change is measured where it is asked for."""
    spec, output = plain.signature

    @cache
    def quantisation() -> Term:
        kept = seen.outputs[output.name].terms["quantisation"]
        if kept.class_ == "measured":
            return kept
        held = stored.networks(values, plain.model, plain.signature)
        return measured.quantisation(spec, held, points)

    largest = float(np.abs(values.shipped(points.astype(np.float64))).max())
    return certified.Device(plain.signature, plain.values, backends, largest, quantisation)


def _rewritten(between: blocks.Chosen) -> Rewritten | None:
    """The networks before and after convolutions were written in another way; None where none were."""
    if between.before is None:
        return None
    before, after = (from_graph(parse(serialize(m)).graph) for m in (between.before, between.model))
    return Rewritten(before, after, exact=not between.merged)
