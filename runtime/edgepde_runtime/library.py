"""From the folder c99/ of a bundle to a library: objects per instruction set, dispatch, link; one file in one step."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .compiler import BARE_METAL, Compiler, execute, for_target, required
from .errors import CompilerError
from .footprint import undefined_symbols
from .machine import cores

COMMON = ("-std=c99", "-fno-math-errno", "-ffp-contract=off", "-fno-trapping-math")
HOSTED = (*COMMON, "-O3", "-fPIC")
SMALL = (*COMMON, "-Os", "-ffunction-sections", "-fdata-sections")
INCLUDES = ("-I", "kernels", "-I", ".")
ISAS = {
    "scalar": (),
    "avx2": ("-mavx2", "-mfma", "-mf16c"),
    "avx512": ("-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"),
}
DISPATCH = "dispatch.c"
# Rounding twice, or a library's idea of it: kernels bring their own fma where there is no instruction.
FOREIGN_FMA = frozenset({"fma", "fmaf", "fmal"})


@dataclass(frozen=True)
class Built:
    """What was made and how: the library's path, the compiler's command, flags of all objects, instruction sets."""

    path: Path
    compiler: str
    flags: tuple[str, ...]
    isas: tuple[str, ...]


def stem_of(folder: Path) -> str:
    """The model's name in C: that of the one header directly in `folder`; raises CompilerError without one."""
    headers = sorted(path.stem for path in folder.glob("*.h"))
    if len(headers) != 1:
        raise CompilerError(f"c99/: expected one header, <name>.h, got {', '.join(headers) or 'none'}")
    return headers[0]


def file_name(stem: str, triple: str) -> str:
    """What the library of a model is called."""
    return f"lib{stem}.{'a' if triple in BARE_METAL else 'so'}"


def triples(names: Iterable[str]) -> set[str]:
    """The triples among the names of a bundle's files: lib/<triple>/..."""
    return {name.split("/")[1] for name in names if name.startswith("lib/") and name.count("/") > 1}


def build(folder: Path, out: Path, triple: str | None = None) -> Built:
    """Compiles the C99 sources in `folder` to the library `out`, for this machine or for `triple`.

    A shared library with every instruction set of x86-64 and a selector; for bare metal an archive of the model alone.
    Raises CompilerError naming what is missing, with the compiler's first error line.
    """
    compiler = required() if triple is None else for_target(triple)
    folder = folder.resolve()
    stem = stem_of(folder)
    bare = compiler.triple in BARE_METAL
    for name in (f"{stem}.c", *(() if bare else (DISPATCH,))):
        if not (folder / name).is_file():
            raise CompilerError(f"c99/{name} is missing")
    with tempfile.TemporaryDirectory(prefix=".edgepde-", dir=out.parent) as temporary:
        work = Path(temporary).resolve()
        made = _archive(compiler, folder, work, stem) if bare else _shared(compiler, folder, work, stem)
        os.chmod(work / "library", 0o755)
        os.replace(work / "library", out)
    return Built(out, compiler.words, made[0], made[1])


def _shared(compiler: Compiler, folder: Path, work: Path, stem: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    sets = instruction_sets(compiler, work)
    many = len(sets) > 1
    chosen = (*HOSTED, *(("-DEDGEPDE_DISPATCH_X86",) if many else ()))
    jobs = [(work / "dispatch.o", DISPATCH, chosen)]
    for name, flags in sets.items():
        suffix = (f"-DEDGEPDE_ISA={name}",) if many else ()
        jobs.append((work / f"{stem}_{name}.o", f"{stem}.c", (*HOSTED, *flags, *suffix)))
    with ThreadPoolExecutor(min(cores(), len(jobs))) as pool:
        objects = list(pool.map(lambda job: compile_object(compiler, folder, *job), jobs))
    compiler.run(["-shared", "-s", "-o", "library", *(path.name for path in objects)], work)
    return HOSTED, tuple(sets)


def _archive(compiler: Compiler, folder: Path, work: Path, stem: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    flags = (*SMALL, *BARE_METAL[compiler.triple])
    made = compile_object(compiler, folder, work / f"{stem}.o", f"{stem}.c", flags)
    execute([f"{compiler.tools}ar", "rcsD", "library", made.name], work)
    return flags, ("scalar",)


def instruction_sets(compiler: Compiler, work: Path) -> dict[str, tuple[str, ...]]:
    """The instruction sets to compile for: all of ISAS on x86-64 where the compiler knows them, else one."""
    x86 = compiler.triple.startswith("x86_64")
    if x86 and all(compiler.accepts(flags, work) for flags in ISAS.values() if flags):
        return dict(ISAS)
    return {"scalar": ()}


def compile_object(compiler: Compiler, folder: Path, out: Path, source: str, flags: Sequence[str]) -> Path:
    """One source of `folder` compiled to `out`; raises CompilerError, also where it calls an fma of a library."""
    compiler.run([*flags, *INCLUDES, "-c", source, "-o", str(out)], folder)
    foreign = FOREIGN_FMA & undefined_symbols([out]) if sys.platform.startswith("linux") else frozenset()
    if foreign:
        raise CompilerError(
            f"{compiler.words}: {source} calls {min(foreign)} of a library; expected the kernels' own or an instruction"
        )
    return out
