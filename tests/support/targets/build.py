"""Compiling and running."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.targets.target import CONTRACT, HERE, Program, Target

ROOT = Path(__file__).parents[3]
RUNTIME = ROOT / "runtime" / "edgepde_runtime"


class BuildFailed(Exception):  # noqa: N818
    """The compiler or linker refused; the message holds the command and what it said."""


class RunFailed(Exception):  # noqa: N818
    """A program did not end with status 0 in time; the message holds what it printed."""


def kernel_folders() -> tuple[Path, ...]:
    """Where headers of kernels are: the shared folder and every op's room that has one."""
    rooms = sorted({header.parent for header in (RUNTIME / "ops").glob("*/*.h")})
    return (RUNTIME / "kernels", *rooms)


def build_objects(
    target: Target,
    sources: Sequence[Path],
    out_dir: Path,
    *,
    includes: Sequence[Path] | None = None,
    defines: Sequence[str] = (),
    optimise: str | None = None,
    extra: Sequence[str] = (),
) -> tuple[Path, ...]:
    """One object per source in out_dir; includes: kernel_folders() unless given; defines: "NAME" or "NAME=value".

    Raises BuildFailed, and ValueError where two sources have one name.
    """
    names = [source.stem for source in sources]
    if len(set(names)) != len(names):
        raise ValueError(f"expected sources of different names, got {sorted(names)}")
    out_dir.mkdir(parents=True, exist_ok=True)
    folders = (HERE, *(kernel_folders() if includes is None else includes))
    words = [*target.compiler, *CONTRACT, optimise or target.optimise, *target.flags]
    words += [
        *(f"-D{define}" for define in defines),
        *(word for folder in folders for word in ("-iquote", str(folder))),
        *extra,
    ]
    objects = tuple(out_dir / f"{name}.o" for name in names)
    for source, made in zip(sources, objects, strict=True):
        _call([*words, "-c", str(source), "-o", str(made)])
    return objects


def build(
    target: Target,
    sources: Sequence[Path],
    out_dir: Path,
    *,
    includes: Sequence[Path] | None = None,
    defines: Sequence[str] = (),
    optimise: str | None = None,
    extra: Sequence[str] = (),
) -> Program:
    """A program out_dir/program from C99 sources; one of them has main. Arguments and errors as build_objects."""
    objects = build_objects(
        target, sources, out_dir, includes=includes, defines=defines, optimise=optimise, extra=extra
    )
    path = out_dir / "program"
    words = [*target.compiler, *target.flags, optimise or target.optimise, *extra]
    _call([*words, *map(str, objects), *target.link, "-o", str(path)])
    return Program(target, path, objects)


def run(program: Program, timeout: float | None = None) -> str:
    """What the program prints; timeout in seconds, the target's patience unless given. Raises RunFailed."""
    words = [*program.target.runner, str(program.path)]
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout or program.target.patience,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        printed = (late.stdout or b"")[-2000:]
        raise RunFailed(
            f"{program.target}: {program.path} did not end in {late.timeout:g} s; printed {printed!r}"
        ) from None
    if done.returncode != 0:
        said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise RunFailed(f"{program.target}: {program.path} ended with status {done.returncode}:\n{said}")
    return done.stdout


def _call(words: Sequence[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise BuildFailed(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
