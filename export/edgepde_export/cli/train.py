"""`edgepde train`: from a recipe to a run folder."""

from __future__ import annotations

import errno
import os
import shlex
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from edgepde_runtime.errors import EdgePDEError

from edgepde.errors import RecipeError, TrainingError

from .outcome import INTERRUPTED

if TYPE_CHECKING:
    from edgepde.train.holdout import HeldOut
    from edgepde.train.recipe import Recipe

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


class Device(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


@dataclass(frozen=True)
class Order:
    """What was typed."""

    recipe: str
    out: Path
    device: str
    quick: bool
    seed: int
    settings: tuple[str, ...]
    data: Path | None
    sweep: str | None = None
    launched: str = ""

    @property
    def command(self) -> str:
        """The command line that repeats this order, and so resumes it."""
        words = ["edgepde", "train", self.recipe, "--out", str(self.out)]
        words += ["--device", self.device] * (self.device != "auto")
        words += ["--quick"] * self.quick
        words += ["--seed", str(self.seed)] * (self.seed != 0)
        words += [word for setting in self.settings for word in ("--set", setting)]
        words += ["--data", str(self.data)] * (self.data is not None)
        words += ["--sweep", self.sweep] if self.sweep is not None else []
        return self.launched + shlex.join(words)


def command(
    *,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Name of a recipe, or a file of your own (*.py).")],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder to write; an unfinished one is resumed.")],
    device: Annotated[Device, typer.Option("--device", help="auto takes a GPU where there is one.")] = Device.auto,
    quick: Annotated[bool, typer.Option("--quick", help="The recipe's small settings: a trial, not a result.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed and settings, same run.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one field of the recipe's Config.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FILE.npz|FOLDER", help="Held-out data, or what the recipe trains on: its docs say which."
        ),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep", metavar="NAME,..", help="Train several sizes to compare: error, numbers, passes of each."
        ),
    ] = None,
) -> None:
    """Train a surrogate of a PDE and keep it in a folder.

    A recipe is a PDE with settings that work; a file of your own that defines PROBLEM is one too. Start with --quick to
    see the whole path in a minute, then train without it. Ctrl-C loses nothing that is finished: the same command
    resumes. The next stage is `edgepde export RUN --out BUNDLE`. Recipes of many operators can also be started as
    `torchrun --nproc-per-node K --no-python edgepde train ...`.
    """
    order = Order(recipe, out, device.value, quick, seed, tuple(settings or ()), data, sweep, _launcher())
    try:
        _train(order)
    except KeyboardInterrupt:
        begun = (out / "checkpoint").is_dir()
        kept = (
            f"finished parts are kept in {out}, resume with" if begun else "nothing was written yet, start again with"
        )
        typer.echo(f"edgepde train: interrupted; {kept}: {order.command}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        where = f"{error.filename}: " if error.filename else ""
        kept = f"finished parts are kept in {out}, resume with: {order.command}"
        raise TrainingError(f"{where}{error.strerror}; {kept}") from error


def _train(order: Order) -> None:
    from edgepde.train.device import pick_device, seed_all
    from edgepde.train.follower import Follower
    from edgepde.train.ranks import place
    from edgepde.train.recipe import apply_settings, load_recipe
    from edgepde.train.run_folder import Run
    from edgepde.train.spec import plain

    recipe = load_recipe(order.recipe)
    config = apply_settings(recipe.config(order.quick), order.settings)
    device = pick_device(order.device)
    rank, size = place()
    names = _swept(order, recipe, size)
    data, digest = _data(order, recipe)
    identity = _identity(order, recipe, config, digest)
    seed_all(order.seed)
    if rank > 0:
        _call(recipe, config, Follower(order.out, plain(identity, "identity"), data), device)
        return
    began = time.monotonic()
    with Run.start(order.out, identity, data=data, command=order.command) as run:
        if run.resumed:
            typer.echo(f"resuming {order.out}: {len(run.names())} parts are there", err=True)
        _call(recipe, config, run, device, names)
        finished = run.finished
    if names:
        return
    if not finished:
        raise TrainingError(f"{recipe.source}: train returned without run.finish(weights, spec)")
    _tell(order, time.monotonic() - began, str(device))


def _swept(order: Order, recipe: Recipe, size: int) -> tuple[str, ...]:
    """The names of --sweep; raises RecipeError for one the recipe does not know and where it does not run like this."""
    if size > 1 and (not recipe.in_ranks or order.sweep is not None):
        what = f"recipe {recipe.name}" if order.sweep is None else "--sweep"
        raise RecipeError(f"{what}: runs in one process, WORLD_SIZE says {size}; start it without torchrun")
    if order.sweep is None:
        return ()
    names = tuple(name.strip() for name in order.sweep.split(",") if name.strip())
    unknown = [name for name in names if name not in recipe.sweeps]
    if unknown or not names:
        known = ", ".join(recipe.sweeps) or "nothing for this recipe"
        raise RecipeError(f"--sweep {order.sweep}: expected {known}, got {', '.join(unknown) or 'no name'}")
    return names


def _launcher() -> str:
    """What torchrun was started with, as far as it matters; nothing without it."""
    size = os.environ.get("LOCAL_WORLD_SIZE", "1")
    return f"torchrun --nproc-per-node {size} --no-python " if size.isdigit() and size != "1" else ""


def _data(order: Order, recipe: Recipe) -> tuple[Any, str | None]:
    """What --data holds, as the recipe reads it, and its sha256."""
    if order.data is None:
        return None, None
    if recipe.read_data is not None:
        return recipe.read_data(order.data)
    held = _held_out(order.data, recipe)
    return held, held.sha256


def _held_out(path: Path, recipe: Recipe) -> HeldOut:
    from edgepde.train.holdout import read_held_out

    data = read_held_out(path)
    if recipe.problem is not None:
        data.check_inside(recipe.problem.parameters, recipe.problem.coordinates)
    return data


def _identity(order: Order, recipe: Recipe, config: Any, digest: str | None) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "recipe_sha256": recipe.sha256 if recipe.is_own else None,
        "config": config,
        "seed": order.seed,
        "data_sha256": digest,
        **({"sweep": order.sweep} if order.sweep is not None else {}),
    }


