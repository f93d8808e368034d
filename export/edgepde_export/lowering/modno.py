"""A run of the family modno: sensors [B, S] in, the field [B, T, n] of the operator whose cassette is in use out."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import onnx
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.cassettes import Cassette as Shipped
from edgepde_runtime.errors import InputError
from edgepde_runtime.golden import Golden
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec, SlotSpec
from numpy.typing import NDArray

from edgepde.modno.cassette import SLOTS, Cassette
from edgepde.modno.filling import kept
from edgepde.modno.model import Deployed
from edgepde.modno.store import Loaded, Shared, load, shared_numbers
from edgepde.train.threads import one_thread

from ..bundle import BundleContent
from ..card import Notes
from ..passes.clean import serialize
from . import readouts
from .graph import to_onnx
from .measured import load_backends
from .modno_certificate import Compared, certify, whole
from .modno_grid import Places, box_of, listed, places
from .modno_held_out import Draws, drawn, fractions
from .modno_report import report_arrays, table
from .options import Options
from .prepare import prepare

SENSORS, FIELD, ROWS = "sensors", "u", "B"
GOLDEN = 2
ANY_GRID = True
ABOUT = ("statement", "unit", "samples")
FAILURES = (
    "Inputs of another kind than an operator was trained on (more modes, steps, other sizes) have no promise; rows "
    "outside its box of sensors are refused, others are not noticed.",
    "Missing sensors (NaN) are refused unless they are filled first (run --fill, Model.fill); the stated errors are of "
    "complete inputs.",
    "With a probability of 1 % each, a fresh draw leaves the stated error of its operator.",
)
PRECISIONS = ("f32", "f16w")
Slots = dict[str, NDArray[np.floating]]


@final
@dataclass(frozen=True, eq=False)
class Networks:
    """What a device is compared with: the run in float64, and the graph with its stored constants in float64.

    narrow: the same graph in its own float32, what is exported.
    """

    run: Deployed
    stored: Deployed
    narrow: Deployed

    @classmethod
    def of(cls, shared: Shared, at: Places) -> Networks:
        """Of a run, on the grid of the bundle."""
        model = copy.deepcopy(shared.model).eval()
        narrow = Deployed(model.float(), at.times, at.x).eval()
        wide = Deployed(copy.deepcopy(shared.model).double().eval(), at.times, at.x).eval()
        return cls(wide, copy.deepcopy(narrow).double(), narrow)


def lower(path: Path, domain: Box | None, max_error: float | None, options: Options) -> BundleContent:  # noqa: ARG001
    """The bundle of a run with all its operators as cassettes; max_error changes nothing, it ships as it was trained.

    Raises InputError for an option of networks of one's own, RunError for a run that cannot be read.
    """
    _check_options(path, domain, options)
    with one_thread():
        loaded = load(path)
        return content(loaded, options)


def content(loaded: Loaded, options: Options) -> BundleContent:
    """The bundle of a run that was read."""
    shared = loaded.shared
    at = _places(loaded, options)
    shipped = _stored(shared, options.precision)
    slots = {name: cassette.arrays(shared.model.sizes) for name, cassette in shipped.items()}
    inputs, output = _inputs(shared), OutputSpec(FIELD, "float32", (ROWS, len(at.times), len(at.x)), _unit(shared))
    specs = tuple(SlotSpec(n, a.dtype.name, a.shape) for n, a in next(iter(slots.values())).items())
    networks = Networks.of(shared, at)
    graph = prepare(_graph(networks.narrow, inputs, next(iter(slots.values()))), options.log)
    read = readouts.chosen(graph, c99=options.c99, log=options.log)
    model = read.model
    signature = ((inputs,), (output,))
    backends = load_backends(serialize(model), options.log, signature if options.c99 else None, specs)
    made, compared = [], {}
    for name in sorted(shipped):
        found = _compared(networks, shared.cassettes[name], slots[name], drawn(loaded, name, at, options.seed))
        fed = {kind: backend.fed(slots[name]) for kind, backend in backends.items()}
        certificate = certify((_narrowed(inputs, shipped[name]), output), fed, found)
        filling = kept(loaded.run.path, name, len(inputs.columns))
        made.append(Shipped(name, slots[name], certificate, _golden(found), filling))
        compared[name] = found
        options.log(f"{name}: {found.words}")
    return BundleContent(
        name=options.naming.name if options.naming is not None else f"modno_{len(made)}",
        model=model,
        inputs=(inputs,),
        outputs=(output,),
        slots=specs,
        cassettes=tuple(made),
        certificate=whole((inputs, output), [one.certificate for one in made]),
        golden={f"input/{SENSORS}": np.concatenate([one.golden.inputs[SENSORS] for one in made])},
        card=Notes(_words(loaded, at), failures=FAILURES, tables=(table(shipped, made, compared),)),
        ledger={"readouts": [dict(row) for row in read.ledger], **_ledger(shared, at)},
        report=report_arrays(compared),
    )


def _places(loaded: Loaded, options: Options) -> Places:
    """Where the field is; told where the data given chose the times."""
    held = fractions(loaded)
    at = places(loaded.shared, options.grid, held)
    if held and options.grid is None:
        options.log(f"times: {listed(at.times)} of every horizon; --grid t=..,x=.. for others that your files have")
    return at


def _check_options(path: Path, domain: Box | None, options: Options) -> None:
    own = "this run has the range of sensors each operator was trained for"
    reasons = {
        "--domain": (domain is not None, own),
        "--family": (options.family is not None, own),
        "--data": (options.data is not None, "this run is measured on held-out cases of its operators"),
        "--input-accuracy": (options.accuracy is not None, "nothing bounds the slope of a canonical frame here"),
        "--with-reference": (options.reference, "a search over sensors would leave the inputs the run was measured on"),
        "--derivatives and --residual": (options.append is not None, "an operator's cassette has the field alone"),
    }  # fmt: skip
    for name, (given, why) in reasons.items():
        if given:
            raise InputError(f"{path}: {name} is for networks of your own; {why}")
    if options.precision not in PRECISIONS:
        raise InputError(f"{path}: --precision: expected one of {', '.join(PRECISIONS)}, got {options.precision}")


def _stored(shared: Shared, precision: str) -> dict[str, Cassette]:
    """All bases in one type: halves where asked for or where the run has no others, else float32."""
    held = shared.cassettes
    if precision == "f16w" or all(c.basis.dtype == np.float16 for c in held.values()):
        return {name: c if c.basis.dtype == np.float16 else c.halved() for name, c in held.items()}
    return {name: replace(c, basis=c.basis.astype(np.float32)) for name, c in held.items()}


def _inputs(shared: Shared) -> InputSpec:
    """The sensors with a box that holds every operator's."""
    boxes = [box_of(c) for c in shared.cassettes.values()]
    low, high = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
    unit = _unit(shared)
    columns = tuple(Column(f"s{i}", unit, float(a), float(b)) for i, (a, b) in enumerate(zip(low, high, strict=True)))
    return InputSpec(SENSORS, "float32", (ROWS, len(columns)), columns)


