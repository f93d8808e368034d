"""What this machine is, as far as it concerns a figure measured on it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np

ISA = ("sse2", "avx", "avx2", "fma", "avx512f", "neon", "asimd", "vfpv4", "sve", "v")


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return {}
    pairs = [line.partition(":") for line in text.splitlines() if ":" in line]
    return {key.strip().lower(): value.strip() for key, _, value in reversed(pairs)}


def cpu() -> str:
    """The processor's own name, or its architecture."""
    info = _cpuinfo()
    name = info.get("model name") or info.get("hardware") or platform.processor()
    return name or platform.machine()


def isa() -> list[str]:
    """The vector and fma extensions of this processor that matter here."""
    info = _cpuinfo()
    flags = set((info.get("flags") or info.get("features") or "").lower().split())
    return [name for name in ISA if name in flags]


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe() -> dict[str, object]:
    """The facts a measurement is filed with."""
    return {
        "cpu": cpu(),
        "isa": isa(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
