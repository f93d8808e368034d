"""Which backend runs a bundle. Native code that lies in a bundle is never loaded here."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib import resources
from types import ModuleType

from .backends import Backend
from .errors import BackendError

_PACKAGE = "edgepde_runtime.backends"


def names() -> list[str]:
    """The backends there are: the modules of the folder backends/ that have a `load`."""
    files = [entry.name for entry in resources.files(_PACKAGE).iterdir()]
    modules = [name.removesuffix(".py") for name in files if name.endswith(".py") and not name.startswith("_")]
    return sorted(name for name in modules if hasattr(_module(name), "load"))


def available() -> list[str]:
    """The backends that can run here."""
    usable = []
    for name in names():
        probe = getattr(_module(name), "available", None)
        if probe is None or probe() is not None:
            usable.append(name)
    return usable


def choose(backend: str, model: bytes, covered: Sequence[str] = ()) -> Backend:
    """Loads `model` on a backend; "auto" is the first of ort and reference that is usable here.

    covered: the backends a certificate speaks of; auto prefers those. Raises BackendError for a name that is no
    backend, for c99 on a bundle without C sources, or where loading fails.
    """
    name = _automatic(covered) if backend == "auto" else backend
    if name == "c99" and name not in names():
        raise BackendError(f"backend c99: this bundle has no c99/; known backends are auto, {', '.join(names())}")
    if name not in names():
        raise BackendError(f"backend {backend!a} is unknown; known are auto, {', '.join(names())}")
    loaded: Backend = _module(name).load(model)
    return loaded


def _automatic(covered: Sequence[str]) -> str:
    usable = [name for name in ("ort", "reference") if name in available()]
    return next((name for name in usable if name in covered), usable[0])


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{_PACKAGE}.{name}")
