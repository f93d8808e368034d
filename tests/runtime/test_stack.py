"""Worst-case stack from reports as gcc and clang write them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from edgepde_runtime.errors import ObjectFileError
from edgepde_runtime.stack import OUTSIDE_BYTES, RETURN_ADDRESS, worst_stack


def node(title: str, frame: str = "") -> str:
    """A function of the call graph; without a frame it is only called."""
    name = title.rpartition(":")[2]
    return f'node: {{ title: "{title}" label: "{name}\\na.c:4:1{frame and chr(92) + "n" + frame}" }}\n'


def edge(source: str, target: str) -> str:
    """A call."""
    return f'edge: {{ sourcename: "{source}" targetname: "{target}" label: "a.c:5:9" }}\n'


RUN = node("model_run", "32 bytes (static)")
GRAPHS = {
    "a.ci": RUN
    + node("a.c:layer", "100 bytes (static)")
    + node("a.c:tanh", "8 bytes (dynamic,bounded)")
    + node("store")
    + edge("model_run", "a.c:layer")
    + edge("model_run", "a.c:tanh")
    + edge("a.c:layer", "a.c:tanh")
    + edge("a.c:tanh", "store"),
    "b.ci": node("store", "16 bytes (static)") + node("b.c:layer", "5000 bytes (static)"),
}


def written(folder: Path, files: dict[str, str]) -> Path:
    """The folder with the files."""
    for name, text in files.items():
        (folder / name).write_text(text if name.endswith(".su") else f'graph: {{ title: "a.c"\n{text}}}\n')
    return folder


def test_the_deepest_path_counts_and_crosses_files(tmp_path: Path) -> None:
    folder = written(tmp_path, GRAPHS)
    assert worst_stack(folder, "model_run").bytes == 32 + 100 + 8 + 16
    assert worst_stack(folder, "tanh").bytes == 8 + 16
    assert worst_stack(folder, "model_run", red_zone=128).bytes == 32 + 100 + 8 + 16 + 128
    assert worst_stack(folder, "model_run").outside == ()


def test_functions_outside_the_report_are_counted_and_named(tmp_path: Path) -> None:
    extra = RUN + node("memcpy") + edge("model_run", "memcpy") + edge("model_run", "__aeabi_dmul")
    folder = written(tmp_path, {"a.ci": extra})
    found = worst_stack(folder, "model_run")
    assert (found.bytes, found.outside) == (32 + OUTSIDE_BYTES, ("__aeabi_dmul", "memcpy"))
    assert worst_stack(folder, "model_run", outside_bytes=40).bytes == 72


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (edge("model_run", "model_run"), "model_run calls itself$"),
        (node("a.c:f", "8 bytes (static)") + edge("model_run", "a.c:f") + edge("a.c:f", "model_run"), "through f"),
        (node("__indirect_call") + edge("model_run", "__indirect_call"), "model_run calls through a pointer"),
        (node("f", "8 bytes (dynamic)") + edge("model_run", "f"), "the frame of f varies"),
    ],
)
def test_what_has_no_bound_says_why(tmp_path: Path, extra: str, reason: str) -> None:
    found = worst_stack(written(tmp_path, {"a.ci": RUN + extra}), "model_run")
    assert found.bytes is None
    assert re.search(reason, found.how)


def test_recursion_elsewhere_does_not_matter(tmp_path: Path) -> None:
    text = RUN + node("other", "8 bytes (static)") + edge("other", "other")
    assert worst_stack(written(tmp_path, {"a.ci": text}), "model_run").bytes == 32


def test_a_list_without_calls_is_added_up(tmp_path: Path) -> None:
    folder = written(tmp_path, {"a.su": "a.c:6:model_run\t24\tstatic\n", "b.su": "b.c:5:f\t56\tdynamic,bounded\n"})
    found = worst_stack(folder, "model_run")
    assert found.bytes == 24 + 56 + 2 * RETURN_ADDRESS
    assert "sum over all functions" in found.how
    (folder / "b.su").write_text("b.c:5:f\t56\tdynamic\n")
    assert worst_stack(folder, "model_run").bytes is None


@pytest.mark.parametrize(
    ("files", "entry", "message"),
    [
        ({}, "model_run", "expected .*ci or .*su"),
        ({"a.ci": RUN}, "absent", "expected one function absent in the call graph, got 0"),
        (GRAPHS, "layer", "expected one function layer in the call graph, got 2"),
        ({"a.ci": node("model_run")}, "model_run", "got 0"),
        ({"a.su": "a.c:6:f\t24\tstatic\n"}, "model_run", r"got \['f'\]"),
        ({"a.su": "garbage\n"}, "model_run", "a.su: expected lines"),
    ],
)
def test_a_report_that_cannot_be_used_is_refused(
    tmp_path: Path, files: dict[str, str], entry: str, message: str
) -> None:
    with pytest.raises(ObjectFileError, match=message):
        worst_stack(written(tmp_path, files), entry)
