"""The translations torch.onnx knows, read once per process: reading them takes half the time of a small export."""

from __future__ import annotations

import contextlib
import copy
import importlib
from collections.abc import Iterator
from typing import Any

_WHERE, _KIND, _READER = "torch.onnx._internal.exporter._registration", "ONNXRegistry", "from_torchlib"
_read: dict[Any, Any] = {}


@contextlib.contextmanager
def one_registry() -> Iterator[None]:
    """While torch.onnx exports: a copy of the registry that was read first, for additions of this export alone.

    Does nothing with a torch that keeps its registry elsewhere.
    """
    try:
        kind = getattr(importlib.import_module(_WHERE), _KIND)
        stated = vars(kind)[_READER]
    except (ImportError, AttributeError, KeyError):
        yield
        return
    reader = getattr(kind, _READER)

    def kept(*args: Any, **named: Any) -> Any:
        asked = args, tuple(sorted(named.items()))
        if asked not in _read:
            _read[asked] = reader(*args, **named)
        made = copy.copy(_read[asked])
        made.functions = {target: list(found) for target, found in made.functions.items()}
        return made

    setattr(kind, _READER, staticmethod(kept))
    try:
        yield
    finally:
        setattr(kind, _READER, stated)
