"""What the recipes of many operators do: draw cases, learn, measure on fresh cases, keep a run, print a table."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from edgepde_runtime.errors import InputError

from edgepde.errors import SettingError
from edgepde.problems.operator_data import OperatorData
from edgepde.train.ranks import Ranks, joined
from edgepde.train.run_folder import Run
from edgepde.train.threads import one_thread

from . import held_out, store
from .cases import Cases, cases, names
from .distributed import cassettes, everyones, operator_data
from .encoding import Encoding
from .figures import against_exact, figures, table
from .filling import filling, keep
from .making import make
from .model import model_for
from .settings import Settings
from .sizes import encoding_of, input_modes
from .symmetry import TESTABLE

OWN_SOLUTION = "held-out cases of the data given"
SOLUTION = "fresh cases of a pseudo-spectral or exact solution, at places and times that training never saw"


def train(config: Settings, run: Run, device: torch.device) -> None:
    """Learn the operators of the settings, those of this rank where there are several, and keep them all in the run."""
    with joined(device) as ranks, one_thread():
        ranks.agree("settings", json.dumps(run.identity, sort_keys=True, default=repr).encode())
        _train(config, run, device, ranks)


def _train(config: Settings, run: Run, device: torch.device, ranks: Ranks) -> None:
    began = time.monotonic()
    config = config.resolved(ranks.size)
    wanted = names(config, run.data)
    if len(wanted) < ranks.size:
        raise SettingError(f"operators: {len(wanted)} for {ranks.size} ranks; start at most one rank per operator")
    mine = [cases(name, config, run.data, run.seed) for name in ranks.mine(wanted)]
    tell_untested(mine)
    encoding = common_encoding(mine, ranks)
    made = make(mine, encoding, config, ranks, run, device)
    held = cassettes(ranks, made.cassettes)
    model = model_for(encoding, made.branch, held.values())
    fits = {one.name: {"fit": dict(made.found.get(one.name, {}))} for one in mine}
    found = everyones(
        ranks, {one.name: figures(model, held[one.name], one.validation, one.test) | fits[one.name] for one in mine}
    )
    about = everyones(ranks, {one.name: described(one) for one in mine})
    learned_from = operator_data(ranks, {one.name: one.train for one in mine})
    measured_on = operator_data(ranks, {one.name: one.test for one in mine if one.own})
    passes = summed(ranks, made.passes)
    if not ranks.is_first:
        run.finished = True
        return
    _kept_beside(run, learned_from, measured_on.values())
    order = [name for name in wanted if name in found]
    history = {
        "operators": found,
        "against_exact": against_exact(found, SOLUTION if run.data is None else OWN_SOLUTION),
        "passes": passes,
        "training": dict(made.history),
        "ranks": {"size": ranks.size, "bytes_per_step": ranks.largest, "bytes_sent": ranks.sent},
        "offline_seconds": time.monotonic() - began,
    }
    shared = store.Shared(model, {name: held[name] for name in order}, about)
    store.save(run, shared, {"name": f"modno_{len(order)}", "operators": order}, history)
    for line in made.history.get("interference", ()):
        print(line, file=sys.stderr)
    print(table({name: found[name] for name in order}, store.shared_numbers(model), passes), file=sys.stderr)
    if ranks.size > 1:
        print(f"{ranks.size} ranks: {ranks.largest} bytes per step and rank, the branch's slope", file=sys.stderr)


def tell_untested(cases: Sequence[Cases]) -> None:
    """A line for each operator with too few cases for the test on symmetries."""
    for one in cases:
        if len(one.train) < TESTABLE:
            said = f"{one.name}: {len(one.train)} cases to learn from, {TESTABLE} are needed to test symmetries"
            print(f"{said}; it is learned without the canonical frame and without mirror images", file=sys.stderr)


def _kept_beside(run: Run, learned_from: Mapping[str, OperatorData], measured_on: Iterable[OperatorData]) -> None:
    """How missing sensors are filled, and cases that cannot be drawn anew."""
    for name, data in learned_from.items():
        keep(run.path, name, filling(data.sensors))
    for data in measured_on:
        held_out.keep(run.path, data)


def common_encoding(cases: Sequence[Cases], ranks: Ranks) -> Encoding:
    """The one of all operators of all ranks. InputError naming an operator whose sensors differ."""
    modes = everyones(ranks, {one.name: input_modes(one.train) for one in cases})
    if not modes:
        raise InputError("operators: expected at least one")
    encoding = encoding_of([one.train for one in cases], max(modes.values()))
    ranks.agree("sensors", encoding.sensor_x.tobytes())
    return encoding


def described(one: Cases) -> dict[str, Any]:
    """What spec.json says an operator is."""
    return {
        "statement": one.statement,
        "unit": one.unit,
        "linear": one.linear,
        "horizon": one.horizon,
        "samples": len(one.train),
    }


def summed(ranks: Ranks, passes: Mapping[str, int]) -> dict[str, int]:
    """Passes of all ranks."""
    parts = [json.loads(part) for part in ranks.everyone(json.dumps(passes).encode())]
    return {name: sum(part[name] for part in parts) for name in passes}
