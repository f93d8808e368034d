"""Rows, the table, the document and the arguments that all benchmarks share."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from _harness import OURS, Row, closing, document, parser, publish, stdout_to_stderr, table, timing
from edgepde_runtime.latency import Latency
from hypothesis import given
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(BENCHMARKS.glob("[!_]*.py"))
KEYS = {"case", "rival", "unit", "measured", "goal", "target", "met", "spread", "note"}
figures = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(figures, figures)
def test_a_target_is_met_or_missed(measured: float, target: float) -> None:
    assert Row("c", OURS, "s", measured, target).met == (measured <= target)
    assert Row("c", OURS, "s", measured, target, ">=").met == (measured >= target)


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert Row("c", OURS, "s", None, 1.0).met is None
    assert Row("c", OURS, "s", 1.0).met is None


@pytest.mark.parametrize("measured", [math.nan, math.inf])
def test_a_failure_misses_its_target(measured: float) -> None:
    row = Row("c", OURS, "s", measured, 1.0)
    assert row.met is False
    assert row.as_dict()["measured"] is None
    assert Row("c", OURS, "s", math.nan, 1.0, ">=").met is False


@given(figures, figures)
def test_the_better_figure_depends_on_the_goal(a: float, b: float) -> None:
    assert Row("c", "r", "s", a).beats(Row("c", OURS, "s", b)) == (a < b)
    assert Row("c", "r", "1/s", a, goal=">=").beats(Row("c", OURS, "1/s", b, goal=">=")) == (a > b)


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_a_figure_beats_none_and_none_beats_no_figure(nothing: float | None) -> None:
    assert Row("c", "r", "s", 1.0).beats(Row("c", OURS, "s", nothing))
    assert not Row("c", "r", "s", nothing).beats(Row("c", OURS, "s", 1.0))
    assert not Row("c", "r", "s", nothing).beats(Row("c", OURS, "s", nothing))


def test_the_closing_lines_name_every_case_a_rival_wins() -> None:
    rows = [
        Row("a", OURS, "s", 2.0),
        Row("a", "rival", "s", 1.0),
        Row("b", OURS, "s", 1.0),
        Row("b", "rival", "s", 2.0),
    ]
    assert closing(rows).splitlines() == ["where a rival is better:", "  a: rival 1 against 2 s"]
    assert closing(rows[2:]).splitlines()[1].strip() == "nowhere in this table"


def test_a_rival_in_another_unit_is_not_compared() -> None:
    assert "nowhere" in closing([Row("a", OURS, "s", 2.0), Row("a", "rival", "ms", 1.0)])


def test_the_table_shows_what_was_missed() -> None:
    lines = table([Row("first", OURS, "s", 3.0, 2.0, spread=(1.0, 4.0)), Row("second", OURS, "s", None, note="why")])
    first, second = lines.splitlines()[2:]
    assert all(word in first for word in ("3", "<= 2", "MISSED", "1 .. 4"))
    assert "why" in second
    assert "MISSED" not in second


def test_a_latency_is_its_median_in_milliseconds_with_quartiles() -> None:
    row = timing("c", OURS, Latency(np.arange(1.0, 102.0) * 1e3, 1), 50.0)
    assert (row.measured, row.spread, row.unit, row.met) == (51.0, (26.0, 76.0), "ms", False)


def test_the_document_is_strict_json_of_the_stated_shape() -> None:
    made = document([Row("c", OURS, "s", math.nan, 1.0), Row("c", "r", "s", 1.0, spread=(0.5, math.inf))], {"seed": 3})
    read = json.loads(json.dumps(made, allow_nan=False))
    assert read["schema_version"] == 1
    assert all(set(row) == KEYS for row in read["rows"])
    assert [row["met"] for row in read["rows"]] == [False, None]
    assert read["rows"][1]["spread"] == [0.5, None]
    assert read["settings"] == {"seed": 3}
    assert {"cpu", "cores", "torch", "onnxruntime", "load_average"} <= set(read["machine"])


def test_json_to_stdout_is_alone_there(capsys: pytest.CaptureFixture[str]) -> None:
    args = parser("?").parse_args(["--json", "-", "--seed", "7"])
    with stdout_to_stderr():
        print("a library talks")
    publish(args, [Row("c", OURS, "s", 1.0)], {"threads": 1}, ["a remark"], "the last words")
    out, err = capsys.readouterr()
    assert json.loads(out)["settings"] == {"quick": False, "seed": 7, "threads": 1}
    assert all(words in err for words in ("a library talks", "a remark", "the last words"))


def test_json_to_a_file_leaves_the_table_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "rows.json"
    args = parser("?").parse_args(["--quick", "--json", str(target)])
    publish(args, [Row("c", OURS, "s", 1.0)], {}, [], "the last words")
    assert json.loads(target.read_text(encoding="utf-8"))["settings"]["quick"] is True
    assert capsys.readouterr().out.rstrip().endswith("the last words")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_benchmark_says_what_it_asks(script: Path) -> None:
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, timeout=120, check=True)
    assert all(word in done.stdout for word in ("?", "--quick", "--seed", "--json"))
