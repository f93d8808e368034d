"""Outcomes as rows: medians with quartiles, ratios with the targets they must reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from _harness import OURS, PUBLISHED, Row

from c99_peers import emx
from c99_peers.enter import BIND, BINDING, C256, C512, COEFFICIENTS, FIELD, PYTHON
from c99_peers.networks import PINN, SMALL, Workload
from c99_peers.spec import Outcome

BEST, BEST_AVX2 = "the best of all peers", "the best peer built for AVX2"
ALL_PEERS = (*PYTHON, *(flags.rival for flags in emx.ALL))
PEERS_AVX2 = (emx.STRICT_AVX2.rival, emx.FAST_AVX2.rival)
QUERY_MS = {COEFFICIENTS: 0.3, FIELD: 1.5}
PUBLISHED_MS = 315.0
BIND_US = 0.5


@dataclass(frozen=True)
class Reach:
    """peer / ours in one case must reach `target`; None: printed only."""

    asked: Workload
    batch: int
    peer: str
    own: str
    target: float | None = None


REACH = (
    Reach(PINN, 1, BINDING, BIND, 5.0),
    Reach(PINN, 1, emx.STRICT_NATIVE.rival, C512, 8.0),
    Reach(PINN, 1, emx.FAST_NATIVE.rival, C512, 1.1),
    Reach(PINN, 16, BEST, C512, 2.5),
    Reach(PINN, 256, BEST, C512, 1.25),
    Reach(PINN, 4096, BEST, C512, 1.25),
    *(Reach(PINN, batch, peer, C256) for batch in PINN.batches for peer in (BEST, BEST_AVX2)),
    Reach(SMALL, 1, BEST, C512, 1.0),
)


class Found:
    """What was measured, by case and rival; outcomes of one case and rival are pooled."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.cases: dict[str, dict[str, list[Outcome]]] = {}
        for one in outcomes:
            self.cases.setdefault(one.case, {}).setdefault(one.rival, []).append(one)

    def seconds(self, case: str, rival: str) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
        """All samples, or None where something failed or is missing."""
        parts = self.cases.get(case, {}).get(rival, [])
        if not parts or any(one.failed for one in parts):
            return None
        return np.concatenate([one.seconds for one in parts])

    def best(self, case: str, rivals: Sequence[str]) -> str | None:
        """The one with the least median."""
        medians = {r: float(np.median(s)) for r in rivals if (s := self.seconds(case, r)) is not None}
        return min(medians, key=medians.__getitem__) if medians else None

    def absent(self, case: str, rival: str, missing: str) -> str:
        """Why there is no figure: it failed, or it was not entered."""
        return self.words(case, rival) if rival in self.cases.get(case, {}) else missing

    def words(self, case: str, rival: str) -> str:
        """Why it failed, or its variant and its error."""
        parts = self.cases.get(case, {}).get(rival, [])
        if failed := next((one.failed for one in parts if one.failed), ""):
            return failed
        error = max(one.error for one in parts)
        variants = " | ".join(sorted({one.variant for one in parts if one.variant}))
        return "; ".join(filter(None, (variants, f"max error {error:.1e}" if error else "")))


def times(found: Found, peaks: Mapping[str, float]) -> list[Row]:
    """The medians of everybody, microseconds; of queries milliseconds."""
    work = {asked.case(b): asked.multiply_adds * b for asked in (PINN, SMALL) for b in asked.batches}
    rows = []
    for case, rivals in found.cases.items():
        scale, unit = (1e3, "ms") if case in QUERY_MS else (1e6, "us")
        for rival in rivals:
            note, samples = found.words(case, rival), found.seconds(case, rival)
            target = QUERY_MS[case] if case in QUERY_MS and rival in (C512, BIND) else None
            if samples is None:
                rows.append(Row(case, rival, unit, None, target, note=note))
                continue
            low, median, high = (scale * float(q) for q in np.quantile(samples, (0.25, 0.5, 0.75)))
            if case in work and peaks:
                share = work[case] * scale / median / max(peaks.values())
                note = "; ".join(filter(None, (f"{share:.0%} of fma peak", note)))
            note = f"min {scale * float(samples.min()):.3g}; {note}".rstrip("; ")
            rows.append(Row(case, rival, unit, median, target, spread=(low, high), note=note))
    return rows


def queries_missing(found: Found, why: str) -> list[Row]:
    """The rows of the S2GPT query that nothing was measured for, and the published figure."""
    rows = [
        Row(case, rival, "ms", None, target, note=why)
        for case, target in QUERY_MS.items()
        for rival in (OURS, BIND)
        if rival not in found.cases.get(case, {})
    ]
    return [*rows, Row(FIELD, PUBLISHED, "ms", PUBLISHED_MS, note="its hardware is unknown")]


def ratios(found: Found, missing: str) -> list[Row]:
    """peer / ours of medians; the spread is that of the ratios within a round."""
    return [_ratio(found, reach, missing) for reach in REACH]


def _ratio(found: Found, reach: Reach, missing: str) -> Row:
    case = reach.asked.case(reach.batch)
    groups = {BEST: ALL_PEERS, BEST_AVX2: PEERS_AVX2}
    peer = found.best(case, groups[reach.peer]) if reach.peer in groups else reach.peer
    words = f"{case}: {reach.peer} / {reach.own}"
    theirs, own = found.seconds(case, peer or ""), found.seconds(case, reach.own)
    if theirs is None or own is None:
        why = found.absent(case, reach.own, missing) if own is None else f"{peer or 'no peer'} was not measured"
        return Row(words, "ratio", "x", None, reach.target, ">=", note=why)
    low, high = (float(q) for q in np.quantile(theirs / own, (0.25, 0.75)))
    ratio = float(np.median(theirs) / np.median(own))
    return Row(words, "ratio", "x", ratio, reach.target, ">=", (low, high), peer if peer != reach.peer else "")


def overhead(found: Found, missing: str) -> Row:
    """What bind() adds to the C function."""
    case = PINN.case(1)
    bound, plain = found.seconds(case, BIND), found.seconds(case, C512)
    words = f"{case}: bind() - C function"
    if bound is None or plain is None:
        return Row(words, OURS, "us", None, BIND_US, note=found.absent(case, BIND, missing))
    return Row(words, OURS, "us", 1e6 * float(np.median(bound) - np.median(plain)), BIND_US)
