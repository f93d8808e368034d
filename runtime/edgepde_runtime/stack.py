"""Worst-case stack of a function, from the compiler's own report (-fstack-usage, gcc also -fcallgraph-info=su)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ObjectFileError

GCC_FLAGS = ("-fstack-usage", "-fcallgraph-info=su")
CLANG_FLAGS = ("-fstack-usage",)
# More than memcpy and the arithmetic helpers of libgcc and newlib take; the compiler's report does not hold them.
OUTSIDE_BYTES = 128
# clang leaves out the return address that x86 pushes; gcc counts it.
RETURN_ADDRESS = 8
_INDIRECT = "__indirect_call"
_NODE = re.compile(r'node: \{ title: "(?P<title>[^"]*)" label: "(?P<label>[^"]*)"')
_EDGE = re.compile(r'edge: \{ sourcename: "(?P<source>[^"]*)" targetname: "(?P<target>[^"]*)"')
_FRAME = re.compile(r"(?P<bytes>\d+) bytes \((?P<kind>[a-z,]+)\)")
_LINE = re.compile(r".*:(?P<name>[^:\t]+)\t(?P<bytes>\d+)\t(?P<kind>[a-z,]+)")
_UNBOUNDED = "dynamic"


@dataclass(frozen=True)
class Stack:
    """An upper bound in bytes, None where there is none; how: where it comes from, or why there is none.

    outside: functions the report does not hold, for which OUTSIDE_BYTES or what the caller said are counted.
    """

    bytes: int | None
    how: str
    outside: tuple[str, ...] = ()


@dataclass
class _Function:
    """A function as reported; frame: its own bytes, None for one that is only called."""

    frame: int | None = None
    unbounded: bool = False
    calls: set[str] = field(default_factory=set)


class _Unbounded(Exception):  # noqa: N818
    """There is no bound; the message says why."""


def worst_stack(folder: Path, entry: str, *, outside_bytes: int = OUTSIDE_BYTES, red_zone: int = 0) -> Stack:
    """Bytes of stack a call of `entry` takes: the deepest path through the call graph of all *.ci in the folder.

    Where there are only *.su (clang), the sum over all functions: a bound if none is entered twice at a time, which
    such a report cannot show. red_zone: bytes below the stack pointer that a function may use unreported, 128 on x86-64
    without -mno-red-zone. Raises ObjectFileError where there is no report or it lacks `entry`.
    """
    graphs, lists = sorted(folder.glob("*.ci")), sorted(folder.glob("*.su"))
    if not graphs and not lists:
        raise ObjectFileError(f"{folder}: expected *.ci or *.su of a compiler, got neither")
    try:
        if graphs:
            return _deepest(_graph(graphs), entry, folder, outside_bytes, red_zone)
        return _sum(lists, entry, folder, red_zone)
    except _Unbounded as reason:
        return Stack(None, str(reason))


def _graph(files: Iterable[Path]) -> dict[str, _Function]:
    """Functions by title; a static one bears its file's name before its own."""
    functions: dict[str, _Function] = {}
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        for node in _NODE.finditer(text):
            function = functions.setdefault(node["title"], _Function())
            frame = _FRAME.search(node["label"])
            if frame:
                function.frame = max(function.frame or 0, int(frame["bytes"]))
                function.unbounded |= frame["kind"] == _UNBOUNDED
        for edge in _EDGE.finditer(text):
            functions.setdefault(edge["source"], _Function()).calls.add(edge["target"])
    return functions


def _deepest(functions: dict[str, _Function], entry: str, folder: Path, outside_bytes: int, red_zone: int) -> Stack:
    reported = [title for title, function in functions.items() if function.frame is not None]
    titles = [entry] if entry in reported else [title for title in reported if _plain(title) == entry]
    if len(titles) != 1:
        raise ObjectFileError(f"{folder}: expected one function {entry} in the call graph, got {len(titles)}")
    depth: dict[str, int] = {}
    outside: set[str] = set()

    def visit(title: str, path: Sequence[str]) -> int:
        if title in path:
            raise _Unbounded(f"{_plain(title)} calls itself{_through([*path[path.index(title) + 1 :]])}")
        if title == _INDIRECT:
            raise _Unbounded(f"{_plain(path[-1])} calls through a pointer")
        if title not in depth:
            function = functions.get(title, _Function())
            if function.unbounded:
                raise _Unbounded(f"the frame of {_plain(title)} varies")
            if function.frame is None:
                outside.add(title)
            below = max((visit(name, [*path, title]) for name in sorted(function.calls)), default=0)
            depth[title] = below + (outside_bytes if function.frame is None else function.frame)
        return depth[title]

    total = visit(titles[0], []) + red_zone
    return Stack(total, "the deepest path of gcc's call graph", tuple(sorted(outside)))


def _sum(files: Iterable[Path], entry: str, folder: Path, red_zone: int) -> Stack:
    total, names = red_zone, set()
    for file in files:
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            found = _LINE.fullmatch(line)
            if found is None:
                raise ObjectFileError(f"{file}: expected lines 'place:function bytes kind', got {line[:100]!r}")
            if found["kind"] == _UNBOUNDED:
                raise _Unbounded(f"the frame of {found['name']} varies")
            names.add(found["name"])
            total += int(found["bytes"]) + RETURN_ADDRESS
    if entry not in names:
        raise ObjectFileError(f"{folder}: expected a function {entry} in the stack report, got {sorted(names)}")
    return Stack(total, "the sum over all functions, if none calls itself")


def _plain(title: str) -> str:
    return title.rpartition(":")[2]


def _through(names: Sequence[str]) -> str:
    return f" through {', '.join(map(_plain, names))}" if names else ""
