"""The errors of --sweep A:B."""

from __future__ import annotations

from edgepde_runtime.errors import BudgetError

STEP = 10.0**0.5
MOST_POINTS = 40


def errors_of(text: str) -> list[float]:
    """The errors of A:B, tightest first, half a decade apart, both ends among them.

    Raises BudgetError for anything but two different positive numbers.
    """
    low, _, high = text.partition(":")
    try:
        ends = sorted((float(low), float(high)))
    except ValueError:
        raise BudgetError(f"--sweep expected A:B, two positive numbers, got {text!r}") from None
    if not 0.0 < ends[0] < ends[1] < float("inf"):
        raise BudgetError(f"--sweep expected A:B, two different positive numbers, got {text!r}")
    made = [ends[0]]
    while made[-1] * STEP < ends[1] * 0.999:
        made.append(made[-1] * STEP)
        if len(made) > MOST_POINTS:
            raise BudgetError(f"--sweep expected at most {MOST_POINTS} half decades, got {text!r}")
    return [*made, ends[1]]
