"""Whether a bundle is still used as it was made for: an alarm at a stated false-alarm rate over its whole life."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import final

import numpy as np

from .bundle import Bundle
from .driftfile import read_state, write_state
from .driftstate import ABOVE, FAILED, HITS, OUTSIDE, Alarm, Settings, State, begun, binned, merged
from .errors import InputError, StateError
from .evidence import BINS, highest_rate, rate_evidence, shape_evidence, together, uniform_evidence
from .fields import short
from .inputs import NOT_CONVERGED, OUT_OF_BOX, as_floats, complete
from .model import Model, Result
from .verbs.run import flags_of_rows
from .watched import UNITS, Array, Flags, Observations, uniform_only, watched

TOLERATED = 0.01
FEWEST = 100
MOST = 10_000_000
# A value on an edge belongs to the bin below it, and 0 to the box.
_IN_THE_BOX = np.concatenate([[np.nextafter(0.0, -1.0)], np.arange(1, BINS + 1) / BINS])[None]
_WORDS = {
    OUTSIDE: "out of the box",
    FAILED: "not converged or not finite",
    ABOVE: "above the residual's threshold",
}


@final
class Drift:
    """Watches the calls of a bundle with statistics of fixed size.

    P(ever an alarm) <= false_alarm while observations are independent of each other, leave the box and fail at the
    tolerated rates at most, have the residuals of the calibration, and figures distributed as at commissioning. An
    observation is a call, of which rows are drawn at random, or a row. Alarms stay until a new state is begun.
    """

    def __init__(
        self,
        source: Bundle | Model,
        false_alarm: float = 0.01,
        *,
        commissioning: int = 1000,
        unit: str = "call",
        tolerated: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        """commissioning: observations that are the reference of later inputs and residuals, 0 for uniform inputs.

        tolerated: rates of out_of_box and not_converged (0.01 unless given) and of above_threshold (the bundle's
        calibration, with the slack of its size). Raises InputError for a value out of range.
        """
        self._bind(source)
        _check(false_alarm, commissioning, unit, seed)
        if commissioning == 0:
            uniform_only(self._watched.inputs)
        names = self._watched.names
        rates = self._rates(false_alarm, commissioning, dict(tolerated or {}))
        settings = Settings(self.bundle.in_use, false_alarm, unit, commissioning, seed, rates, names)
        self._state = begun(settings, len(self._watched.figures), len(self._bounds()))

    def _bind(self, source: Bundle | Model) -> None:
        self.bundle = source if isinstance(source, Bundle) else source.bundle
        self._model = None if isinstance(source, Bundle) else source.flagging()
        self._watched = watched(self.bundle.manifest, self.bundle.monitor)

    def _rates(self, false_alarm: float, commissioning: int, given: dict[str, float]) -> dict[str, float]:
        rates = {OUTSIDE: TOLERATED, FAILED: TOLERATED}
        if self._watched.residual is not None:
            monitor, share = self._watched.monitor, false_alarm / self._groups(commissioning)
            rates[ABOVE] = TOLERATED if monitor is None else highest_rate(monitor, 0.5 * share)
        for name, rate in given.items():
            if name not in rates:
                raise InputError(f"tolerated expected {', '.join(rates)}, got {name!a}")
            if not 0.0 < rate <= 0.5:
                raise InputError(f"tolerated: {name} expected a rate above 0 and at most 0.5, got {rate!r}")
        return rates | {name: float(rate) for name, rate in given.items()}

    def _groups(self, commissioning: int) -> int:
        """Equal shares of the false-alarm rate: two or three rates, all inputs, the residual's distribution."""
        residual = self._watched.residual is not None
        return 3 + residual + (residual and commissioning > 0)

    def limits(self) -> dict[str, float]:
        """ln of the e-value at which each statistic is an alarm: 1 / its share of the false-alarm rate."""
        settings, columns = self._state.settings, len(self._watched.figures)
        share = settings.false_alarm / self._groups(settings.commissioning)
        limits = {name: -math.log(share) for name in settings.tolerated}
        if ABOVE in limits and self._watched.monitor is not None:
            # The other half pays for a threshold that was calibrated on too few rows.
            limits[ABOVE] = -math.log(0.5 * share)
        for i, name in enumerate(settings.names):
            if i < columns:
                limits[name] = -math.log(share / columns)
            elif settings.commissioning:
                limits[name] = -math.log(share)
        return limits

    @property
    def state(self) -> State:
        """What is kept."""
        return self._state

    @property
    def alarms(self) -> list[Alarm]:
        """All so far, in their order."""
        return list(self._state.alarms)

    def watch(self, *args: object, **named: object) -> Result:
        """Calls the model with rows outside the box flagged, counts, and returns the call's result.

        Raises InputError as a call does, and counts nothing then.
        """
        if self._model is None:
            self._model = Model(self.bundle, "auto", "flag", False)
        specs = self.bundle.manifest.inputs
        given = {s.name: as_floats(s, v) for s, v in ((s, complete(specs, args, named)[s.name]) for s in specs)}
        result = self._model.call(**given)
        bad = result.flags & (OUT_OF_BOX | NOT_CONVERGED)
        clear = {s.name: np.zeros(len(given[s.name]), np.int32) for s in specs}
        self.update(given, result.outputs, flags_of_rows(self._model, given, result) if bad else clear)
        return result

    def update(self, given: Mapping[str, Array], outputs: Mapping[str, Array], flags: Flags) -> None:
        """Counts one call: inputs [n, d], outputs and flags of each row by input, as `edgepde run` writes them."""
        state = self._state
        rng = np.random.default_rng([state.settings.seed, state.observations, state.calls])
        seen = self._watched.observe(given, outputs, flags, state.settings.unit, rng)
        state.calls += 1
        self._histograms(given, seen)
        done = 0
        while done < len(seen):
            part = slice(done, done + min(state.room, len(seen) - done))
            state.add(seen.part(part))
            self._judge()
            state.turn()
            done = part.stop

    def _histograms(self, given: Mapping[str, Array], seen: Observations) -> None:
        state, columns = self._state, len(self._watched.figures)
        for i, values in enumerate(self._watched.everything(given)):
            state.histograms[i] += binned(values[:, None], _IN_THE_BOX)[0]
            state.ends[i] = min(state.ends[i, 0], values.min()), max(state.ends[i, 1], values.max())
        if bounds := self._bounds():
            found = binned(seen.figures[:, columns:], np.log10(np.maximum(np.array([bounds]), 1e-300)))
            state.residual += found[0]

    def _bounds(self) -> list[float]:
        """The quantiles of the calibration and the threshold."""
        residual, monitor = self._watched.residual, self._watched.monitor
        if residual is None or residual.threshold is None:
            return []
        return [*(monitor.quantiles if monitor else ()), residual.threshold]

    def _judge(self) -> None:
        state, limits = self._state, self.limits()
        already = {alarm.statistic for alarm in state.alarms}
        for name, logs in self._evidence():
            found = together(logs, state.starts)
            if name not in already and found >= limits[name]:
                window = int(np.argmax(logs))
                reason = self._reason(name, window)
                state.alarms.append(Alarm(name, state.observations, found / math.log(10.0), reason))

    def _evidence(self) -> Iterator[tuple[str, np.ndarray]]:
        state = self._state
        for name, most in state.settings.tolerated.items():
            hits, trials = HITS[name]
            yield name, rate_evidence(state.rates[:, trials], state.rates[:, hits], most)
        if not state.watching:
            return
        if state.settings.commissioning:
            logs, tested = shape_evidence(state.reference.counts, state.shapes), len(state.settings.names)
        else:
            logs, tested = uniform_evidence(state.shapes), len(self._watched.figures)
        for i in range(tested):
            yield state.settings.names[i], logs[:, i]

    def evidence(self) -> dict[str, float]:
        """log10 of the e-value of each statistic as it stands."""
        return {name: together(logs, self._state.starts) / math.log(10.0) for name, logs in self._evidence()}

    def _reason(self, name: str, window: int) -> str:
        state = self._state
        if name in HITS:
            hits, trials = HITS[name]
            n, k = int(state.rates[window, trials]), int(state.rates[window, hits])
            return f"{k} of the last {n} are {_WORDS[name]}, at most {state.settings.tolerated[name]:.3g} is tolerated"
        i = state.settings.names.index(name)
        counts, before = state.shapes[window, i], state.reference.counts[i]
        now = counts / max(1, counts.sum())
        then = before / before.sum() if before.sum() else np.full(BINS, 1.0 / BINS)
        worst = int(np.argmax(np.abs(now - then)))
        edges = [None, *np.asarray(state.reference.edges)[i], None]
        where = " to ".join("..." if e is None else f"{e:.4g}" for e in edges[worst : worst + 2])
        what = "log10 of the residual" if i >= len(self._watched.figures) else "its place in the box"
        return (
            f"{now[worst]:.0%} of the last {int(counts.sum())} have {what} in {where}, "
            f"{then[worst]:.0%} {'at commissioning' if state.settings.commissioning else 'where it is uniform'}"
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the state in one step. Raises OSError with the reason, leaving what was there."""
        write_state(path, self._state)

    @classmethod
    def read(cls, path: str | os.PathLike[str], source: Bundle | Model) -> Drift:
        """The state in a file. Raises StateError naming the field where it is damaged or of another bundle."""
        drift = cls.__new__(cls)
        drift._bind(source)
        state = read_state(path, drift._watched.names, len(drift._watched.figures), len(drift._bounds()))
        if state.settings.bundle != drift.bundle.in_use:
            expected, got = short(drift.bundle.in_use), short(state.settings.bundle)
            raise StateError(f"{path}: bundle expected {expected}, the id of {drift.bundle.root}, got {got}")
        if (ABOVE in state.settings.tolerated) != (drift._watched.residual is not None):
            raise StateError(f"{path}: tolerated expected {ABOVE} where the bundle has a residual, and only there")
        drift._state = state
        return drift

    def merge(self, other: Drift) -> None:
        """Adds the calls of another device, once. Raises StateError where its state was begun otherwise."""
        self._state = merged(self._state, other._state)
        self._judge()


def _check(false_alarm: float, commissioning: int, unit: str, seed: int) -> None:
    if not 0.0 < false_alarm < 1.0:
        raise InputError(f"false_alarm expected a rate between 0 and 1, got {false_alarm!r}")
    if not (commissioning == 0 or FEWEST <= commissioning <= MOST):
        raise InputError(f"commissioning expected 0, or {FEWEST} to {MOST} observations, got {commissioning!r}")
    if unit not in UNITS:
        raise InputError(f"unit expected {' or '.join(UNITS)}, got {unit!a}")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed expected 0 to 2^63 - 1, got {seed!r}")
