"""Which error the new network is compressed to: that of the old one, one asked for, or one tighter where inputs are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgepde_runtime.bundle import Bundle
from edgepde_runtime.errorlimits import ErrorLimits
from edgepde_runtime.errors import InputError, NotVerified
from edgepde_runtime.limits import max_error as limits_of
from edgepde_runtime.subbox import words

from edgepde.errors import CompressionError
from edgepde.train.finished_run import open_run

from ..passes.simplify import Log
from .answer import Answer
from .parts import TIGHTER, tighter, typed
from .settings import Settings
from .source import Made

# (folder for a compressed run, error as typed or None, whether a compressed run is compressed again) -> what to export
Source = Callable[[Path, str | None, bool], Made]


def spent(
    source: Source,
    old: Bundle,
    how: Settings,
    asked: Answer,
    max_error: str | float | None,
    place: Path,
    log: Log,
) -> tuple[Made, ErrorLimits | None]:
    """What to export, and the limits its certificate is held to; `place`: where compressed runs may be written.

    Raises InputError where inputs moved inside the box of a network that was not compressed.
    """
    given = how.max_error if max_error is None else str(max_error)
    if given is None and asked.part:
        raise InputError(
            f"{old.root}: inputs moved inside the box, and nothing was compressed: there is no error to spend where "
            "they are; give --max-error E"
        )
    if given is None:
        return source(place / "small", None, False), None
    limits = limits_of(given, "--max-error" if max_error is not None else f"{old.root / 'ledger.json'}: max_error")
    if asked.part and max_error is None:
        return _where_they_are(source, old, how, limits, asked, place, log)
    return source(place / "small", given, max_error is not None), _certified(old, limits)


def smaller(old: Bundle, how: Settings, max_error: str | float | None) -> bool:
    """Whether an error was given that is below the one the network was compressed to."""
    if max_error is None or how.max_error is None:
        return False
    output = old.manifest.outputs[0].name
    given, before = limits_of(max_error, "--max-error").of(output), limits_of(how.max_error, "ledger.json").of(output)
    return given is not None and before is not None and given < before


def _where_they_are(
    source: Source, old: Bundle, how: Settings, limits: ErrorLimits, asked: Answer, place: Path, log: Log
) -> tuple[Made, ErrorLimits | None]:
    """The tightest error where the inputs are that costs no more bytes than the old network has."""
    outputs = [entry.name for entry in old.certificate.outputs.values() if entry.norm == "sup"]
    allowed = _bytes(how.ledger)
    for turn, times in enumerate(TIGHTER):
        tried, last = tighter(limits, outputs, asked.part, times), times == TIGHTER[-1]
        try:
            made = source(place / f"small{turn}", typed(tried), True)
        except (NotVerified, CompressionError) as error:
            if last:
                raise
            log(f"{times:.3g} times tighter on {words(asked.part)}: {error}")
            continue
        size = _bytes(_ledger(made))
        if last or allowed is None or (size is not None and size <= allowed):
            log(f"{times:.3g} times tighter on {words(asked.part)}: {size} bytes of weights, {allowed} before")
            return made, _certified(old, tried)
        log(f"{times:.3g} times tighter on {words(asked.part)} costs {size} bytes, more than {allowed}")
    raise AssertionError


def _certified(old: Bundle, limits: ErrorLimits) -> ErrorLimits | None:
    """The limits of outputs that have a certificate; derivatives that were measured have none."""
    names = {"", *(entry.name for entry in old.certificate.outputs.values())}
    regions = tuple(region for region in limits.regions if region.output in names)
    made = ErrorLimits({name: limit for name, limit in limits.outputs.items() if name in names}, regions)
    return made if made.outputs or made.regions else None


def _ledger(made: Made) -> Mapping[str, Any]:
    if isinstance(made.source, Path):
        return open_run(made.source).ledger or {}
    found: Mapping[str, Any] = getattr(made.source, "ledger", {})
    return found


def _bytes(ledger: Mapping[str, Any]) -> int | None:
    total = ledger.get("total")
    found = total.get("bytes_after") if isinstance(total, dict) else None
    return found if isinstance(found, int) else None
