"""The calls whose time is measured: golden inputs, cycled to the number of rows asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bound import Bound
from ..bundle import Bundle
from ..latency import FLOOR, LEAST_FOR_P99, Latency
from ..limits import Limits
from ..model import Model
from ..verdict import NOT_VERIFIED, Check, against


def query(bundle: Bundle, batch: int) -> dict[str, NDArray[np.floating]]:
    """Inputs of one call: `batch` rows for the last input and those that share its symbol, one row for the others."""
    symbol = bundle.manifest.inputs[-1].shape[0]
    arrays = {}
    for spec in bundle.manifest.inputs:
        golden = bundle.golden.inputs[spec.name]
        rows = batch if spec.shape[0] == symbol else 1
        arrays[spec.name] = np.ascontiguousarray(golden[np.arange(rows) % golden.shape[0]])
    return arrays


def bound(bundle: Bundle, backend: str, batch: int, trust: bool = False) -> Bound:
    """A bound call of `batch` rows on a backend."""
    return Model(bundle, backend, "raise", False, trust).bind(**query(bundle, batch))


def rows_in_words(bundle: Bundle, batch: int) -> str:
    """The sizes of a call, by symbol."""
    symbol = bundle.manifest.inputs[-1].shape[0]
    symbols = dict.fromkeys(spec.shape[0] for spec in bundle.manifest.inputs)
    held = f"; cassette {bundle.cassette.name}" if bundle.cassette is not None else ""
    return ", ".join(f"{s} = {batch if s == symbol else 1}" for s in symbols) + held


def check_latency(times: dict[str, Latency], name: str, limits: Limits, words: str) -> list[Check]:
    """p50, p99 and the floor; limits meant for another board are not verified here, those given as flags are."""
    ours, floor = times[name], times[FLOOR]
    detail = f"{words}; {len(ours.samples)} samples of {ours.batch}, spread {ours.spread:.3g} us, {ours.threads} thread"
    checks = []
    for label, value, limit in (("p50", ours.p50, limits.p50_us), ("p99", ours.p99, limits.p99_us)):
        check = against(f"latency {label}", value, limit, "us", detail)
        if limit is not None and limits.board and f"{label}_us" not in limits.here:
            why = f"needs a measurement on {limits.board}; this machine is not known to be one"
            check = Check(check.name, NOT_VERIFIED, value, limit, "us", why)
        elif limit is not None and label == "p99" and len(ours.samples) < LEAST_FOR_P99:
            why = f"{len(ours.samples)} samples, expected {LEAST_FOR_P99} or more; give it more --seconds"
            check = Check(check.name, NOT_VERIFIED, value, limit, "us", why)
        checks.append(check)
    return [*checks, against("latency floor", floor.p50, None, "us", "p50 of an empty call, in the same loop")]
