"""Many operators in a run folder: the shared part as weights.safetensors, one cassettes/<name>.npz per operator."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from edgepde_runtime import npz
from edgepde_runtime.errors import InputError
from torch import Tensor

from edgepde.errors import RunError
from edgepde.train import atomic
from edgepde.train.finished_run import FinishedRun, of_family
from edgepde.train.layout import CASSETTES
from edgepde.train.run_folder import NAME, Run

from . import branches
from .branches._branch import Branch
from .cassette import Cassette, Numbers
from .encoding import Encoding
from .model import SharedModel

FAMILY = "modno"
BRANCH, SENSOR_X = "branch.", "sensor_x"
MOST_NUMBERS, MOST_SENSORS, MOST_OPERATORS = 1 << 26, 4096, 1024
ARRAYS, MAYBE, ROWS = ("multiplier", "mixing", "basis"), ("left", "right", "reads"), ("low", "high")
SCALARS = ("frame", "scale", "horizon")
DTYPES = {"float32": torch.float32, "float64": torch.float64}
SIZES = ("terms", "modes", "rank", "delta", "linear_terms")
REALS = (np.dtype("<f2"), *npz.FLOATS)


@final
@dataclass(frozen=True, eq=False)
class Shared:
    """A model, the cassettes it takes, and per operator, in JSON, what is known of it (statement, unit, figures)."""

    model: SharedModel
    cassettes: Mapping[str, Cassette]
    about: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def numbers(self) -> int:
        """All that is stored: the branch's and every cassette's."""
        return shared_numbers(self.model) + sum(c.numbers for c in self.cassettes.values())


@final
@dataclass(frozen=True, eq=False)
class Loaded:
    """A run of this family."""

    run: FinishedRun
    shared: Shared


def shared_numbers(model: SharedModel) -> int:
    """Numbers that all operators share."""
    return sum(t.numel() for t in model.branch.state_dict().values())


def save(run: Run, made: Shared, problem: Mapping[str, Any], history: Mapping[str, Any]) -> None:
    """Finish a run: cassettes first, spec.json last.

    Raises RunError naming an operator that cannot be the name of a file, and a tensor that is not finite.
    """
    model, listed = made.model, {}
    atomic.make_folder(run.path / CASSETTES)
    for name, cassette in made.cassettes.items():
        if not NAME.fullmatch(name) or name != cassette.name:
            raise RunError(f"operator {name!r}: expected letters, digits, '_', '-' and '.', and the cassette's name")
        arrays = _arrays(cassette)
        for member, values in arrays.items():
            npz.check_finite(values, f"cassette {name}: {member}", RunError)
        data = npz.written(arrays)
        atomic.write_file(run.path / CASSETTES / f"{name}.npz", data)
        listed[name] = {"sha256": hashlib.sha256(data).hexdigest(), "notes": dict(cassette.notes)}
    encoding = model.encoding
    run.finish(
        {f"{BRANCH}{n}": t for n, t in model.branch.state_dict().items()}
        | {SENSOR_X: torch.from_numpy(encoding.sensor_x.copy())},
        {
            "family": FAMILY,
            "architecture": _architecture(model),
            "problem": dict(problem),
            "box": {
                name: {"low": [float(v) for v in c.low], "high": [float(v) for v in c.high]}
                for name, c in made.cassettes.items()
            },
            "units": {name: str(about.get("unit", "1")) for name, about in made.about.items()},
            "history": dict(history),
            FAMILY: {"cassettes": listed, "operators": {n: dict(about) for n, about in made.about.items()}},
        },
    )


def load(path: Path | str) -> Loaded:
    """Read a run; raises RunError naming file and field."""
    run, where, section = of_family(path, FAMILY)
    unknown = sorted(set(section) - {"cassettes", "operators"})
    if unknown:
        raise RunError(f"{where}: {FAMILY}: unknown keys {unknown}")
    model = _model(run, where)
    listed, about = (_object(section.get(key), f"{where}: {FAMILY}.{key}") for key in ("cassettes", "operators"))
    if not 1 <= len(listed) <= MOST_OPERATORS or set(about) != set(listed):
        raise RunError(f"{where}: {FAMILY}: expected the same 1 to {MOST_OPERATORS} names in cassettes and operators")
    folder = run.path / CASSETTES
    present = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
    extra = sorted(present - {f"{name}.npz" for name in listed})
    if extra:
        raise RunError(f"{folder}: expected the cassettes of spec.json, got {extra[:3]} as well")
    cassettes = {name: _cassette(folder, name, entry, model, where) for name, entry in listed.items()}
    operators = {name: _object(entry, f"{where}: {FAMILY}.operators.{name}") for name, entry in about.items()}
    return Loaded(run, Shared(model, cassettes, operators))


def _arrays(cassette: Cassette) -> dict[str, Numbers]:
    held: dict[str, Numbers] = {name: getattr(cassette, name) for name in ARRAYS + ROWS}
    held |= {name: np.array([float(getattr(cassette, name))]) for name in SCALARS}
    return held | {name: getattr(cassette, name) for name in MAYBE if getattr(cassette, name) is not None}


def _architecture(model: SharedModel) -> dict[str, Any]:
    sizes = model.sizes._asdict()
    kind = str(model.get_buffer("analysis").dtype).removeprefix("torch.")
    return {
        "name": FAMILY,
        "branch": dict(model.branch.description()),
        "period": model.encoding.period,
        "input_modes": model.encoding.modes,
        "dtype": kind,
        **{name: sizes[name] for name in SIZES},
    }


def _model(run: FinishedRun, where: str) -> SharedModel:
    stated = _object(run.spec["architecture"], f"{where}: architecture")
    wanted = {"name", "branch", "period", "input_modes", "dtype", *SIZES}
    if set(stated) != wanted or stated["name"] != FAMILY:
        raise RunError(f"{where}: architecture: expected {FAMILY} with {sorted(wanted)}, got {sorted(stated)}")
    sizes = {
        name: _whole(stated[name], 0 if name in ("delta", "rank", "modes") else 1, f"{where}: architecture.{name}")
        for name in (*SIZES, "input_modes")
    }
    if sizes["terms"] * (2 * sizes["modes"] + 1) * max(sizes["rank"], 1) > MOST_NUMBERS:
        raise RunError(f"{where}: architecture: expected a basis of at most {MOST_NUMBERS} numbers, got {sizes}")
    if stated["dtype"] not in DTYPES:
        raise RunError(f"{where}: architecture.dtype: expected one of {sorted(DTYPES)}, got {stated['dtype']!r}")
    x = run.weights.get(SENSOR_X)
    if x is None or x.dtype != torch.float64 or x.dim() != 1 or not 1 <= x.numel() <= MOST_SENSORS:
        got = "nothing" if x is None else f"{x.dtype} {list(x.shape)}"
        raise RunError(f"{where}: tensor {SENSOR_X}: expected float64 [S], S up to {MOST_SENSORS}, got {got}")
    period = _number(stated["period"], f"{where}: architecture.period")
    try:
        encoding = Encoding(x.numpy(), period, sizes.pop("input_modes"))
        branch = _branch(stated["branch"], run.weights, where)
        made = SharedModel(encoding, branch, **sizes, dtype=DTYPES[stated["dtype"]])
    except InputError as error:
        raise RunError(f"{where}: architecture: {error}") from None
    return made.eval()


def _branch(stated: Any, weights: Mapping[str, Tensor], where: str) -> Branch:
    held = {n.removeprefix(BRANCH): t for n, t in weights.items() if n.startswith(BRANCH)}
    unknown = sorted(n for n in weights if not n.startswith(BRANCH) and n != SENSOR_X)
    with torch.device("meta"):
        made = branches.build(_object(stated, f"{where}: architecture.branch"))
    expected = made.state_dict()
    missing, more = sorted(set(expected) - set(held)), unknown + sorted(set(held) - set(expected))
    if missing or more:
        raise RunError(f"{where}: tensors of the branch: missing {missing[:3]}, unknown {more[:3]}")
    for name, tensor in expected.items():
        got = held[name]
        if got.shape != tensor.shape or got.dtype not in DTYPES.values():
            wanted = f"a float of shape {list(tensor.shape)}"
            raise RunError(f"{where}: tensor {BRANCH}{name}: expected {wanted}, got {got.dtype} {list(got.shape)}")
    made.load_state_dict(held, assign=True)
    return made


def _cassette(folder: Path, name: str, entry: Any, model: SharedModel, where: str) -> Cassette:
    inside = f"{where}: {FAMILY}.cassettes.{name}"
    listed = _object(entry, inside)
    if not NAME.fullmatch(name) or set(listed) != {"sha256", "notes"}:
        raise RunError(f"{inside}: expected a name of letters, digits, '_', '-' and '.' with sha256 and notes")
    file = folder / f"{name}.npz"
    arrays, digest = npz.read_file(file, 16 * MOST_NUMBERS, RunError, dtypes=REALS)
    if digest != listed["sha256"]:
        raise RunError(f"{file}: altered: its sha256 is not that of {inside}")
    wanted = {*ARRAYS, *ROWS, *SCALARS}
    if not wanted <= set(arrays) or not set(arrays) <= wanted | set(MAYBE):
        raise RunError(f"{file}: expected {sorted(wanted)} (and left, right, reads), got {sorted(arrays)}")
    for member, values in arrays.items():
        npz.check_finite(values, f"{file}: {member}", RunError)
    scalars = {member: _single(arrays.pop(member), f"{file}: {member}") for member in SCALARS}
    frame = scalars.pop("frame")
    if frame not in (0.0, 1.0):
        raise RunError(f"{file}: frame: expected 0 or 1, got {frame}")
    try:
        held: dict[str, Any] = {**scalars, **arrays, "notes": _object(listed["notes"], f"{inside}.notes")}
        made = Cassette(name, bool(frame), **held)
        _check_box(made, len(model.encoding.sensor_x), file)
        made.arrays(model.sizes)
    except (InputError, ValueError) as error:
        raise RunError(f"{file}: {error}") from None
    return made


def _check_box(made: Cassette, sensors: int, file: Path) -> None:
    for name in ROWS:
        if getattr(made, name).shape != (sensors,):
            raise RunError(f"{file}: {name}: expected [{sensors}], got {list(getattr(made, name).shape)}")
    if not bool((made.low <= made.high).all()):
        raise RunError(f"{file}: low, high: expected low <= high for every sensor")
    for name in ("scale", "horizon"):
        if not getattr(made, name) > 0:
            raise RunError(f"{file}: {name}: expected a number above 0, got {getattr(made, name)}")


def _single(values: Numbers, where: str) -> float:
    if values.shape != (1,):
        raise RunError(f"{where}: expected [1], got {list(values.shape)}")
    return float(values[0])


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RunError(f"{where}: expected an object, got {type(value).__name__}")
    return value


def _whole(value: Any, least: int, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 1 << 16:
        raise RunError(f"{where}: expected a whole number from {least} to {1 << 16}, got {value!r}")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RunError(f"{where}: expected a number, got {value!r}")
    return float(value)
