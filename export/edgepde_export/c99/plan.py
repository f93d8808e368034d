"""What the compiled model needs of a device: c99/ compiled for it, its objects measured."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgepde_runtime import elf, footprint, library, render, stack
from edgepde_runtime.compiler import BARE_METAL, Compiler, find, for_target, host_triple
from edgepde_runtime.errors import CompilerError, NotVerified
from edgepde_runtime.plan import Plan, Target

from ..errors import BoundExceeded
from ..passes.simplify import Log

CORTEX_M7 = "arm-none-eabi"
KB = 1024
# A function of x86-64 may use so much below its stack pointer without the compiler reporting it.
RED_ZONE = 128
_PROBE = "scratch_probe.c"


@dataclass(frozen=True)
class _Measured:
    target: Target
    constants: int


def make(folder: Path, empty: Plan, triples: Sequence[str], log: Log) -> Plan:
    """The plan of the sources in `folder`: this machine, Cortex-M7 where its compiler is here, and `triples`.

    empty: without targets, its weights as the graph has them; the compiled ones count where there are any.
    `log` hears of the targets that could not be measured, and the table. Raises CompilerError where the sources do not
    compile or the compiler of one of `triples` is missing.
    """
    measured = [
        m
        for compiler in _compilers(triples, log)
        if (m := _measure(compiler, folder, compiler.triple in triples, log)) is not None
    ]
    weights = max((m.constants for m in measured), default=empty.weights_bytes)
    plan = Plan(empty.model_hash, weights, tuple(m.target for m in measured))
    for line in table(plan).splitlines():
        log(line)
    return plan


def enforce(plan: Plan, max_ram_kb: float | None, max_flash_kb: float | None, triples: Sequence[str] = ()) -> None:
    """Raises BoundExceeded naming the target above a limit in KB of 1024 bytes.

    triples: those asked for; limits hold for them alone where there are any. Raises NotVerified where one of them
    was not measured, or no target at all.
    """
    limits = (("ram", max_ram_kb, plan.most_ram(), "scratch and stack"),)
    for name, limit, worst, parts in (*limits, ("flash", max_flash_kb, plan.most_flash(), "weights and code")):
        if limit is None:
            continue
        if worst is None:
            raise NotVerified(f"--max-{name}-kb: there is no C compiler here to measure with")
        if missing := [triple for triple in triples if triple not in {t.triple for t in plan.judged}]:
            raise NotVerified(f"--max-{name}-kb: {missing[0]} could not be measured")
        size, target = worst
        if size > limit * KB:
            raise BoundExceeded(
                f"{target.triple}: {parts} of {size / KB:.2f} KB are above --max-{name}-kb {limit:g}; "
                f"{'stack' if name == 'ram' else 'code'} as compiled by {target.compiler}"
            )


def table(plan: Plan) -> str:
    """Bytes per target; "" without targets."""
    header = ("bytes on", "weights", "code", "flash", "scratch", "stack", "RAM", "compiler")
    rows = []
    for t in plan.targets:
        sizes = (plan.weights_bytes, t.code_bytes, plan.flash(t), t.scratch_bytes, t.stack_bytes, t.ram)
        rows.append((t.triple, *map(str, sizes), t.compiler))
    return render.table(rows, header, right=range(1, 7)) if rows else ""


def _compilers(triples: Sequence[str], log: Log) -> list[Compiler]:
    found: dict[str, Compiler] = {triple: for_target(triple) for triple in triples}
    own = find()
    if own is None:
        log("c99: no C compiler found, so nothing is planned for this machine; install gcc or clang, or set CC")
    else:
        found.setdefault(host_triple(), own)
    if shutil.which(f"{CORTEX_M7}-gcc") is not None:
        found.setdefault(CORTEX_M7, for_target(CORTEX_M7))
    return list(found.values())


def _measure(compiler: Compiler, folder: Path, asked: bool, log: Log) -> _Measured | None:
    """One build for size, as a small device is given; None, and a line in the log, where its stack has no bound."""
    log(f"c99: measuring code and stack for {compiler.triple}")
    stem = library.stem_of(folder)
    flags = (*library.SMALL, *BARE_METAL.get(compiler.triple, ("-fPIC",)))
    with tempfile.TemporaryDirectory(prefix="edgepde-") as temporary:
        work = Path(temporary).resolve()
        reported = (*flags, *_reports(compiler, work, stem))
        made = library.compile_object(compiler, folder, work / f"{stem}.o", f"{stem}.c", reported)
        red_zone = RED_ZONE if compiler.triple.startswith("x86_64") else 0
        depth = stack.worst_stack(work, f"{stem}_run", red_zone=red_zone)
        if depth.bytes is None:
            log(f"c99: no bound for the stack on {compiler.triple}: {depth.how}")
            return None
        sizes = footprint.sizes([made])
        scratch = _scratch(compiler, folder, work, stem, flags)
    words = f"{compiler.words} {_version(compiler)}".strip()
    target = Target(compiler.triple, words, flags, scratch, depth.bytes, sizes.code, asked)
    return _Measured(target, sizes.constants)


def _reports(compiler: Compiler, work: Path, stem: str) -> Sequence[str]:
    """Flags for a report of the stack beside the object; zig compiles elsewhere and has to be told where."""
    if compiler.is_zig:
        return (*stack.CLANG_FLAGS, "-Xclang", "-stack-usage-file", "-Xclang", str(work / f"{stem}.su"))
    return stack.GCC_FLAGS if compiler.accepts(stack.GCC_FLAGS, work) else stack.CLANG_FLAGS


def _scratch(compiler: Compiler, folder: Path, work: Path, stem: str, flags: Sequence[str]) -> int:
    """<NAME>_SCRATCH_BYTES as this compiler sees it: the size of an array of so many bytes."""
    macro = f"{stem.upper()}_SCRATCH_BYTES"
    (work / _PROBE).write_text(f'#include "{stem}.h"\nchar edgepde_probe[{macro} + 1];\n')
    arguments = [*flags, "-I", str(folder), "-I", str(folder / "kernels"), "-c", _PROBE, "-o", "probe.o"]
    compiler.run(arguments, work)
    sizes = [symbol.size for symbol in elf.read(work / "probe.o").symbols if symbol.name == "edgepde_probe"]
    if len(sizes) != 1:
        raise CompilerError(f"{compiler.words}: expected {macro} in {stem}.h, got none that compiles")
    return sizes[0] - 1


def _version(compiler: Compiler) -> str:
    """The version in the first line of --version, "" where it says none."""
    found = re.search(r"\b\d+(\.\d+)+", compiler.version)
    return found[0] if found else ""
