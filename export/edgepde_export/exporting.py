"""export(): what was given -> its family's lowering -> limits -> a bundle."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from edgepde_runtime.limits import class_name, positive
from edgepde_runtime.manifest import is_name

from edgepde.certify.family import Family
from edgepde.certify.prove import SECONDS
from edgepde.mollifier.grid import Grid
from edgepde.problems.equation import Equation
from edgepde.problems.problem import Problem

from . import lowering
from .appending import grid_of, noted, request
from .bundle import BundleContent, check_target, write
from .domain import parse_domain
from .errors import SourceError
from .family import family_of, hull
from .limits import MaxError, check_limits, given_limits, smallest_limit
from .lowering.appended import Compression
from .lowering.blocks import check as check_blocks
from .lowering.convolutions import check as check_convolutions
from .lowering.module import lower as lower_module
from .lowering.monitoring import Threshold, fewest_level
from .lowering.options import Naming, Options
from .native import asked
from .passes.precision import check as check_precision
from .passes.simplify import Log, to_stderr
from .source import is_callable_source, load_module

TARGETS = ("onnx", "c99")
GRID_ALONE = "--grid and --derivative-form are about --derivatives or --residual: neither was given"


def export(
    obj: Any,
    target: str | Path,
    *,
    domain: Box | str | None = None,
    targets: str | Sequence[str] = ("onnx",),
    cc: str | Sequence[str] = (),
    max_error: MaxError = None,
    min_class: str | None = None,
    max_ram_kb: str | float | None = None,
    max_flash_kb: str | float | None = None,
    precision: str = "f32",
    blocks: str = "auto",
    convolutions: str = "auto",
    input_accuracy: str | None = None,
    family: str | Path | Family | None = None,
    with_reference: bool = False,
    prove_seconds: float = SECONDS,
    data: str | Path | None = None,
    derivatives: str | Sequence[str] | None = None,
    residual: str | Equation | Problem | None = None,
    grid: str | Grid | None = None,
    derivative_form: str | None = None,
    false_alarm: float | None = None,
    naming: Naming | None = None,
    seed: int = 0,
    log: Log = to_stderr,
    adding: Callable[[BundleContent], BundleContent] | None = None,
) -> Path:
    """Write the bundle of `obj` to folder `target` and return its path; nothing is written where a limit is exceeded.

    obj: torch.nn.Module | result of compress | path of a run | "FILE.py:callable" | path of MODEL.onnx.
    targets: "onnx" (always written) and "c99". cc: triples the C code is compiled for, into lib/<triple>/.
    naming: what the bundle is called; without it a network is called after `target`, a run after its problem.
    max_error: most that the terms after `model` may add up to, of at least class min_class (sound, where a limit is
    given): 1e-3, u=1e-3,u_x=1e-2, or for a part of the box u=1e-2,u[x=0.4:0.6]=1e-4.
    precision: weights as they are (f32), as halves (f16w) or bytes with a scale per row (i8w); arithmetic stays.
    blocks: layers in block low-rank form ship as the fastest on this machine (auto), as our op (op), in standard nodes
    (plain) or merged back (dense); convolutions: the same choice for chains of convolutions.
    input_accuracy: how wrong inputs may be, nu=1%,x=1e-3; adds the term sensor. family: the inputs that are meant, for
    networks of many columns, or an .npz of one; the box is that of all its inputs where no domain is given.
    with_reference: ship the float64 reference, so that `verify --attack` can search on the device. prove_seconds: for
    proving, per box.
    derivatives: outputs to append, "u_x,u_xx,laplacian"; residual: an equation whose residual is appended, a name of
    edgepde/problems or FILE.py:NAME; grid: where the output's values are, "t=0:1*32,y=0:1*32,x=0:1*32" (slowest first),
    for modules whose output is a field; of a run of the family modno, where its field is wanted, t as fractions of an
    operator's horizon. derivative_form: of networks of points, exact, stencil or the better one
    (auto). false_alarm: the rate at which the residual's threshold is exceeded by fresh inputs of the box, 0.01.
    max_ram_kb, max_flash_kb: what the compiled model may need on the worst of the triples in cc, of all without cc.
    adding: what a caller knows beside it, before limits are checked.
    Raises UnsupportedModel, InputError, SourceError, DataError, BoundExceeded, NotVerified, CompilerError or
    TargetError.
    """
    targets, cc = _several(targets), _several(cc)
    check_targets(targets)
    check_precision(precision)
    check_blocks(blocks)
    check_convolutions(convolutions)
    if naming is not None and not is_name(naming.name):
        raise InputError(f"--name expected letters, digits, ., _ and -, got {naming.name!a}")
    target = Path(target)
    check_target(target)
    if min_class is not None:
        class_name(min_class, "--min-class")
    native = asked(targets, cc, max_ram_kb, max_flash_kb, log)
    box = parse_domain(domain) if isinstance(domain, str) else domain
    inputs = family_of(family)
    if inputs is not None and box is None:
        box = hull(inputs)
    held_out = Path(data) if data is not None else None
    alone = None if (derivatives, residual, derivative_form) != (None, None, None) else grid_of(grid)
    options = Options(
        naming=naming,
        data=held_out,
        seed=seed,
        log=log,
        c99=native is not None,
        precision=precision,
        blocks=blocks,
        convolutions=convolutions,
        seconds=positive(prove_seconds, "--prove-seconds"),
        accuracy=input_accuracy,
        limits=given_limits(max_error),
        family=inputs,
        reference=with_reference,
        append=None if alone else request(derivatives, residual, grid, derivative_form),
        grid=alone,
        threshold=_threshold(residual, false_alarm),
    )
    content = _content(obj, box, options, max_error)
    content = replace(content, name=naming.name if naming else _name(content.name, target), native=native)
    if appended := noted(options.append, residual):
        content = replace(content, ledger={**(content.ledger or {}), **appended})
    content = content if adding is None else adding(content)
    check_limits(content.certificate, max_error, min_class, content.costly)
    return write(target, content)


def _threshold(residual: object, false_alarm: float | None) -> Threshold:
    if false_alarm is None:
        return Threshold()
    if residual is None:
        raise InputError("--false-alarm is about the threshold of --residual, which was not given")
    if not fewest_level(Threshold.count) <= false_alarm < 1.0:
        least = fewest_level(Threshold.count)
        raise InputError(f"--false-alarm expected {least:g} or more, below 1, got {false_alarm!r}")
    return Threshold(level=false_alarm)


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    """One text is a tuple of one."""
    return (given,) if isinstance(given, str) else tuple(given)


def check_targets(targets: Sequence[str]) -> None:
    """Raises InputError for a target nobody knows."""
    for name in targets:
        if name not in TARGETS:
            raise InputError(f"--target expected {', '.join(TARGETS)}, got {name!r}")


def families() -> list[str]:
    """The families a run can be of: modules of lowering/ that are packages of edgepde too."""
    import edgepde

    known = {entry.name for entry in pkgutil.iter_modules(edgepde.__path__)}
    return sorted(entry.name for entry in pkgutil.iter_modules(lowering.__path__) if entry.name in known)


def _content(obj: Any, box: Box | None, options: Options, max_error: MaxError) -> BundleContent:
    if isinstance(obj, str | Path) and not str(obj).endswith(".onnx") and not is_callable_source(str(obj)):
        return _run(Path(obj), box, options, max_error)
    if options.grid is not None:
        raise InputError(GRID_ALONE)
    if isinstance(obj, torch.nn.Module):
        return lower_module(obj, _needed(box), options)
    if all(hasattr(obj, part) for part in ("module", "reference", "ledger")):
        compression = Compression(obj.reference, obj.ledger)
        return lower_module(obj.module, _needed(box), options, compression)
    if not isinstance(obj, str | Path):
        raise InputError(f"export expected a module, a run, FILE.py:callable or MODEL.onnx, got {type(obj).__name__}")
    text = str(obj)
    if text.endswith(".onnx"):
        from .lowering.onnx_model import lower as lower_onnx

        return lower_onnx(Path(text), _needed(box), options)
    return lower_module(load_module(text), _needed(box), options)


def _run(path: Path, box: Box | None, options: Options, max_error: MaxError) -> BundleContent:
    """A run folder through the lowering of its family."""
    if not path.is_dir():
        got = "a file" if path.exists() else "nothing"
        raise SourceError(f"{path}: expected a run folder, FILE.py:callable or MODEL.onnx, got {got}")
    from edgepde.train.finished_run import open_run

    family = open_run(path).spec["family"]
    if family not in families():
        raise UnsupportedModel(
            f"{path}: family {family!r} has no lowering; known are {', '.join(families()) or 'none'}"
        )
    module = importlib.import_module(f"{lowering.__name__}.{family}")
    if options.grid is not None and not getattr(module, "ANY_GRID", False):
        raise InputError(GRID_ALONE)
    content: BundleContent = module.lower(path, box, smallest_limit(max_error), options)
    return content


def _needed(box: Box | None) -> Box:
    if box is None:
        raise InputError(
            "the box of inputs is missing: give --domain low:high,... (or domain=Box(...)), one per column"
        )
    return box


def _name(given: str, target: Path) -> str:
    """A plain network is called after its bundle's folder."""
    return (
        given
        if given != Naming.name
        else re.sub(r"[^A-Za-z0-9._-]+", "_", target.absolute().name).strip("._-") or given
    )