def _narrowed(spec: InputSpec, cassette: Cassette) -> InputSpec:
    """The input with the box of one operator."""
    pairs = zip(spec.columns, *box_of(cassette), strict=True)
    return replace(spec, columns=tuple(replace(c, low=float(a), high=float(b)) for c, a, b in pairs))


def _unit(shared: Shared) -> str:
    """The unit that all operators have, "" where there is no such."""
    units = {str(about.get("unit", "")) for about in shared.about.values()}
    return "" if len(units) > 1 or units == {"1"} else units.pop()


def _graph(module: Deployed, spec: InputSpec, slots: Slots) -> onnx.ModelProto:
    low, high = (torch.tensor([getattr(c, end) for c in spec.columns]) for end in ("low", "high"))
    examples = {SENSORS: torch.stack([low, high])} | {n: torch.from_numpy(a.copy()) for n, a in slots.items()}
    return to_onnx(module, examples, {SENSORS: {0: ROWS}}, [FIELD])


def _compared(networks: Networks, cassette: Cassette, slots: Slots, draws: Draws) -> Compared:
    """A cassette's draws through the run in float64 and through what is stored of it."""
    sizes = networks.run.model.sizes
    run, stored = (
        evaluated(module, held, draws.sensors)
        for module, held in ((networks.run, cassette.arrays(sizes, np.float64)), (networks.stored, slots))
    )
    return Compared(draws, run, stored, _elsewhere(networks.run, cassette, draws))


