"""What a run keeps of its held-out cases: how far the simulator is from their fields, and a few of them to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgepde.errors import RunError
from edgepde.problems.zone import ZoneData
from edgepde.train import tensor_file
from edgepde.train.layout import CHECKPOINT
from edgepde.train.run_folder import SUFFIX, Run

from .description import Description, UNet
from .store import Simulator
from .tasks import AT_ONCE, predicted, rolled

PART = "examples"
Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Examples:
    """Held-out cases, from the best to the worst: parameters [K, P] named so, fields [K, T, Y, X] of the solution."""

    parameters: Array
    names: tuple[str, ...]
    units: tuple[str, ...]
    fields: NDArray[np.float32]


def keep(run: Run, made: Simulator, test: ZoneData) -> list[float]:
    """Keep the best, the middle and the worst held-out case in the run's folder.

    The relative L2 error of every frame over all cases: what history says under "frame_errors". Of a U-Net that of
    whole rollouts, so that it shows how errors grow.
    """
    x, u = torch.from_numpy(test.parameters).float(), torch.from_numpy(test.field)
    errors, frames = _errors(made, x, u)
    order = np.argsort(errors, kind="stable")
    chosen = list(dict.fromkeys(int(order[i]) for i in (0, len(order) // 2, len(order) - 1)))
    tensors = {"parameters": torch.from_numpy(test.parameters[chosen]), "fields": u[chosen].clone()}
    run.save(PART, tensors, {"names": list(test.names), "units": list(test.units)})
    return [float(e) for e in frames]


def read(path: Path) -> Examples | None:
    """The cases a run kept, None where it kept none; raises RunError for a damaged file."""
    where = path / CHECKPOINT / f"{PART}{SUFFIX}"
    if not where.is_file():
        return None
    tensors, meta = tensor_file.decode(where)
    try:
        parameters, fields = (tensors[name].numpy() for name in ("parameters", "fields"))
        names, units = (tuple(str(text) for text in meta[name]) for name in ("names", "units"))
    except (KeyError, TypeError) as error:
        raise RunError(f"{where}: expected parameters, fields, names and units: {error}") from None
    if fields.ndim != 4 or parameters.shape != (len(fields), len(names)) or len(units) != len(names) or not len(fields):
        raise RunError(f"{where}: expected fields [K, T, Y, X] and parameters [K, {len(names)}], got {fields.shape}")
    if not (np.isfinite(fields).all() and np.isfinite(parameters).all()):
        raise RunError(f"{where}: expected finite numbers")
    return Examples(parameters.astype(np.float64), names, units, fields.astype(np.float32))


def shown(description: Description, module: Callable[[Tensor], Tensor], kept: Examples) -> NDArray[np.float32]:
    """What a simulator makes of the cases kept [K, T', Y, X]; of a U-Net the rollout from the first k frames."""
    x, u = torch.from_numpy(kept.parameters).float(), torch.from_numpy(kept.fields)
    if isinstance(description, UNet):
        return _rollout(description, module, u).numpy()
    with torch.no_grad():
        return module(x).numpy()


def _errors(made: Simulator, x: Tensor, u: Tensor) -> tuple[Array, Array]:
    """Relative L2 error of each case, and of each frame over all cases."""
    how = made.description
    if isinstance(how, UNet):
        found = torch.cat([_rollout(how, made.module, part) for part in u.split(AT_ONCE)])
        u = u[:, how.past : how.past + found.shape[1]]
    else:
        found = predicted(made.module, x)
    wrong, size = (found - u).double().square(), u.double().square()
    cases = (wrong.sum((1, 2, 3)) / size.sum((1, 2, 3)).clamp(min=1e-30)).sqrt()
    frames = (wrong.sum((0, 2, 3)) / size.sum((0, 2, 3)).clamp(min=1e-30)).sqrt()
    return cases.nan_to_num(1e6, 1e6).numpy(), frames.nan_to_num(1e6, 1e6).numpy()


def _rollout(how: UNet, module: Callable[[Tensor], Tensor], u: Tensor) -> Tensor:
    steps = (u.shape[1] - how.past) // how.future
    with torch.no_grad():
        return rolled(module, u[:, : how.past], steps)  # type: ignore[arg-type]
