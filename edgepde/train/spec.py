"""The text half of a run, spec.json: what it may hold, how it is written and how it is read."""

from __future__ import annotations

import dataclasses
import json
import math
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from edgepde.errors import RunError

SCHEMA_VERSION = 1
LIMIT_BYTES = 32 << 20
KINDS: dict[str, tuple[type, ...]] = {
    "schema_version": (int,),
    "family": (str,),
    "architecture": (str, dict),
    "problem": (str, dict),
    "box": (dict,),
    "units": (dict,),
    "seed": (int,),
    "versions": (dict,),
    "history": (dict, list),
    "identity": (dict,),
    "tensors": (dict,),
    "weights_sha256": (str,),
}


def versions() -> dict[str, str]:
    """The versions a run is made with."""
    named = {name: version(name) for name in ("edgepde", "numpy", "safetensors", "torch")}
    return {"python": platform.python_version(), **named}


def plain(value: Any, where: str, lenient: bool = False) -> Any:
    """The value as JSON has it: dataclasses, tuples, arrays and numpy numbers become dicts, lists and numbers.

    A number that is not finite is None if `lenient`, else a RunError naming its place; so is a type JSON cannot hold.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return _finite(value, where, lenient)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v, f"{where}.{k}", lenient) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v, f"{where}[{i}]", lenient) for i, v in enumerate(value)]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist(), where, lenient)
    raise RunError(f"{where}: expected what JSON holds, got {type(value).__name__}")


def check(spec: Any, where: Path | str) -> dict[str, Any]:
    """The spec itself if it keeps the format; unknown keys are allowed only inside the section named after the family.

    Raises RunError naming file and key for a missing, unknown or mistyped key and for a newer schema_version.
    """
    if not isinstance(spec, dict):
        raise RunError(f"{where}: expected a JSON object, got {type(spec).__name__}")
    schema = spec.get("schema_version")
    if isinstance(schema, bool) or not isinstance(schema, int) or not 1 <= schema <= SCHEMA_VERSION:
        raise RunError(
            f"{where}: schema_version: expected 1 to {SCHEMA_VERSION}, got {schema!r}; a newer edgepde reads it"
        )
    for key, kinds in KINDS.items():
        if key not in spec:
            raise RunError(f"{where}: key {key!r} is missing")
        if not _is(spec[key], kinds):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise RunError(f"{where}: key {key!r}: expected {names}, got {type(spec[key]).__name__}")
    unknown = sorted(set(spec) - set(KINDS) - {spec["family"]})
    if unknown:
        raise RunError(f"{where}: unknown keys {unknown}; what a family adds belongs under {spec['family']!r}")
    for name, entry in spec["tensors"].items():
        if not _is_layout(entry):
            raise RunError(f"{where}: tensors.{name}: expected [[sizes], dtype], got {entry!r}")
    return spec


def read_json(path: Path) -> Any:
    """The JSON document of a file; RunError naming it where it is missing, too large, not JSON, or holds NaN."""
    try:
        size = path.stat().st_size
        if size > LIMIT_BYTES:
            raise RunError(f"{path}: expected at most {LIMIT_BYTES} bytes, got {size}")
        return json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise RunError(f"{path}: missing") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: truncated or altered: {error}") from None


def write_json(value: Any) -> bytes:
    """Stable JSON: sorted keys, no NaN, final newline."""
    return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _finite(value: float, where: str, lenient: bool) -> float | None:
    if math.isfinite(value):
        return value
    if lenient:
        return None
    raise RunError(f"{where}: expected a finite number, got {value}")


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _is(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _is_layout(entry: Any) -> bool:
    if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], list) and isinstance(entry[1], str)):
        return False
    return all(_is(size, (int,)) and size >= 0 for size in entry[0])
