"""What a check may say, and the exit code that follows from all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PASS, FAIL, NOT_VERIFIED, MEASURED = "pass", "FAIL", "not verified", "measured"
EXIT_PASS, EXIT_FAIL, EXIT_USAGE, EXIT_UNSUPPORTED, EXIT_NOT_VERIFIED = range(5)


@dataclass(frozen=True)
class Check:
    """One row of a verdict; `measured` means nothing was asked. value and limit are in `unit`, None where absent."""

    name: str
    status: str
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    detail: str = ""

    def as_dict(self) -> dict[str, object]:
        """The row as JSON members."""
        return dict(vars(self))


def exit_code(checks: Iterable[Check]) -> int:
    """1 where a check failed, else 4 where one is not verified, else 0; without any check, 4."""
    statuses = {check.status for check in checks}
    if FAIL in statuses:
        return EXIT_FAIL
    return EXIT_PASS if PASS in statuses and NOT_VERIFIED not in statuses else EXIT_NOT_VERIFIED


def against(name: str, value: float, limit: float | None, unit: str, detail: str = "") -> Check:
    """value <= limit; NaN fails; without a limit the value is only measured."""
    status = MEASURED if limit is None else PASS if value <= limit else FAIL
    return Check(name, status, value, limit, unit, detail)
