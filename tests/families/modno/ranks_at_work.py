"""What the processes of the tests of several ranks do; every function here is one rank's."""

from __future__ import annotations

import json
import os
import signal
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from families.modno.training_cases import branch, task
from safetensors.torch import save_file

from edgepde.modno import distributed
from edgepde.modno.training.fitting import Fitted
from edgepde.modno.training.settings import Fit
from edgepde.modno.training.task import Part, Task
from edgepde.modno.training.trainer import Trainer
from edgepde.train.follower import Follower
from edgepde.train.ranks import Ranks, joined
from edgepde.train.run_folder import Run

NAMES = ("a", "b", "c")
CPU = torch.device("cpu")
Settings = dict[str, Any]


def fitted(folder: Path, how: Settings, ranks: Ranks, name: str, seed: int = 0, dtype: str = "float64") -> Fitted:
    """A training of three operators whose checkpoints are written at every check."""
    torch.manual_seed(seed)
    kind = getattr(torch, dtype)
    shared, tasks = branch().to(kind), [cast(task(n), kind) for n in ranks.mine(NAMES)]
    identity = {"seed": seed}
    run = Run.start(folder / name, identity) if ranks.is_first else Follower(folder / name, identity, None)
    try:
        return distributed.fit(shared, tasks, Fit(**how), ranks, run, seed=seed, seconds=0.0)  # type: ignore[arg-type]
    finally:
        if isinstance(run, Run):
            run.close()


def cast(made: Task, dtype: torch.dtype) -> Task:
    """A task in another precision."""
    parts = [Part(*(t.to(dtype) for t in (p.inputs, p.targets, p.norms))) for p in (made.train, made.held)]
    assert made.points is not None
    return Task(made.name, *parts, points=made.points.to(dtype))


def numbers(found: Fitted) -> dict[str, torch.Tensor]:
    """All that was learned."""
    own = {f"operator.{n}": made.basis.contiguous() for n, made in found.operators.items()}
    return {f"branch.{n}": t.detach().clone() for n, t in found.branch.state_dict().items()} | own


def train(folder: Path, hows: dict[str, tuple[Settings, int, str]]) -> None:
    """One training (settings, seed, precision) after the other; every rank leaves what it learned in its own file."""
    with joined(CPU) as ranks:
        for name, (how, seed, dtype) in hows.items():
            before = ranks.sent
            found = fitted(folder, how, ranks, name, seed, dtype)
            errors = json.dumps({n: one.error for n, one in found.operators.items()})
            said = {"errors": errors, "sent": str(ranks.sent - before), "largest": str(ranks.largest)}
            save_file(numbers(found), folder / f"{name}-{ranks.rank}.safetensors", metadata=said)


def fail(folder: Path, how: Settings, step: int, way: str) -> None:
    """Rank 1 is killed, or stops answering, when so many steps are done; from then on rank 0 waits a second at most."""
    apply = Trainer.apply

    def ending(trainer: Trainer, slope: torch.Tensor) -> None:
        apply(trainer, slope)
        if trainer.course.step != step:
            return
        if os.environ["RANK"] == "0":
            trainer.reduce.__self__.wait = timedelta(seconds=1)  # type: ignore[attr-defined]
        elif way == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            threading.Event().wait()

    Trainer.apply = ending  # type: ignore[method-assign]
    train(folder, {"run": (how, 0, "float64")})


def exchange(folder: Path) -> None:
    """Sums in the order of ranks, bytes of different lengths, what differs between ranks."""
    with joined(CPU) as ranks:
        total = ranks.sum(torch.tensor([[1e16, 1.0, -1e16][ranks.rank], 1.0], dtype=torch.float64))
        held = ranks.everyone(b"x" * ranks.rank)
        said = ""
        try:
            ranks.agree("branch", b"same" if ranks.rank < 2 else b"other")
        except Exception as error:
            said = str(error)
        told = {
            "total": total.tolist(),
            "held": [h.decode() for h in held],
            "said": said,
            "mine": ranks.mine("abcdefg"),
        }
        (folder / f"rank-{ranks.rank}.json").write_text(json.dumps(told))


def command(folder: Path, *words: str) -> None:
    """`edgepde train` as one rank."""
    from edgepde_export.cli.main import app

    with open(folder / f"rank-{os.environ['RANK']}.out", "w") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
        app(["train", *words], standalone_mode=False)