def _elsewhere(module: Deployed, cassette: Cassette, draws: Draws) -> NDArray[np.float64] | None:
    """The run's field where the solution of the draws is known, None where it is not."""
    if draws.field is None:
        return None
    at = Deployed(module.model, draws.times / cassette.horizon, draws.x).double()
    return evaluated(at, cassette.arrays(module.model.sizes, np.float64), draws.sensors)


def evaluated(module: Deployed, slots: Slots, sensors: NDArray[np.float32]) -> NDArray[np.float64]:
    """u [N, T, n] in float64."""
    held = [torch.from_numpy(np.asarray(slots[n], np.float64)) for n in SLOTS if n in slots]
    with torch.no_grad():
        return np.asarray(module(torch.from_numpy(sensors.astype(np.float64)), *held).numpy())


def _golden(found: Compared) -> Golden:
    """The first of the held-out cases, by what the device stores."""
    rows = slice(0, GOLDEN)
    values = found.stored[rows].astype(np.float32)
    return Golden({SENSORS: found.draws.sensors[rows]}, {FIELD: values}, {ROWS: len(values)})


def _ledger(shared: Shared, at: Places) -> dict[str, Any]:
    """Where the field is, and what is known of every operator; its times are t times its horizon."""
    held = {
        name: {"horizon": cassette.horizon, **{k: v for k, v in shared.about[name].items() if k in ABOUT}}
        for name, cassette in shared.cassettes.items()
    }
    encoding = shared.model.encoding
    sensors = {"x": encoding.sensor_x.tolist(), "period": encoding.period}
    return {"grid": {"t": at.times.tolist(), "x": at.x.tolist()}, "sensors": sensors, "operators": held}


def _words(loaded: Loaded, at: Places) -> str:
    shared, sizes = loaded.shared, loaded.shared.model.sizes
    about = "; ".join(
        f"`{name}`: {said.get('statement', 'data of its own')}" for name, said in sorted(shared.about.items())
    )
    return (
        f"{len(shared.cassettes)} solution operators in one model (arXiv 2404.02892): {sizes.inputs} coefficients of "
        f"{_sensors(shared)}, one shared branch of {shared_numbers(shared.model)} numbers, and a cassette per "
        f"operator. u[b, i, j] is the field at t = {_ends(at.times)} of the operator's horizon ({len(at.times)} times) "
        f"and x = {_ends(at.x)} ({len(at.x)} places), periodic. Operators: {about}."
    )


def _sensors(shared: Shared) -> str:
    """How many, where, on which period."""
    x, period = shared.model.encoding.sensor_x, shared.model.encoding.period
    even = bool(np.allclose(np.diff(x, append=x[0] + period), period / len(x), rtol=1e-6, atol=0.0))
    where = f"{x[0]:g}, {x[1]:g}, .. {x[-1]:g}, even," if even else f"{', '.join(f'{v:g}' for v in x)}"
    return f"{len(x)} sensors (at x = {where} on a period of {period:g})"


def _ends(values: NDArray[np.float64]) -> str:
    return f"{values[0]:g} to {values[-1]:g}"
