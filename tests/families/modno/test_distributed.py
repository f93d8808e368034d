"""Two ranks learn what one does; a rank that is killed or silent is named; the run goes on where it was."""

from __future__ import annotations

import itertools
import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from edgepde_export.cli.main import app
from families.modno import ranks_at_work as work
from families.modno.ranks_started import joined, said, started
from safetensors import safe_open
from torch import Tensor
from typer.testing import CliRunner

from edgepde.errors import SettingError, TrainingError
from edgepde.modno import store, training_run
from edgepde.recipes.modno_pilot import Config as Pilot
from edgepde.train.follower import Follower
from edgepde.train.ranks import Alone, place

HOW: dict[str, Any] = {"steps": 100, "check": 20, "patience": 1000, "ridge": 1e-4}
SCHEMES: dict[str, dict[str, Any]] = {
    "alternating": HOW | {"scheme": "alternating", "trunk": "network", "width": 8, "q": 0.5, "batch": 6},
    "joint": HOW | {"scheme": "joint"},
    "varpro": HOW | {"scheme": "varpro"},
}
SHORT = SCHEMES["alternating"] | {"steps": 40}


def read(folder: Path, name: str, ranks: int) -> tuple[dict[str, Tensor], dict[str, float]]:
    """What all ranks learned, the branch's numbers being those of rank 0, and errors."""
    tensors: dict[str, Tensor] = {}
    errors: dict[str, float] = {}
    for rank in reversed(range(ranks)):
        with safe_open(folder / f"{name}-{rank}.safetensors", "pt") as file:
            tensors |= {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            errors |= json.loads(file.metadata()["errors"])
    return tensors, errors


def about(folder: Path, name: str, rank: int) -> dict[str, int]:
    """Bytes a rank sent."""
    with safe_open(folder / f"{name}-{rank}.safetensors", "pt") as file:
        return {key: int(file.metadata()[key]) for key in ("sent", "largest")}


def together(folder: Path, hows: dict[str, tuple[dict[str, Any], int, str]]) -> None:
    folder.mkdir(exist_ok=True)
    with started(work.train, 2, folder, hows) as processes:
        assert joined(processes) == [0, 0], said(folder, 0) + said(folder, 1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same trainings on one rank and on two; three seeds in float32 on one."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    hows = {name: (how, 0, "float64") for name, how in SCHEMES.items()} | {"seed-0": (SHORT, 0, "float32")}
    work.train(one, hows | {f"seed-{seed}": (SHORT, seed, "float32") for seed in (1, 2)})
    together(two, hows)
    return one, two


def far(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """The largest difference relative to the largest number of a tensor."""
    assert a.keys() == b.keys()
    return max(float((a[k] - b[k]).abs().max() / a[k].abs().max()) for k in a)


@pytest.mark.parametrize("name", SCHEMES)
def test_two_ranks_learn_what_one_does_in_a_hundred_steps(folders: tuple[Path, Path], name: str) -> None:
    (a, errors), (b, others) = read(folders[0], name, 1), read(folders[1], name, 2)
    assert far(a, b) <= 1e-10
    assert errors == pytest.approx(others, rel=1e-10)
    with safe_open(folders[1] / f"{name}-1.safetensors", "pt") as other:
        assert all(torch.equal(other.get_tensor(k), b[k]) for k in b if k.startswith("branch.")), "one branch for all"


def test_only_the_branch_travels_and_only_rank_0_writes(folders: tuple[Path, Path]) -> None:
    numbers = sum(p.numel() for p in work.branch().parameters())
    checks = 1 + HOW["steps"] // HOW["check"]
    for name, rank in itertools.product(SCHEMES, (0, 1)):
        assert about(folders[1], name, rank) == {
            "largest": 8 * numbers,
            "sent": 8 * (HOW["steps"] * numbers + 3 * checks),
        }
    held = {str(p.relative_to(folders[1] / "joint")) for p in (folders[1] / "joint").rglob("*") if p.is_file()}
    assert held == {"checkpoint/identity.json", "checkpoint/modno.safetensors"}


def test_the_end_is_within_the_spread_of_seeds(folders: tuple[Path, Path]) -> None:
    ends = [read(folders[0], f"seed-{seed}", 1)[1] for seed in range(3)]
    two = read(folders[1], "seed-0", 2)[1]
    for name in work.NAMES:
        spread = max(e[name] for e in ends) - min(e[name] for e in ends)
        assert spread > 0
        assert abs(two[name] - ends[0][name]) <= spread


def test_a_killed_rank_is_named_and_the_run_goes_on_where_it_was(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with started(work.fail, 2, tmp_path, SCHEMES["joint"], 47, "killed") as processes:
        assert joined(processes) == [1, -9]
    assert "TrainingError: rank 1 has ended" in said(tmp_path, 0)
    assert "the same command resumes" in said(tmp_path, 0)
    assert (tmp_path / "run/checkpoint/modno.safetensors").exists()
    assert not (tmp_path / "run-0.safetensors").exists()
    shutil.copytree(tmp_path / "run", tmp_path / "fewer/run")
    together(tmp_path, {"run": (SCHEMES["joint"], 0, "float64")})
    (a, _), (b, _) = read(tmp_path, "run", 2), read(folders[1], "joint", 2)
    assert all(torch.equal(a[k], b[k]) for k in a | b)
    assert about(tmp_path, "run", 0)["sent"] < about(folders[1], "joint", 0)["sent"], "it began anew"
    work.train(tmp_path / "fewer", {"run": (SCHEMES["joint"], 0, "float64")})
    assert far(read(tmp_path / "fewer", "run", 1)[0], a) <= 1e-10, "one rank goes on as well"


def test_a_silent_rank_ends_the_others_by_its_name(tmp_path: Path) -> None:
    with started(work.fail, 2, tmp_path, SCHEMES["joint"], 3, "silent") as processes:
        assert joined(processes[:1]) == [1]
        assert processes[1].is_alive()
    assert "TrainingError: rank 1 has not answered for 1 s (EDGEPDE_RANK_TIMEOUT)" in said(tmp_path, 0)


def test_a_rank_that_never_comes_is_named(tmp_path: Path) -> None:
    with started(work.exchange, 3, tmp_path, seconds=1, only=(0, 2)) as processes:
        assert joined(processes) == [1, 1]
    assert said(tmp_path, 0).startswith("TrainingError: rank 1 of 3: not there after 1 s")


def test_what_ranks_exchange(tmp_path: Path) -> None:
    with started(work.exchange, 3, tmp_path) as processes:
        assert joined(processes) == [0, 0, 0], said(tmp_path, 0)
    for rank in range(3):
        told = json.loads((tmp_path / f"rank-{rank}.json").read_text())
        assert told["total"] == [(1e16 + 1.0) - 1e16, 3.0]
        assert told["held"] == ["", "x", "xx"]
        assert told["said"] == "rank 2: expected the branch of rank 0; start all by one command"
        assert told["mine"] == list("abcdefg"[rank::3])


def test_the_command_runs_on_two_ranks(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["modno_pilot", "--out", str(run), "--quick", "--set", "scheme=joint", "--set", "steps=4"]
    with started(work.command, 2, tmp_path, *words) as processes:
        assert joined(processes) == [0, 0], said(tmp_path, 0) + said(tmp_path, 1)
    first, second = ((tmp_path / f"rank-{rank}.out").read_text() for rank in (0, 1))
    assert "bytes per step and rank" in first
    assert not second
    made = store.load(run)
    assert set(made.shared.cassettes) == {"advection", "viscous_burgers"}
    assert made.run.spec["history"]["ranks"]["size"] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["s2gpt_burgers"], "recipe s2gpt_burgers: runs in one process, WORLD_SIZE says 2"),
        (["modno_pilot", "--sweep", "basis"], "--sweep: runs in one process"),
    ],
)
def test_what_runs_in_one_process_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = CliRunner().invoke(app, ["train", *words, "--out", str(tmp_path / "run"), "--quick"])
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("name", "value"), [("RANK", "2"), ("RANK", "-1"), ("WORLD_SIZE", "two"), ("WORLD_SIZE", "0")])
def test_a_place_that_cannot_be(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=f"{name}: expected a whole number"):
        place()


def test_one_alone_exchanges_nothing() -> None:
    ranks = Alone()
    flat = torch.ones(3)
    assert ranks.sum(flat) is flat
    assert ranks.everyone(b"x") == [b"x"]
    assert ranks.sent == 0
    ranks.agree("branch", b"x")


def test_more_ranks_than_operators(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ranks = Alone()
    ranks.size = 3
    monkeypatch.setattr(training_run, "joined", lambda _: nullcontext(ranks))
    with pytest.raises(SettingError, match="operators: 2 for 3 ranks"):
        training_run.train(Pilot(), Follower(tmp_path, {}, None), torch.device("cpu"))  # type: ignore[arg-type]
