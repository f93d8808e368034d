"""The command line of the device: exit codes, what goes to which stream, and targets that cannot be written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from edgepde_runtime import errors, load
from edgepde_runtime.__main__ import EXIT_CODES, commands, exit_code_of, main
from edgepde_runtime.errors import EdgePDEError
from support.bundles import edit, mlp_bundle

QUICK = ["--backend", "reference", "--seconds", "0.02"]


def test_commands_are_found_by_listing() -> None:
    assert commands() == ["bench", "doctor", "drift", "inspect", "run", "verify"]


def test_every_error_has_an_exit_code() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, EdgePDEError)]
    assert {k for k in kinds if k is not EdgePDEError} == set(EXIT_CODES)
    assert exit_code_of(errors.NotVerified("")) == 4


@pytest.mark.parametrize("argv", [[], ["nonsense"], ["verify"], ["verify", "x", "--nope"], ["run", "x"]])
def test_usage_errors_exit_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, prog="edgepde") == 2
    assert "edgepde" in capsys.readouterr().err


@pytest.mark.parametrize("command", commands())
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"], prog="edgepde") == 0
    text = capsys.readouterr().out
    assert f"edgepde {command}" in text.partition("examples:")[2]


@pytest.mark.parametrize(
    "flags",
    [
        ["--max-error", "x"],
        ["--max-error", "u=-1"],
        ["--max-error", "v=1"],
        ["--min-class", "proved"],
        ["--p50-us", "0"],
        ["--p99-us", "nan"],
        ["--max-ram-kb", "much"],
        ["--attack", "-1"],
        ["--seconds", "inf"],
        ["--backend", "tpu"],
        ["--backend", "c99"],
        ["--budget", "/nowhere.toml"],
    ],
)
def test_wrong_limits_exit_2_and_name_the_flag(mlp: Path, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(mlp), *QUICK, *flags], prog="edgepde") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert flags[0].strip("-").replace("-", "_").split("_")[0] in told.err or flags[1] in told.err


def test_verify_exit_codes(mlp: Path, tmp_path: Path) -> None:
    assert main(["verify", str(mlp), *QUICK]) == 0
    assert main(["verify", str(mlp), *QUICK, "--max-error", "1e-9"]) == 1
    assert main(["verify", str(tmp_path / "nowhere"), *QUICK]) == 2
    assert main(["verify", str(mlp), *QUICK, "--min-class", "sound"]) == 4
    assert main(["verify", str(mlp), *QUICK, "--max-flash-kb", "10"]) == 4
    edit(mlp, "card.md", lambda data: data + b"x", consistent=False)
    assert main(["verify", str(mlp), *QUICK]) == 1


def test_flags_win_over_the_budget(mlp: Path, tmp_path: Path) -> None:
    budget = tmp_path / "budget.toml"
    budget.write_text('[[model]]\npath = "mlp"\nmax_error = 1e-9\n')
    argv = ["verify", str(mlp), *QUICK, "--budget", str(budget)]
    assert main(argv) == 1
    assert main([*argv, "--max-error", "1.0"]) == 0
    budget.write_text('[[model]]\npath = "mlp"\nboard = "stm32h7"\np50_us = 1e6\n')
    assert main(argv) == 4


def test_the_table_says_that_the_limits_are_of_another_bundle(
    mlp: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = tmp_path / "budget.toml"
    argv = ["verify", str(mlp), *QUICK, "--budget", str(budget)]
    for path, told in (("mlp", False), ("other", True)):
        budget.write_text(f'[[model]]\npath = "{path}"\nmax_error = 1.0\n')
        assert main(argv) == 0
        assert (f"limits of the only table of {budget}, path = other" in capsys.readouterr().out) == told
    edit(mlp, "card.md", lambda data: data + b"x", consistent=False)
    assert main(argv) == 1
    assert "path = other" in capsys.readouterr().out


def test_json_on_stdout_is_alone(mlp: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (
        ["verify", str(mlp), *QUICK],
        ["inspect", str(mlp)],
        ["doctor"],
        ["bench", str(mlp), "--seconds", "0.1"],
    ):
        assert main([*argv, "--json", "-"]) == 0
        assert json.loads(capsys.readouterr().out)["schema_version"] == 1


def test_reports_go_to_files(mlp: Path, tmp_path: Path) -> None:
    files = {kind: tmp_path / f"out.{kind}" for kind in ("json", "junit", "sarif")}
    argv = [word for kind, file in files.items() for word in (f"--{kind}", str(file))]
    assert main(["verify", str(mlp), *QUICK, *argv]) == 0
    assert json.loads(files["json"].read_text())["exit_code"] == 0
    assert files["junit"].read_text().startswith("<?xml")
    assert json.loads(files["sarif"].read_text())["runs"][0]["results"] == []


def test_inspect_names_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.onnx").write_bytes(b"garbage")
    assert main(["inspect", str(tmp_path / "model.onnx")]) == 3
    err = capsys.readouterr().err
    assert f"{tmp_path / 'model.onnx'}: neither the folder of a bundle nor an ONNX file" in err
    assert "Traceback" not in err


def test_inspect_tells_an_onnx_it_cannot_read_from_what_is_none(
    solver: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = (solver / "model.onnx").read_bytes()
    file = solver.parent / "odd.onnx"
    file.write_bytes(data.replace(b"Transpose", b"\xff\xfe\xffnspose"))
    assert main(["inspect", str(file)]) == 3
    assert f"{file}: not the ONNX this runtime reads: graph" in capsys.readouterr().err


def verbs_on(bundle: Path, folder: Path) -> list[list[str]]:
    """Every command that takes a bundle."""
    run = ["run", str(bundle), "--input", str(folder / "in.npz"), "--output", str(folder / "out.npz")]
    return [run, *(["verify", str(bundle)], ["bench", str(bundle)], ["inspect", str(bundle)])]


def test_no_verb_finds_a_bundle_where_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = tmp_path / "nowhere"
    for argv in verbs_on(nowhere, tmp_path):
        assert main(argv) == 2
        told = capsys.readouterr()
        assert (told.out, f"{nowhere}: there is no such bundle" in told.err) == ("", True)
    (tmp_path / "file").write_text("")
    assert main(["verify", str(tmp_path / "file")]) == 2
    assert "expected the folder of a bundle, got a file" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["spec.json", "checkpoint"])
def test_every_verb_tells_a_run_folder_from_a_bundle(
    tmp_path: Path, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run" / part).mkdir(parents=True)
    for argv in verbs_on(tmp_path / "run", tmp_path):
        assert main(argv) == 2
        err = capsys.readouterr().err
        assert "this is a run folder" in err
        assert f"edgepde export {tmp_path / 'run'} --out" in err
    with pytest.raises(errors.NoBundle, match="run folder"):
        load(tmp_path / "run")
    (tmp_path / "run" / "manifest.json").write_text("{}")
    assert main(["verify", str(tmp_path / "run")]) == 1


def test_inspect_shows_a_bundle_and_a_model(solver: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(solver)]) == 0
    text = capsys.readouterr().out
    assert "0.005" in text
    assert "residual, threshold 0.006" in text
    assert main(["inspect", str(solver / "model.onnx")]) == 0
    assert "Transpose" in capsys.readouterr().out


def test_bench_compares_in_turn(mlp: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = mlp_bundle(tmp_path / "other", seed=1)
    argv = ["bench", str(mlp), "--vs", str(other), "--batch", "5", "--seconds", "0.2", "--json", "-"]
    assert main(argv) == 0
    document = json.loads(capsys.readouterr().out)
    cases = {row["case"]: row for row in document["rows"]}
    assert {"ours mlp on reference", "other other on reference", "empty call"} <= set(cases)
    assert next(iter(cases.values()))["ratio"] == 1.0
    assert document["query"] == "M = 5"


@pytest.mark.parametrize("batch", ["0", "-1", "many", "1.5"])
def test_bench_refuses_a_wrong_batch(mlp: Path, batch: str) -> None:
    assert main(["bench", str(mlp), f"--batch={batch}"]) == 2


def test_ctrl_c_exits_130_in_one_line(
    mlp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgepde_runtime.verbs.verify.measure", interrupt)
    assert main(["verify", str(mlp), *QUICK], prog="edgepde") == 130
    assert capsys.readouterr().err == "edgepde verify: interrupted\n"


def test_messages_cannot_steer_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "\x1b[31mred")]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_the_module_runs_and_prints_no_colour_to_a_pipe(mlp: Path) -> None:
    argv = [sys.executable, "-m", "edgepde_runtime", "verify", str(mlp), *QUICK]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "verdict: ✓ pass" in done.stdout
    assert "\x1b" not in done.stdout


def test_flags_are_decided_here_also_where_the_budget_names_a_board(mlp: Path, tmp_path: Path) -> None:
    budget = tmp_path / "budget.toml"
    budget.write_text('[[model]]\npath = "mlp"\nboard = "stm32h7"\np50_us = 1\np99_us = 1\n')
    target = tmp_path / "report.json"

    def told(*flags: str) -> tuple[int, dict[str, str]]:
        argv = ["verify", str(mlp), "--seconds", "0.2", "--backend", "reference", "--budget", str(budget)]
        code = main([*argv, "--json", str(target), *flags])
        return code, {c["name"]: c["status"] for c in json.loads(target.read_text())["checks"]}

    code, checks = told("--p50-us", "1e6", "--p99-us", "1e6")
    assert (code, checks["latency p50"], checks["latency p99"]) == (0, "pass", "pass")
    code, checks = told("--p50-us", "1e-3")
    assert (code, checks["latency p50"], checks["latency p99"]) == (1, "FAIL", "not verified")
    budget.write_text('[[model]]\npath = "mlp"\nmax_error = "u=1e-9"\n')
    assert told("--p50-us", "1e6")[0] == 1
    assert told("--max-error", "u=1")[0] == 0
    assert told("--max-error", "1")[0] == 0
