"""Swapping two folders: whatever fails wherever, the one that stood there is whole in its place or beside it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from edgepde_export import exchange

from .test_bundle_writing import fail_at

STEPS: list[tuple[Any, str]] = [
    (Path, "rename"),
    (exchange, "_exchange"),
    (exchange, "_synchronise"),
    (exchange, "_sync"),
    (exchange, "_undo"),
]
FAILURES: list[Any] = [KeyboardInterrupt, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))]


def folders(place: Path) -> tuple[Path, Path, Path]:
    """A bundle "old", a finished folder "new" hidden beside it, and the name that is to keep the old one."""
    place.mkdir()
    for name, text in (("b", "old"), (".b.new-0-0", "new")):
        (place / name).mkdir()
        (place / name / "text").write_text(text)
    return place / "b", place / ".b.new-0-0", place / "b.before"


def test_what_stood_there_is_kept(tmp_path: Path) -> None:
    target, new, old = folders(tmp_path / "p")
    exchange.swap(target, new, old)
    assert [(target / "text").read_text(), (old / "text").read_text()] == ["new", "old"]
    assert not new.exists()


@pytest.mark.parametrize("one_step", [True, False], ids=["exchange", "aside"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("failure", FAILURES, ids=["ctrl-c", "full"])
@pytest.mark.parametrize(("where", "name"), STEPS, ids=[name for _, name in STEPS])
def test_a_failure_at_any_step_leaves_nothing_half_done(
    *, where: Any, name: str, failure: Any, after: bool, one_step: bool, tmp_path: Path
) -> None:
    reached, turn = True, 0
    while reached:
        target, new, old = folders(tmp_path / str(turn))
        with pytest.MonkeyPatch.context() as patch:
            if not one_step:
                patch.setattr(exchange, "_exchange", lambda *_: False)
            came_to_it = fail_at(patch, where, name, turn=turn, failure=failure, after=after)
            try:
                exchange.swap(target, new, old)
            except (KeyboardInterrupt, OSError):
                assert came_to_it()
            reached = came_to_it()
        if name != "_undo" or after:
            assert target.exists()
        found = {path.name: (path / "text").read_text() for path in (target, new, old) if path.exists()}
        assert sorted(found.values()) == ["new", "old"]
        if found.get("b") == "new":
            assert found == {"b": "new", "b.before": "old"}
        elif "b" in found:
            assert found == {"b": "old", ".b.new-0-0": "new"}
        turn += 1
