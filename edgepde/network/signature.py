"""What a module takes and returns, found by running it once: the dtype of its parameters, the shape of a row."""

from __future__ import annotations

import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from edgepde_runtime.manifest import SHOWN


def parameter_dtype(module: torch.nn.Module) -> torch.dtype:
    """The one dtype of parameters and buffers, float32 where there are none.

    Modules that say `stores_halves` may have float16 beside it. Raises UnsupportedModel naming the first bad one.
    """
    dtypes: dict[torch.dtype, str] = {}
    halves = tuple(f"{path}." if path else "" for path, m in module.named_modules() if getattr(m, "stores_halves", 0))
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if not tensor.is_floating_point() and not tensor.is_complex():
            continue
        stored = tensor.dtype == torch.float16 and name.startswith(halves)
        if not stored and tensor.dtype not in (torch.float32, torch.float64):
            raise UnsupportedModel(f"parameter {name}: expected float32 or float64, got {spelled(tensor.dtype)}")
        bad = int((~torch.isfinite(tensor)).sum())
        if bad:
            raise UnsupportedModel(f"parameter {name}: expected finite numbers, got {bad} NaN or infinite")
        if not stored:
            dtypes.setdefault(tensor.dtype, name)
    if len(dtypes) > 1:
        mixed = " and ".join(f"{name} {spelled(dtype)}" for dtype, name in dtypes.items())
        raise UnsupportedModel(f"parameters: expected one dtype, got {mixed}")
    return next(iter(dtypes), torch.float32)


def row_shape(module: torch.nn.Module, box: Box, dtype: torch.dtype) -> tuple[int, ...]:
    """The shape of one row of the only output; the module is run once on three rows of the box.

    Raises InputError where it does not take the box's columns, UnsupportedModel for an output that has no rows.
    """
    found = row_shapes(module, box, dtype)
    if list(found) != [""]:
        raise UnsupportedModel(f"the module: expected one tensor as output, got a tuple of {len(found)}")
    return found[""]


def row_shapes(module: torch.nn.Module, box: Box, dtype: torch.dtype) -> dict[str, tuple[int, ...]]:
    """The shape of one row of every output by name, "" for the only one of a module that returns a tensor.

    A named tuple has the names of its fields, another tuple "0", "1" ... Raises as `row_shape` does, naming the output.
    """
    low, high = (torch.tensor(side, dtype=torch.float64) for side in (box.low, box.high))
    rows = (low + torch.tensor([[0.25], [0.5], [0.75]]).double() * (high - low)).to(dtype)
    try:
        with torch.no_grad():
            y = module(rows)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        raise InputError(
            f"domain: the box has {box.dimension} columns ({', '.join(box.names[:SHOWN])}); "
            f"the module does not take x [M, {box.dimension}]: {first_line(error)}"
        ) from error
    if isinstance(y, torch.Tensor):
        return {"": _row(y, len(rows), "the module", box)}
    if not isinstance(y, tuple) or not y:
        raise UnsupportedModel(f"the module: expected one tensor as output or a tuple, got {type(y).__name__}")
    named = tuple(getattr(y, "_fields", ())) or tuple(map(str, range(len(y))))
    return {name: _row(part, len(rows), f"the module: output {name}", box) for name, part in zip(named, y, strict=True)}


def _row(y: object, rows: int, where: str, box: Box) -> tuple[int, ...]:
    if not isinstance(y, torch.Tensor):
        raise UnsupportedModel(f"{where}: expected one tensor as output, got {type(y).__name__}")
    if y.ndim == 0 or len(y) != rows or 0 in y.shape:
        raise UnsupportedModel(f"{where}: expected y [M, k] for x [M, {box.dimension}], got {list(y.shape)} for M = 3")
    return tuple(y.shape[1:])


def first_line(error: Exception) -> str:
    """What an error says first."""
    return (str(error) or type(error).__name__).strip().splitlines()[0]


def spelled(dtype: torch.dtype) -> str:
    """The dtype without its library's name."""
    return str(dtype).removeprefix("torch.")
