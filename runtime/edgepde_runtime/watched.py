"""What of a model's calls is watched for drift: a fixed number of figures, however wide the inputs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .inputs import NOT_CONVERGED, OUT_OF_BOX
from .manifest import InputSpec, Manifest, OutputSpec
from .monitor import Monitor

Array = NDArray[np.floating]
Flags = Mapping[str, NDArray[np.int32]]
MOST_FIGURES = 16
UNITS = ("call", "row")
LEAST, GREATEST = -320.0, 40.0


@final
@dataclass(frozen=True)
class Figure:
    """A number in [0, 1] per row of an input: a column, or mean or spread of many, each scaled by its box."""

    name: str
    input: str
    first: int
    last: int
    how: str

    def of(self, scaled: Array) -> Array:
        """The figure of scaled rows [n, d], [n]."""
        part = scaled[:, self.first : self.last]
        return np.asarray(part.std(axis=1) * 2.0 if self.how == "spread" else part.mean(axis=1))


@final
@dataclass(frozen=True)
class Observations:
    """n observations: figures [n, S] (the last is log10 of the residual where there is one), and what befell them."""

    figures: NDArray[np.float64]
    outside: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    above: NDArray[np.bool_]

    def part(self, where: slice) -> Observations:
        """Some of them, in order."""
        return Observations(self.figures[where], self.outside[where], self.failed[where], self.above[where])

    def __len__(self) -> int:
        return len(self.outside)


@final
@dataclass(frozen=True)
class Watched:
    """The figures of a model's calls; symbol: whose rows are the observations where the unit is "row"."""

    inputs: tuple[InputSpec, ...]
    figures: tuple[Figure, ...]
    symbol: str
    residual: OutputSpec | None
    monitor: Monitor | None

    @property
    def names(self) -> tuple[str, ...]:
        """One name per figure, that of the residual last."""
        own = tuple(figure.name for figure in self.figures)
        return own if self.residual is None else (*own, f"log10 {self.residual.name}")

    def observe(
        self,
        given: Mapping[str, Array],
        outputs: Mapping[str, Array],
        flags: Flags,
        unit: str,
        rng: np.random.Generator,
    ) -> Observations:
        """A call's observations: one whose rows are drawn at random (unit "call"), or one per row of the symbol.

        given: inputs [n, d]. flags: flags 1 and 2 of each row by input. A row of another symbol is drawn at random.
        """
        count = len(given[next(s.name for s in self.inputs if s.shape[0] == self.symbol)])
        own = rng.integers(count, size=1) if unit == "call" else np.arange(count)
        rows = {s.shape[0]: rng.integers(len(given[s.name]), size=len(own)) for s in self.inputs}
        rows[self.symbol] = own
        scaled = {s.name: self._scaled(s.name, given[s.name][rows[s.shape[0]]]) for s in self.inputs}
        values = [figure.of(scaled[figure.input]) for figure in self.figures]
        above = np.zeros(len(own), bool)
        if self.residual is not None and self.residual.threshold is not None:
            residual = np.abs(np.asarray(outputs[self.residual.name], np.float64)[own])
            above = ~(residual <= self.residual.threshold)
            values.append(_logarithm(residual))
        outside, failed = (self._any(flags, bit, unit, own) for bit in (OUT_OF_BOX, NOT_CONVERGED))
        return Observations(np.stack(values, axis=1), outside, failed, above)

    def everything(self, given: Mapping[str, Array]) -> Iterator[NDArray[np.float64]]:
        """Each figure of the inputs on all rows of a call."""
        scaled = {spec.name: self._scaled(spec.name, given[spec.name]) for spec in self.inputs}
        yield from (figure.of(scaled[figure.input]).astype(np.float64) for figure in self.figures)

    @cached_property
    def _boxes(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Lower ends and widths [d] by input."""
        made = {}
        for spec in self.inputs:
            low = np.array([c.low for c in spec.columns])
            with np.errstate(over="ignore"):
                made[spec.name] = low, np.array([c.high for c in spec.columns]) - low
        return made

    def _scaled(self, name: str, x: Array) -> Array:
        low, width = self._boxes[name]
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(np.nan_to_num((x - low) / width, nan=0.5))

    def _any(self, flags: Flags, bit: int, unit: str, own: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each observation has the flag, in its own row or in any row of another symbol."""
        found = np.zeros(len(own), bool)
        for spec in self.inputs:
            hit = (flags[spec.name] & bit) != 0
            found |= hit[own] if spec.shape[0] == self.symbol and unit == "row" else hit.any()
        return found


def watched(manifest: Manifest, monitor: Monitor | None) -> Watched:
    """What of this model is watched."""
    residual = next((s for s in manifest.outputs if s.threshold is not None), None)
    if monitor is not None:
        residual = monitor.agrees(manifest)
    symbol = manifest.inputs[0].shape[0] if residual is None else str(residual.shape[0])
    return Watched(manifest.inputs, tuple(_figures(manifest.inputs)), symbol, residual, monitor)


def _figures(inputs: Sequence[InputSpec]) -> Iterator[Figure]:
    """At most MOST_FIGURES, or one per input where there are more inputs."""
    room = max(1, MOST_FIGURES // len(inputs))
    for spec in inputs:
        width, names = spec.shape[1], [column.name for column in spec.columns]
        if width <= room:
            yield from (Figure(f"{spec.name}.{name}", spec.name, j, j + 1, "column") for j, name in enumerate(names))
            continue
        groups = max(1, room // 2)
        edges = [width * i // groups for i in range(groups + 1)]
        for first, last in itertools.pairwise(edges):
            part = f"of {spec.name}.{names[first]} to {names[last - 1]}"
            for how in ("mean", "spread") if room > 1 else ("mean",):
                yield Figure(f"{how} {part}", spec.name, first, last, how)


def uniform_only(inputs: Sequence[InputSpec]) -> None:
    """Raises InputError where a figure has no known distribution for inputs that are uniform in the box."""
    for figure in _figures(inputs):
        if figure.how != "column":
            most = f"at most {MOST_FIGURES // len(inputs)} columns"
            raise InputError(f"commissioning=0 expected inputs of {most}, got more in {figure.input}")


def _logarithm(residual: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        logs = np.log10(np.where(np.isfinite(residual), residual, np.inf))
    return np.clip(logs, LEAST, GREATEST)
