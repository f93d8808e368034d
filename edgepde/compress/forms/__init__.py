"""The forms a network can be given: one file each, with a class that is its name in capitals, see _prepared.py."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from edgepde.certify.network import Network

    from ._prepared import How, Prepared


def names() -> tuple[str, ...]:
    """The forms there are, as --method spells them."""
    return tuple(sorted(p.stem.replace("_", "-") for p in Path(__file__).parent.glob("[!_]*.py")))


def prepared(name: str, network: Network, x: Tensor, how: How) -> Prepared:
    """A form for a network, its errors estimated over points x [N, d]."""
    made: Prepared = import_module(f"{__name__}.{name.replace('-', '_')}").FORM(network, x, how)
    return made
