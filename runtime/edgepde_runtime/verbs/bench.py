"""edgepde bench: how fast is it, against another bundle and on every backend there is?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from .. import bundle as bundles
from .. import machine, render
from ..bundle import Bundle
from ..choose import candidates
from ..errors import BackendError, InputError, UnsupportedModel
from ..latency import Call, Latency, measure
from ..shelf import chosen
from .timing import bound, rows_in_words

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class BenchReport:
    """Latency per candidate in the order measured, ours first, FLOOR last; skipped: who could not run, and why."""

    words: str
    latency: Mapping[str, Latency]
    skipped: Mapping[str, str]

    def ratio(self, name: str) -> float:
        """A candidate's median over that of the first."""
        first = next(iter(self.latency.values()))
        return self.latency[name].p50 / first.p50

    def as_dict(self) -> dict[str, object]:
        """The JSON document."""
        rows = [{"case": name, "ratio": self.ratio(name), **v.as_dict()} for name, v in self.latency.items()]
        document = {"schema_version": SCHEMA_VERSION, "query": self.words, "rows": rows}
        return {**document, "skipped": dict(self.skipped), "machine": machine.describe()}

    def table(self) -> str:
        """Medians, tails, spread and ratios of medians."""
        rows = []
        for name, v in self.latency.items():
            figures = [render.number(x) for x in (v.p50, v.p90, v.p99, v.least, v.spread, self.ratio(name))]
            rows.append((name, *figures, f"{len(v.samples)} x {v.batch}"))
        header = ("us per call", "p50", "p90", "p99", "min", "spread", "ratio", "samples")
        text = render.table(rows, header, right=range(1, 8))
        skipped = "".join(f"\nskipped {name}: {why}" for name, why in self.skipped.items())
        return f"{self.words}; one thread; candidates in turn\n\n{text}\n{skipped}".rstrip()


def bench(
    path: str | os.PathLike[str],
    other: str | os.PathLike[str] | None = None,
    batch: int = 1,
    seconds: float = 3.0,
    trust: bool = False,
    cassette: str | None = None,
) -> BenchReport:
    """Times the bundle, and `other` on the same number of rows, on every backend, in turn in one loop.

    trust: native code of both may be loaded; else that of a bundle from elsewhere is skipped. cassette: of those that
    have slots; None: the first.

    Raises InputError for a batch below 1, BundleError, and BackendError where nothing can run.
    """
    if batch < 1:
        raise InputError(f"batch: expected 1 row or more, got {batch}")
    calls: dict[str, Call] = {}
    skipped: dict[str, str] = {}
    ours = _with_slots(bundles.read(path), cassette)
    timed = [("ours", ours)] + ([("other", _with_slots(bundles.read(other), cassette))] if other is not None else [])
    for label, bundle in timed:
        for backend in candidates(bundle):
            held = f" ({bundle.cassette.name})" if bundle.cassette is not None else ""
            name = f"{label} {bundle.manifest.name}{held} on {backend}"
            try:
                calls[name] = bound(bundle, backend, batch, trust)
            except (BackendError, UnsupportedModel) as error:
                skipped[name] = str(error)
    if not calls:
        raise BackendError(f"no backend runs this bundle: {'; '.join(skipped.values())}")
    return BenchReport(rows_in_words(ours, batch), measure(calls, seconds), skipped)


def _with_slots(bundle: Bundle, cassette: str | None) -> Bundle:
    """The bundle with a cassette where its model has slots: the one named, else the first; all take as long."""
    if not bundle.manifest.slots:
        return bundle
    return chosen(bundle, cassette or next(iter(bundle.cassettes), None))
