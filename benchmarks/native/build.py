"""C files to shared libraries, one per instruction set, and the probes of this core."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import edgepde_runtime
import numpy as np

KERNELS = Path(edgepde_runtime.__file__).parent / "kernels"
OPS = KERNELS.parent / "ops"
HERE = Path(__file__).parent
PORTABLE = ("-std=c99", "-O3", "-fno-math-errno", "-ffp-contract=off", "-fno-trapping-math", "-fPIC", "-shared")


@dataclass(frozen=True)
class Isa:
    """An instruction set: its name, the compiler's flags, what /proc/cpuinfo must list."""

    name: str
    flags: tuple[str, ...]
    needs: frozenset[str]


AVX512 = Isa(
    "AVX-512",
    ("-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"),
    frozenset({"avx512f", "avx512dq", "avx512vl", "fma"}),
)
AVX2 = Isa("AVX2", ("-mavx2", "-mfma"), frozenset({"avx2", "fma"}))


def isas() -> list[Isa]:
    """Those this processor has."""
    words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    return [isa for isa in (AVX512, AVX2) if isa.needs <= words]


def compiler() -> str:
    """$CC or gcc."""
    return os.environ.get("CC", "gcc")


def shared_library(
    sources: Sequence[Path], flags: Sequence[str], out: Path, include: Sequence[Path] = ()
) -> ctypes.CDLL:
    """Build with the house's flags and load. Raises CalledProcessError where the compiler refuses."""
    folders = [f"-I{folder}" for folder in (*include, HERE, KERNELS)]
    build([*PORTABLE, *flags, *folders, *map(str, sources), "-o", str(out)])
    return ctypes.CDLL(str(out))


def build(arguments: Sequence[str]) -> None:
    """One run of the compiler."""
    subprocess.run([compiler(), *arguments], check=True)


def on_one_core() -> int:
    """Keep this process on the last core it may use; returns that core."""
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def fma_peak(isa: Isa, folder: Path, rounds: int = 40) -> float:
    """The best of many short probes: fma/s of float32 on one core."""
    library = shared_library([HERE / "probe.c"], isa.flags, folder / f"probe_{isa.name}.so")
    library.bench_fma_per_second.restype = ctypes.c_double
    library.bench_fma_per_second.argtypes = [ctypes.c_size_t, ctypes.c_void_p]
    sink = np.empty(64, dtype=np.float32)
    best = 0.0
    for _ in range(rounds):
        sink[:2] = 0.999, 1e-3
        best = max(best, library.bench_fma_per_second(100_000, sink.ctypes.data))
    return best