def _call(recipe: Recipe, config: Any, run: Any, device: Any, swept: tuple[str, ...] = ()) -> None:
    """Train, or compare sizes; a bug inside a user's own file is told with its line and without our frames."""
    from edgepde.train.recipe import where_it_failed

    try:
        if swept and recipe.sweep is not None:
            typer.echo(recipe.sweep(config, run, device, swept))
        else:
            recipe.train(config, run, device)
    except (EdgePDEError, OSError):
        raise
    except Exception as error:
        if recipe.is_own and (line := where_it_failed(recipe.source, error)):
            raise RecipeError(f"{line}\nfinished parts are kept in {run.path}") from error
        error.add_note(f"finished parts are kept in {run.path}; the same command resumes")
        raise


def _tell(order: Order, seconds: float, device: str) -> None:
    from edgepde.train.progress import duration
    from edgepde.train.run_folder import open_run

    made = open_run(order.out)
    problem = made.spec["problem"]
    name = problem if isinstance(problem, str) else problem.get("name", "a problem")
    size = sum(t.numel() * t.element_size() for t in made.weights.values())
    typer.echo(
        f"{order.out}: {made.spec['family']} of {name}, {len(made.weights)} tensors, {size / 1024:.1f} KB, "
        f"{duration(seconds)} on {device}"
    )
    from ..exporting import families

    if made.spec["family"] not in families():
        return
    bundle = order.out.parent / "bundle"
    typer.echo(f"next: {shlex.join(['edgepde', 'export', str(order.out), '--out', str(bundle)])}")
