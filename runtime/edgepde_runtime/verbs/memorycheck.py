"""RAM and flash of the compiled model against limits."""

from __future__ import annotations

from collections.abc import Collection

from ..limits import Limits
from ..plan import Plan
from ..verdict import NOT_VERIFIED, Check, against

KB = 1024
NO_PLAN = "needs a bundle with c99/plan.json: export it with --target c99"
NO_TARGETS = "c99/plan.json has no target: the bundle was exported where there is no C compiler"


def check_memory(plan: Plan | None, limits: Limits, shipped: Collection[str] = ()) -> list[Check]:
    """A check for each limit asked for: the worst of the targets judged, named.

    shipped: triples the bundle has a library for. Not verified without a plan, or where the plan lacks one of those.
    """
    asked = (("RAM", limits.max_ram_kb), ("flash", limits.max_flash_kb))
    return [_check(name, plan, limit, shipped) for name, limit in asked if limit is not None]


def _check(name: str, plan: Plan | None, limit: float, shipped: Collection[str]) -> Check:
    worst = None if plan is None else plan.most_ram() if name == "RAM" else plan.most_flash()
    if plan is None or worst is None:
        return Check(name, NOT_VERIFIED, None, limit, "KB", NO_PLAN if plan is None else NO_TARGETS)
    if missing := sorted(set(shipped) - {t.triple for t in plan.targets}):
        return Check(name, NOT_VERIFIED, None, limit, "KB", f"c99/plan.json has no sizes for {', '.join(missing)}")
    size, target = worst
    parts = {"scratch": target.scratch_bytes, "stack": target.stack_bytes}
    if name == "flash":
        parts = {"weights": plan.weights_bytes, "code": target.code_bytes}
    split = " + ".join(f"{part} {bytes_}" for part, bytes_ in parts.items())
    judged, kind = len(plan.judged), "asked targets" if target.asked else "targets"
    more = f", the most of {judged} {kind}" if judged > 1 else ", asked with --cc" if target.asked else ""
    return against(name, size / KB, limit, "KB", f"{target.triple}{more}: {split} bytes ({target.compiler})")
