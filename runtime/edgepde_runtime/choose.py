"""Which backend runs a bundle. Native code that lies in a bundle is loaded only where the bundle is trusted."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib import resources
from types import ModuleType

from . import trust as cache
from .backends import Backend
from .bundle import Bundle
from .errors import BackendError

_PACKAGE = "edgepde_runtime.backends"
_NATIVE = "c99"
NOT_TRUSTED = "c99/ is there but its native code is not trusted here; --trust runs it"


@dataclass(frozen=True)
class Choice:
    """A loaded backend.

    note: why it is not the one that "auto" would have taken of a trusted bundle, "" where it is. failed: that one was
    tried and could not be loaded.
    """

    backend: Backend
    note: str = ""
    failed: bool = False


def names() -> list[str]:
    """The backends there are: the modules of the folder backends/ that have a `load` or a `load_bundle`."""
    files = [entry.name for entry in resources.files(_PACKAGE).iterdir()]
    modules = [name.removesuffix(".py") for name in files if name.endswith(".py") and not name.startswith("_")]
    return sorted(n for n in modules if hasattr(_module(n), "load") or hasattr(_module(n), "load_bundle"))


def available() -> list[str]:
    """The backends that can run a model file here; those that need more than the file are not among them."""
    usable = []
    for name in names():
        probe = getattr(_module(name), "available", None)
        if hasattr(_module(name), "load") and (probe is None or probe() is not None):
            usable.append(name)
    return usable


def candidates(bundle: Bundle) -> list[str]:
    """The backends that could run this bundle here, those of its own code included whether trusted or not."""
    return sorted([*available(), *([_NATIVE] if _module(_NATIVE).has_code(bundle) else [])])


def of_model(name: str, model: bytes) -> Backend:
    """A model file on a backend that needs nothing else; raises BackendError."""
    loaded: Backend = _module(name).load(model)
    return loaded


def choose(backend: str, bundle: Bundle, trust: bool = False) -> Choice:
    """Loads a bundle on a backend. trust: its native code may be loaded.

    "auto" is the first of c99 (where trusted), ort and reference that is usable here; of those, one that the
    certificate speaks of. Raises BackendError for a name that is no backend, for c99 on a bundle that is not trusted,
    or where loading fails.
    """
    if backend == "auto":
        return _automatic(bundle, trust)
    if backend not in names():
        raise BackendError(f"backend {backend!a} is unknown; known are auto, {', '.join(names())}")
    return Choice(_loaded(backend, bundle, trust))


def _automatic(bundle: Bundle, trust: bool) -> Choice:
    here = available()
    usable: list[str] = [name for name in ("ort", "reference") if name in here]
    if _module(_NATIVE).has_code(bundle):
        usable.insert(0, _NATIVE)
    covered = [name for name in usable if name in bundle.certificate.backends]
    name = (covered or usable)[0]
    if name != _NATIVE:
        return Choice(_loaded(name, bundle, trust))
    other = next((n for n in (*covered, *usable) if n != _NATIVE), "reference")
    if not (trust or cache.known(bundle.id)):
        return Choice(_loaded(other, bundle, trust), NOT_TRUSTED)
    try:
        return Choice(_loaded(name, bundle, trust))
    except BackendError as error:
        return Choice(_loaded(other, bundle, trust), f"{error}; taking {other}", failed=True)


def _loaded(name: str, bundle: Bundle, trust: bool) -> Backend:
    module = _module(name)
    native = hasattr(module, "load_bundle")
    loaded: Backend = module.load_bundle(bundle, trust) if native else of_model(name, bundle.model)
    return loaded if bundle.cassette is None else loaded.fed(bundle.cassette.slots)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{_PACKAGE}.{name}")
