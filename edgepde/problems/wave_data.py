"""Wave data made on all cores and kept case by case: the same numbers whatever the cores, and after any interruption.

python -m edgepde.problems.wave_data --out wave.npz --cases 700
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import final

import numpy as np
from edgepde_runtime import npz
from edgepde_runtime.errors import EdgePDEError
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from edgepde.errors import DataError
from edgepde.train.atomic import make_folder, remove_leftovers, write_file
from edgepde.train.progress import progress
from edgepde.train.settings import apply_settings

from .wave2d import Wave2D
from .wave2d_plate import Plate, checked_plate
from .zone import ZoneData, read

VERSION = 1
AT_ONCE = 8
IDENTITY = "identity.json"
Field = NDArray[np.float32]


def cached(config: Wave2D, cases: int, seed: int, folder: Path | str, workers: int = 0) -> ZoneData:
    """The cases 0 .. cases - 1 of a seed: read from the folder, or made and kept there as wave-<key>.npz.

    The key is a hash of everything the numbers depend on: another configuration has another file. workers: processes,
    0 for one per core. Raises RunError where the folder cannot be written.
    """
    path = Path(folder) / f"wave-{key(config, cases, seed)}.npz"
    return read(path) if path.exists() else make(path, config, cases, seed, workers)


def make(path: Path, config: Wave2D, cases: int, seed: int = 0, workers: int = 0) -> ZoneData:
    """Simulate the cases and write the npz; what is done is kept in <path>.parts until then, and never done twice.

    Raises DataError for parts of another configuration or seed, or damaged ones; ProblemError as wave2d.checked_plate.
    """
    if cases < 1:
        raise DataError(f"{path}: cases: expected at least 1, got {cases}")
    checked_plate(config)
    parts = Parts(path.with_name(path.name + ".parts"), config, seed)
    chunks = [(first, min(AT_ONCE, cases - first)) for first in range(0, cases, AT_ONCE)]
    missing = [chunk for chunk in chunks if not parts.has(*chunk)]
    left = sum(count for _, count in missing)
    with progress("simulations", left) as bar:
        if left < cases:
            bar.note(f"{cases - left} of {cases} were there")
        with _solver(config, seed, min(workers or _cores(), len(missing))) as solve:
            for first, count, field in solve(missing):
                parts.save(first, count, field)
                bar.advance(count)
    made = config.zone(config.parameters(seed, 0, cases), np.concatenate([parts.load(*chunk) for chunk in chunks]))
    made.write(path)
    parts.remove()
    return made


def key(config: Wave2D, cases: int, seed: int) -> str:
    """16 letters that stand for everything the numbers depend on."""
    return hashlib.sha256(f"{_identity(config, seed)} {cases}".encode()).hexdigest()[:16]


@final
class Parts:
    """The folder of finished parts: files of up to AT_ONCE cases, there whole or not at all.

    Raises DataError where the folder holds parts of another identity.
    """

    def __init__(self, folder: Path, config: Wave2D, seed: int) -> None:
        self.folder, self.grid = folder, (config.nt, config.ny, config.nx)
        mine = _identity(config, seed)
        held = folder / IDENTITY
        if held.exists():
            _refuse_other(held, mine)
        elif folder.is_dir() and any(folder.iterdir()):
            raise DataError(f"{folder}: holds files without {IDENTITY}; delete it, or give another --out")
        else:
            make_folder(folder)
            write_file(held, mine.encode())
        remove_leftovers(folder)

    def has(self, first: int, count: int) -> bool:
        """Whether a part is finished."""
        return self._path(first, count).exists()

    def save(self, first: int, count: int, field: Field) -> None:
        """Keep a part in one step."""
        held = io.BytesIO()
        np.savez(held, allow_pickle=False, field=field)
        write_file(self._path(first, count), held.getvalue())

    def load(self, first: int, count: int) -> Field:
        """A finished part [count, T, Y, X]; DataError naming a file that is damaged."""
        path, shape = self._path(first, count), (count, *self.grid)
        limit = 4 * int(np.prod(shape)) + 4096
        field = npz.read_file(path, limit, DataError, members=("field",))[0]["field"]
        if field.shape != shape or field.dtype != np.float32:
            raise DataError(f"{path}: field: expected float32 {list(shape)}, got {field.dtype} {list(field.shape)}")
        npz.check_finite(field, f"{path}: field", DataError)
        return field

    def remove(self) -> None:
        """Delete the folder."""
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()

    def _path(self, first: int, count: int) -> Path:
        return self.folder / f"cases-{first:06d}-{first + count:06d}.npz"


def _identity(config: Wave2D, seed: int) -> str:
    return json.dumps({"version": VERSION, "seed": seed, **asdict(config)}, sort_keys=True)


def _refuse_other(path: Path, mine: str) -> None:
    try:
        there, asked = json.loads(path.read_text(encoding="utf-8")), json.loads(mine)
        names = sorted(name for name in {*there, *asked} if there.get(name) != asked.get(name))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{path}: cannot be read: {error}; delete {path.parent}, or give another --out") from None
    if names:
        found = "; ".join(f"{name}: {there.get(name)} there, {asked.get(name)} asked" for name in names)
        raise DataError(f"{path.parent}: holds parts of other data: {found}; delete it, or give another --out")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


Chunks = list[tuple[int, int]]
Solved = Iterator[tuple[int, int, Field]]


@contextmanager
def _solver(config: Wave2D, seed: int, workers: int) -> Iterator[Callable[[Chunks], Solved]]:
    """A function that gives (first, count, field) of every chunk as it is done, here or in processes."""
    if workers <= 1:
        with threadpool_limits(limits=1):
            yield lambda chunks: _here(config, seed, chunks)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (config,))
    try:
        yield lambda chunks: _in(pool, config, seed, chunks)
    finally:
        pool.shutdown(cancel_futures=True)


def _here(config: Wave2D, seed: int, chunks: Chunks) -> Solved:
    for first, count in chunks:
        yield first, count, _solved(checked_plate(config), config.parameters(seed, first, count))


def _in(pool: ProcessPoolExecutor, config: Wave2D, seed: int, chunks: Chunks) -> Solved:
    asked: dict[Future[Field], tuple[int, int]] = {
        pool.submit(_work, config.parameters(seed, *chunk)): chunk for chunk in chunks
    }
    for future in as_completed(asked):
        yield *asked[future], future.result()


_configs: list[Wave2D] = []


def _start(config: Wave2D) -> None:
    """A process: one thread, deaf to Ctrl-C, which its parent hears; matrices made once; ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()
    threadpool_limits(limits=1)
    _configs[:] = [config]


