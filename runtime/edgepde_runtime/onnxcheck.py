"""Whether the names of a graph or function body make sense: each made once, and before it is used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .errors import ModelFileError
from .onnxmodel import Node


def distinct(names: Iterable[str], what: str) -> None:
    """Raises ModelFileError where a name is empty or comes twice."""
    seen: set[str] = set()
    for name in names:
        if not name:
            raise ModelFileError(f"{what}: expected a name, got none")
        if name in seen:
            raise ModelFileError(f"{what}: expected distinct names, got {name!r} twice")
        seen.add(name)


def runnable(given: Iterable[str], nodes: Sequence[Node], outputs: Sequence[str], where: str) -> None:
    """Raises ModelFileError unless nodes in file order read only what exists by then and every output is made."""
    known = set(given)
    produced = {name for node in nodes for name in node.outputs}
    for node in nodes:
        for name in node.inputs:
            if name and name not in known:
                why = "it is made by this or a later node" if name in produced else "nothing makes it"
                raise ModelFileError(f"{node.label}: expected input {name!r} to exist before the node, but {why}")
        for name in node.outputs:
            if name and name in known:
                raise ModelFileError(f"{node.label}: expected a new name for its output, got {name!r} again")
            known.add(name)
    for name in outputs:
        if name not in known:
            raise ModelFileError(f"{where}: expected output {name!r} to be made by a node, but nothing makes it")
