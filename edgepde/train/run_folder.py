"""The folder a training writes: checkpoints while it goes on, weights.safetensors and spec.json when it is done."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from torch import Tensor

from edgepde.errors import RunError
from edgepde.train import spec as text
from edgepde.train import tensor_file
from edgepde.train.atomic import TEMPORARY, make_folder, remove_leftovers, write_file
from edgepde.train.finished_run import FinishedRun, open_run
from edgepde.train.layout import CHECKPOINT, ENTRIES, IDENTITY, LEDGER, LOCK, REFERENCE, SPEC, WEIGHTS
from edgepde.train.lock import Lock
from edgepde.train.progress import Progress, progress

__all__ = ["FinishedRun", "Run", "open_run"]
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
SUFFIX = ".safetensors"


@final
class Run:
    """A training in its folder: save and restore parts, finish once. Made by `Run.start`; a context manager.

    path: the folder. identity: what this training is (recipe, config, seed). data: held-out data, if given, or
    what the recipe reads of it. resumed: whether an earlier, unfinished training of this identity was found. Where an
    error ends the training before a part is saved, nothing stays behind.
    """

    def __init__(self, path: Path, identity: dict[str, Any], lock: Lock, data: Any, resumed: bool) -> None:
        self.path = path
        self.identity = identity
        self.data = data
        self.resumed = resumed
        self.finished = False
        self._lock = lock

    @classmethod
    def start(
        cls,
        path: Path | str,
        identity: Mapping[str, Any],
        resume: bool = True,
        data: Any = None,
        command: str = "",
    ) -> Run:
        """Create the folder, or resume what it holds if that is unfinished and of the same identity.

        command: what a person types to start it, repeated in messages. Raises RunError for a folder of another
        identity, a finished run, files that are not of a run, a folder in use, and one that cannot be written.
        """
        folder, mine = Path(path), text.plain(dict(identity), "identity")
        _refuse_foreign(folder)
        make_folder(folder / CHECKPOINT)
        lock = Lock(folder / LOCK)
        try:
            known = (folder / IDENTITY).exists()
            if known:
                _refuse_other(folder, mine, resume)
            else:
                write_file(
                    folder / IDENTITY, text.write_json({"schema_version": 1, "identity": mine, "command": command})
                )
            remove_leftovers(folder)
            remove_leftovers(folder / CHECKPOINT)
        except BaseException:
            lock.release()
            raise
        return cls(folder, mine, lock, data, known)

    @property
    def seed(self) -> int:
        """The seed of the identity, 0 where it names none."""
        return int(self.identity.get("seed") or 0)

    def save(self, name: str, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Keep a part: checkpoint/<name>.safetensors, replaced in one step. meta: JSON, NaN and infinity allowed.

        Raises RunError where it cannot be written; what was saved before stays.
        """
        write_file(self._checkpoint(name), tensor_file.encode(tensors, meta))

    def restore(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """A part saved before, on the CPU, or None. Raises RunError naming a file that is truncated or altered."""
        path = self._checkpoint(name)
        if not path.exists():
            return None
        try:
            return tensor_file.decode(path)
        except RunError as error:
            raise RunError(f"{error}; delete this file and repeat the command, the other parts are kept") from None

    def names(self) -> list[str]:
        """The names of all saved parts, sorted."""
        return sorted(path.name.removesuffix(SUFFIX) for path in (self.path / CHECKPOINT).glob(f"[!.]*{SUFFIX}"))

    def finish(
        self,
        weights: Mapping[str, Tensor],
        spec: Mapping[str, Any],
        reference: Mapping[str, Tensor] | None = None,
        ledger: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the result, spec.json last, and give the folder free; checkpoints stay.

        spec: family, architecture, problem, box; units, history and a section named after the family where wanted;
        the rest is filled in. reference, ledger: those of a compressed run.
        Raises RunError naming a tensor that is not finite or a key that breaks the format; nothing is written then.
        """
        for file, tensors in ((WEIGHTS, weights), (REFERENCE, reference or {})):
            tensor_file.refuse_not_finite(file, tensors)
        data = tensor_file.encode(weights, {"family": spec.get("family", "")})
        document = text.write_json(self._complete(spec, weights, data))
        ledger_data = text.write_json(text.plain(ledger, LEDGER)) if ledger is not None else None
        write_file(self.path / WEIGHTS, data)
        if reference is not None:
            write_file(self.path / REFERENCE, tensor_file.encode(reference, {}))
        if ledger_data is not None:
            write_file(self.path / LEDGER, ledger_data)
        write_file(self.path / SPEC, document)
        self.finished = True
        self.close()

    def progress(self, label: str, total: float | None = None) -> AbstractContextManager[Progress]:
        """A progress display of one stage, see `edgepde.train.progress`."""
        return progress(label, total)

    def close(self) -> None:
        """Give the folder free for another process; a second call does nothing."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed = kind is not None and self.path.is_dir()  # who failed may have removed it
        held = {entry.name for entry in self.path.iterdir()} if failed else set()
        empty = held == {CHECKPOINT} and not self.names()
        if empty:
            (self.path / IDENTITY).unlink(missing_ok=True)
        self.close()
        if empty:
            _remove_empty(self.path / CHECKPOINT, self.path)

    def _checkpoint(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise RunError(f"checkpoint {name!r}: expected letters, digits, '_', '-' and '.', at most 100")
        return self.path / CHECKPOINT / f"{name}{SUFFIX}"

    def _complete(self, spec: Mapping[str, Any], weights: Mapping[str, Tensor], data: bytes) -> dict[str, Any]:
        given = {key: text.plain(value, f"{SPEC}: {key}", lenient=key == "history") for key, value in spec.items()}
        defaults = {"seed": self.seed, "units": {}, "history": {}}
        made = {
            "schema_version": text.SCHEMA_VERSION,
            "versions": text.versions(),
            "identity": self.identity,
            "tensors": tensor_file.layout(weights),
            "weights_sha256": hashlib.sha256(data).hexdigest(),
        }
        return text.check({**defaults, **given, **made}, self.path / SPEC)


def _remove_empty(*folders: Path) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _refuse_foreign(folder: Path) -> None:
    if (folder / SPEC).exists():
        raise RunError(f"{folder}: holds a finished run; give another --out, or delete the folder to train again")
    try:
        held = sorted(p.name for p in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise RunError(f"{folder}: expected a folder: {error.strerror}; give another --out") from error
    foreign = [name for name in held if name not in ENTRIES and not name.startswith(TEMPORARY)]
    if foreign:
        shown = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        raise RunError(f"{folder}: holds files that are not of a run ({shown}); give another --out")
    begun = (folder / IDENTITY).exists()
    if not begun and set(held) - {CHECKPOINT}:
        raise RunError(f"{folder}: holds {held} without {IDENTITY}; give another --out")


def _refuse_other(folder: Path, mine: dict[str, Any], resume: bool) -> None:
    if not resume:
        raise RunError(f"{folder}: holds an unfinished run; give another --out, or resume it")
    kept = text.read_json(folder / IDENTITY)
    if not isinstance(kept, dict) or not isinstance(kept.get("identity"), dict):
        raise RunError(f"{folder / IDENTITY}: expected an object with a section identity; give another --out")
    if kept.get("schema_version") != 1:
        raise RunError(f"{folder / IDENTITY}: schema_version: expected 1, got {kept.get('schema_version')!r}")
    found = list(_differences(kept["identity"], mine, ""))
    if found:
        command = f" (`{kept['command']}` resumes it)" if kept.get("command") else ""
        raise RunError(
            f"{folder}: holds an unfinished run of another identity{command}: {'; '.join(found)}; give another --out"
        )


def _differences(kept: Any, mine: Any, where: str) -> list[str]:
    if isinstance(kept, dict) and isinstance(mine, dict):
        keys = sorted(set(kept) | set(mine))
        return [
            line for key in keys for line in _differences(kept.get(key), mine.get(key), f"{where}.{key}".lstrip("."))
        ]
    return [] if kept == mine else [f"{where}: {kept!r} there, {mine!r} asked"]
