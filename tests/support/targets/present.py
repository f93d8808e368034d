"""Whether a target can be used here; what a test does when it cannot."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from functools import cache
from pathlib import Path

import pytest
from support.targets.target import Target

CPUINFO = Path("/proc/cpuinfo")


@cache
def _processor() -> frozenset[str]:
    """What this processor says it can do; nothing where it does not say."""
    if not CPUINFO.is_file():
        return frozenset()
    lines = (line for line in CPUINFO.read_text(encoding="utf-8").splitlines() if line.startswith("flags"))
    return frozenset(next(lines, "").partition(":")[2].split())


def _there(need: str) -> bool:
    if need.startswith("python:"):
        return importlib.util.find_spec(need.partition(":")[2]) is not None
    return Path(need).is_file() if need.startswith("/") else shutil.which(need) is not None


def not_installed(target: Target) -> str | None:
    """Which of the target's tools is missing, in words."""
    missing = [need.removeprefix("python:") for need in target.needs if not _there(need)]
    return f"{target}: {', '.join(missing)} not installed; see scripts/system.sh" if missing else None


def not_this_processor(target: Target) -> str | None:
    """What the target needs of this machine's processor and does not find, in words."""
    if target.native and platform.machine() not in ("x86_64", "AMD64"):
        return f"{target}: this processor is {platform.machine()}, not x86-64"
    missing = sorted(target.processor - _processor())
    return f"{target}: this processor has no {', '.join(missing)}" if missing else None


def available(target: Target) -> str | None:
    """None where programs for the target can be built and run, else the reason."""
    return not_installed(target) or not_this_processor(target)


def require(target: Target) -> None:
    """Go on, or skip the test with the reason; a missing tool fails it where CI=true, a lesser processor never does."""
    reason = not_this_processor(target)
    if reason:
        pytest.skip(reason)
    reason = not_installed(target)
    if reason:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
