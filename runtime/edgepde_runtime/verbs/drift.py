"""edgepde drift: are a bundle's calls still what it was made for?"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import bundle as bundles
from .. import render
from ..drift import Drift
from ..driftfile import alone, document
from ..errors import InputError, StateError
from ..model import Model, Result
from ..shelf import chosen
from .run import flags_of_rows, read_inputs

SCHEMA_VERSION = 1
HEADER = ("statistic", "log10 evidence", "alarm at", "")


@dataclass(frozen=True)
class DriftReport:
    """What the state says after these calls."""

    state: Path
    drift: Drift
    before: frozenset[str] = frozenset()

    @property
    def alarmed(self) -> bool:
        """Whether there is an alarm, of these calls or of earlier ones."""
        return bool(self.drift.alarms)

    def table(self) -> str:
        """Evidence per statistic, and every alarm with its reason."""
        state = self.drift.state
        alarms = {alarm.statistic: alarm for alarm in state.alarms}
        evidence, limits = self.drift.evidence(), self.drift.limits()
        waiting = "no longer compared" if state.reference.closed else "not yet compared"
        rows = [
            (
                name,
                f"{evidence[name]:.2f}" if name in evidence else "-",
                f"{limit / 2.302585092994046:.2f}",
                "ALARM" if name in alarms else "" if name in evidence else waiting,
            )
            for name, limit in limits.items()
        ]
        lines = [f"{self.state}: {state.observations} observations of {state.calls} calls", render.table(rows, HEADER)]
        lines += [
            f"ALARM {'' if a.statistic in self.before else '(new) '}at observation {a.observation}: "
            f"{a.statistic}: {a.reason}"
            for a in alarms.values()
        ]
        return "\n".join([*lines, *self._remarks()])

    def _remarks(self) -> list[str]:
        state, settings = self.drift.state, self.drift.state.settings
        count = state.reference.count
        if count < settings.commissioning and not state.reference.closed:
            left = settings.commissioning - count
            return [f"commissioning: {left} more inside the box until inputs and residuals are compared"]
        return [] if self.alarmed else [f"no alarm; the chance of ever a false one is {settings.false_alarm:g}"]

    def as_dict(self) -> dict[str, object]:
        """The state's document, with the evidence as it stands."""
        limits = {name: limit / 2.302585092994046 for name, limit in self.drift.limits().items()}
        shown = {"schema_version": SCHEMA_VERSION, "alarmed": self.alarmed}
        return {**shown, "evidence": self.drift.evidence(), "limits": limits, "state": document(self.drift.state)}


@dataclass(frozen=True)
class DriftOptions:
    """settings: of a state that is begun, by the name of Drift's arguments; those given must be an old state's own.

    reset: begin anew. merge: states of other devices. cassette: of a model with slots, a state of its own for each.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    reset: bool = False
    merge: Sequence[str] = ()
    backend: str = "auto"
    trust: bool = False
    cassette: str | None = None


def drift(
    path: str | os.PathLike[str],
    state: str | os.PathLike[str],
    source: str | os.PathLike[str] | None = None,
    options: DriftOptions | None = None,
) -> DriftReport:
    """Calls the bundle with the arrays of `source` and counts them in the file `state`, begun where there is none.

    Nothing is written where anything fails. Raises BundleError, InputError, StateError, BackendError, and OSError on
    writing.
    """
    options = options or DriftOptions()
    bundle = chosen(bundles.read(path), options.cassette)
    others = _others(bundle, options.merge)
    called = None if source is None else _called(bundle, source, options)
    target = Path(state)
    if not target.parent.is_dir():
        raise InputError(f"{target}: no such folder")
    with alone(target):
        found = _begun(bundle, target, options, others)
        before = frozenset(alarm.statistic for alarm in found.alarms)
        for other in others:
            found.merge(other)
        if called is not None:
            given, result, flags = called
            found.update(given, result.outputs, flags)
        if called is not None or others or not target.exists() or options.reset:
            found.write(target)
    return DriftReport(target, found, before)


def _called(bundle: bundles.Bundle, source: str | os.PathLike[str], options: DriftOptions) -> tuple[Any, Result, Any]:
    model = Model(bundle, options.backend, "flag", False, options.trust)
    arrays = read_inputs(source, bundle.manifest.inputs)
    given = {spec.name: arrays[spec.name] for spec in bundle.manifest.inputs}
    result = model.call(**given)
    return given, result, flags_of_rows(model, given, result)


def _others(bundle: bundles.Bundle, names: Sequence[str]) -> list[Drift]:
    others = [Drift.read(name, bundle) for name in names]
    for i, other in enumerate(others):
        if any(document(other.state) == document(earlier.state) for earlier in others[:i]):
            raise StateError(f"{names[i]}: expected the states of different devices, got the same twice")
    return others


def _begun(bundle: bundles.Bundle, target: Path, options: DriftOptions, others: list[Drift]) -> Drift:
    """The state in the file; where it is begun, the first of `others`, taken from the list, or one without calls."""
    if options.reset or not os.path.lexists(target):
        if others and not options.settings:
            return others.pop(0)
        return Drift(bundle, **{"unit": "row", **options.settings})
    found = Drift.read(target, bundle)
    for name, value in options.settings.items():
        own = getattr(found.state.settings, name)
        if name == "tolerated":
            own = {key: own.get(key) for key in value}
        if own != value:
            raise InputError(f"{target}: was begun with {name} {own!r}, got {value!r}; --reset begins anew")
    return found
