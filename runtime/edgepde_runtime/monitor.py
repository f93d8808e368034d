"""monitor.json: how the threshold of a residual was found, and what the residual was like there."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .errors import BundleError
from .fields import Fields
from .manifest import Manifest, OutputSpec

NAME = "monitor.json"
SCHEMA_VERSION = 1
MOST_ROWS = 1 << 40
MOST_QUANTILES = 64
LONGEST = 200
HEADER = ("residual", "threshold", "unit", "false alarms", "calibrated on", "drawn")


def rank(count: int, level: float) -> int:
    """ceil((n + 1)(1 - level)), the order statistic of split conformal prediction; above n where n is too small."""
    return math.ceil((count + 1) * (1 - Fraction(repr(level))))


def fewest(level: float) -> int:
    """The smallest n with a threshold at this level: n >= 1 / level - 1."""
    return math.ceil(1 / Fraction(repr(level)) - 1)


@dataclass(frozen=True)
class Monitor:
    """A threshold that fresh rows of the same distribution exceed with probability at most `level`.

    output: the residual whose threshold the manifest has. count: rows it was found on, `unbounded` of them not finite.
    seed, distribution: which rows. quantiles [q]: of the residual in its unit, at `probabilities` [q].
    """

    output: str
    level: float
    count: int
    unbounded: int
    seed: int
    distribution: str
    probabilities: tuple[float, ...]
    quantiles: tuple[float, ...]

    def to_json(self) -> str:
        """The file's text, the same for the same content. Raises BundleError where a rule is broken."""
        listed = {"probabilities": list(self.probabilities), "quantiles": list(self.quantiles)}
        document = {"schema_version": SCHEMA_VERSION, **vars(self), **listed}
        text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        Monitor.from_json(text)
        return text

    @classmethod
    def from_json(cls, text: str, where: str = NAME) -> Monitor:
        """Reads and checks; raises BundleError naming the field in `where`."""
        fields = Fields.parse(text, where)
        version = fields.integer("schema_version")
        if version != SCHEMA_VERSION:
            raise fields.wrong("schema_version", str(SCHEMA_VERSION), version)
        monitor = cls(
            output=_words(fields, "output"),
            level=fields.number("level"),
            count=_number(fields, "count", MOST_ROWS),
            unbounded=_number(fields, "unbounded", MOST_ROWS),
            seed=_number(fields, "seed", 2**64 - 1),
            distribution=_words(fields, "distribution"),
            probabilities=fields.numbers("probabilities"),
            quantiles=fields.numbers("quantiles"),
        )
        fields.done()
        _check(monitor, fields)
        return monitor

    def agrees(self, manifest: Manifest, where: str = NAME) -> OutputSpec:
        """The residual it speaks of; raises BundleError where the manifest has no such threshold."""
        spec = next((s for s in manifest.outputs if s.name == self.output), None)
        known = ", ".join(s.name for s in manifest.outputs if s.threshold is not None) or "none"
        if spec is None or spec.threshold is None:
            raise BundleError(f"{where}: output expected one with a threshold ({known}), got {self.output!a}")
        if self.quantiles[-1] > spec.threshold:
            most = f"at most the threshold {spec.threshold!r} of {self.output}"
            raise BundleError(
                f"{where}: quantiles[{len(self.quantiles) - 1}] expected {most}, got {self.quantiles[-1]!r}"
            )
        return spec


def thresholds(outputs: Sequence[OutputSpec], monitor: Monitor | None) -> list[tuple[str, ...]]:
    """Rows of text under HEADER, one per residual with a threshold; "-" where nothing says how it was found."""
    rows = []
    for spec in outputs:
        if spec.threshold is None:
            continue
        how: tuple[str, ...] = ("-", "-", "-")
        if monitor is not None and monitor.output == spec.name:
            how = f"{monitor.level:g}", str(monitor.count), f"{monitor.distribution}, seed {monitor.seed}"
        rows.append((spec.name, f"{spec.threshold:.6g}", spec.unit or "-", *how))
    return rows


def _words(fields: Fields, key: str) -> str:
    text = fields.string(key)
    if not 0 < len(text) <= LONGEST:
        raise fields.wrong(key, f"1 to {LONGEST} characters", len(text))
    return text


def _number(fields: Fields, key: str, most: int) -> int:
    value = fields.integer(key)
    if not 0 <= value <= most:
        raise fields.wrong(key, f"0 to {most}", value if abs(value) < 2**64 else "a longer number")
    return value


def _check(monitor: Monitor, fields: Fields) -> None:
    level, count = monitor.level, monitor.count
    if not 0.0 < level < 1.0:
        raise fields.wrong("level", "a number between 0 and 1", repr(level))
    if (k := rank(count, level)) > count:
        raise fields.wrong("count", f"at least {fewest(level)} for level {level!r}", count)
    if monitor.unbounded > count - k:
        raise fields.wrong("unbounded", f"at most {count - k}, the rows above the threshold", monitor.unbounded)
    at, values = monitor.probabilities, monitor.quantiles
    if not 0 < len(at) <= MOST_QUANTILES:
        raise fields.wrong("probabilities", f"1 to {MOST_QUANTILES} numbers", len(at))
    if not all(a < b for a, b in zip((0.0, *at), (*at, 1.0), strict=True)):
        raise fields.wrong("probabilities", "increasing numbers between 0 and 1", "others")
    if len(values) != len(at):
        raise fields.wrong("quantiles", f"{len(at)} numbers, one per probability", len(values))
    if not all(a <= b for a, b in zip((0.0, *values), values, strict=False)):
        raise fields.wrong("quantiles", "numbers from 0 up, none below the one before", "others")
    if at[-1] > 1.0 - level:
        raise fields.wrong("probabilities", f"none above {1.0 - level!r}, that of the threshold", repr(at[-1]))