def _follow() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(parameters: NDArray[np.float64]) -> Field:
    return _solved(checked_plate(_configs[0]), parameters)


def _solved(made: Plate, parameters: NDArray[np.float64]) -> Field:
    return np.stack([made.solve(case) for case in parameters])


def main(arguments: list[str] | None = None) -> int:
    """The command: a data file, its summary and picture. Exit codes: 0, 2 what cannot be done, 130 Ctrl-C."""
    from .zone_plot import show

    given = _parser().parse_args(arguments)
    path = Path(given.out)
    try:
        config = apply_settings(Wave2D().quick() if given.quick else Wave2D(), given.set)
        if path.exists():
            raise DataError(f"{path}: is there already; delete it, or give another --out")
        plate = checked_plate(config)
        print(
            f"{plate.unknowns} unknowns, P2; step {plate.step:.4g} ms, limit {plate.limit:.4g} ms, "
            f"Courant number {plate.courant:.2f}",
            file=sys.stderr,
        )
        show(make(path, config, given.cases, given.seed, given.workers), path.with_suffix(".png"))
    except EdgePDEError as error:
        print(f"wave_data: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("wave_data: interrupted; finished cases are kept, the same command resumes", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m edgepde.problems.wave_data", description="Make wave data.")
    made.add_argument("--out", required=True, metavar="FILE.npz", help="the file to write; a .png beside it")
    made.add_argument("--cases", type=int, default=700, metavar="N", help="how many (default: 700)")
    made.add_argument("--seed", type=int, default=0, metavar="N", help="of the parameters drawn (default: 0)")
    made.add_argument("--workers", type=int, default=0, metavar="N", help="processes; 0: one per core")
    made.add_argument("--quick", action="store_true", help="a coarse mesh and zone")
    made.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a field of wave2d.Wave2D")
    return made


if __name__ == "__main__":
    sys.exit(main())
