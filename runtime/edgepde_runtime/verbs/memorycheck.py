"""RAM and flash of the compiled model against limits."""

from __future__ import annotations

from ..limits import Limits
from ..plan import Plan
from ..verdict import NOT_VERIFIED, Check, against

KB = 1024
NO_PLAN = "needs a bundle with c99/plan.json: export it with --target c99"
NO_TARGETS = "c99/plan.json has no target: the bundle was exported where there is no C compiler"


def check_memory(plan: Plan | None, limits: Limits) -> list[Check]:
    """A check for each limit asked for: the worst of the plan's targets, named; not verified without a plan."""
    asked = (("RAM", limits.max_ram_kb), ("flash", limits.max_flash_kb))
    return [_check(name, plan, limit) for name, limit in asked if limit is not None]


def _check(name: str, plan: Plan | None, limit: float) -> Check:
    worst = None if plan is None else plan.most_ram() if name == "RAM" else plan.most_flash()
    if plan is None or worst is None:
        return Check(name, NOT_VERIFIED, None, limit, "KB", NO_PLAN if plan is None else NO_TARGETS)
    size, target = worst
    parts = {"scratch": target.scratch_bytes, "stack": target.stack_bytes}
    if name == "flash":
        parts = {"weights": plan.weights_bytes, "code": target.code_bytes}
    split = " + ".join(f"{part} {bytes_}" for part, bytes_ in parts.items())
    others = len(plan.targets) - 1
    more = f", the most of {others + 1} targets" if others else ""
    return against(name, size / KB, limit, "KB", f"{target.triple}{more}: {split} bytes ({target.compiler})")
