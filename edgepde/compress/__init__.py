"""Making networks and runs smaller under a proved error; the package itself is the function `edgepde.compress`."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgepde.compress.compressing import Compressed, compress
    from edgepde.compress.run import compress_run

__all__ = ["Compressed", "compress", "compress_run"]
_PLACES = {"Compressed": "compressing", "compress": "compressing", "compress_run": "run"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


class _Callable(ModuleType):
    """A package that can be called: `edgepde.compress(module, domain=box, max_error=1e-3)`."""

    def __call__(self, *args: Any, **options: Any) -> Compressed:
        """See edgepde.compress.compressing.compress."""
        from edgepde.compress.compressing import compress

        return compress(*args, **options)


sys.modules[__name__].__class__ = _Callable
