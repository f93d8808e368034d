"""drift.json and the command: every field checked, nothing lost, one writer at a time."""

from __future__ import annotations

import copy
import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.__main__ import main
from edgepde_runtime.bundle import Bundle, read
from edgepde_runtime.drift import Drift
from edgepde_runtime.driftfile import document
from edgepde_runtime.errors import StateError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import drifting
from support.bundles import mlp_bundle
from support.drifting import life, lived
from support.refusal import only_refused

Change = Callable[[dict[str, Any]], object]


def put(*path: Any) -> Change:
    """A change that sets the member at path[:-1] to path[-1]."""

    def change(found: Any) -> None:
        *parents, key, value = path
        for parent in parents:
            found = found[parent]
        found[key] = value

    return change


def drop(*path: Any) -> Change:
    """A change that removes the member at path."""

    def change(found: Any) -> None:
        for parent in path[:-1]:
            found = found[parent]
        del found[path[-1]]

    return change


WRONG: dict[str, tuple[Change, str]] = {
    "version": (put("schema_version", 2), "schema_version expected 1, got 2"),
    "unknown key": (put("more", 1), "unknown key 'more'"),
    "unknown setting": (put("settings", "more", 1), "settings: unknown key 'more'"),
    "unknown count": (put("counts", "more", 1), "counts: unknown key 'more'"),
    "unknown in a window": (put("windows", 1, "more", 1), r"windows\[1\]: unknown key 'more'"),
    "unknown in the reference": (put("reference", "more", 1), "reference: unknown key 'more'"),
    "unknown in an alarm": (put("alarms", 0, "more", 1), r"alarms\[0\]: unknown key 'more'"),
    "no windows": (put("windows", []), "windows expected 1 to 19, got 0"),
    "bundle of 63 digits": (put("settings", "bundle", "a" * 63), "settings.bundle expected 64 hex digits"),
    "another bundle": (put("settings", "bundle", "a" * 64), r"bundle expected [0-9a-f]{12}\.\.\., the id of"),
    "rate 0": (put("settings", "false_alarm", 0), "false_alarm expected a rate between 0 and 1"),
    "unit": (put("settings", "unit", "day"), "unit expected call or row, got 'day'"),
    "commissioning of 3": (put("settings", "commissioning", 3), "commissioning expected 0, or 4 and more"),
    "seed negative": (put("settings", "seed", -1), r"seed expected 0 to 2\^53"),
    "rate unknown": (put("settings", "tolerated", "more", 0.1), "more"),
    "rate missing": (drop("settings", "tolerated", "above_threshold"), "counts: unknown key 'above_threshold'"),
    "rate of failures missing": (drop("settings", "tolerated", "not_converged"), "tolerated expected rates"),
    "rate 1": (put("settings", "tolerated", "out_of_box", 1.0), "tolerated expected rates between 0 and 1"),
    "names": (put("settings", "names", 0, "a"), "names expected the bundle's, parameters.nu, "),
    "calls negative": (put("counts", "calls", -1), r"counts.calls expected 0 to 2\^53, got -1"),
    "calls huge": (put("counts", "calls", 10**40), "got a longer number"),
    "observations": (put("counts", "observations", 3000), "windows expected starts|observations, got"),
    "count of a rate": (put("counts", "out_of_box", 7000), "out_of_box expected [0-9]+ as in the first window"),
    "histogram short": (put("histograms", 0, [1, 2]), r"histograms\[0\] expected a list of 10, got 2"),
    "histogram negative": (put("histograms", 0, 0, -1), r"histograms\[0\]\[0\] expected 0 to 2\^53"),
    "histogram a fraction": (put("histograms", 0, 0, 1.5), r"histograms\[0\]\[0\] expected a count"),
    "histogram true": (put("histograms", 0, 0, True), r"histograms\[0\]\[0\] expected a count"),
    "ends null": (put("ends", None), "ends expected null before any observation, and only then"),
    "ends turned": (put("ends", 0, [1.0, 0.0]), "ends expected the least and the greatest"),
    "ends infinite": (put("ends", 0, 0, 10**400), r"ends\[0\]\[0\] expected a finite number"),
    "residual": (put("residual", [0]), "residual expected a list of 4, got 1"),
    "reference of more": (put("reference", "count", 9999), "count expected at most 800"),
    "reference of fewer": (put("reference", "count", 100), "edges expected null until 200 are counted"),
    "reference counts": (put("reference", "counts", 0, 0, 9999), "counts expected 600 for each figure"),
    "squares negative": (put("reference", "squares", 0, -1.0), "squares expected numbers from 0 up"),
    "edges alike": (put("reference", "edges", 0, [0.5] * 7), "edges expected increasing numbers"),
    "edges null": (put("reference", "edges", None), "edges expected null until 200 are counted"),
    "closed a number": (put("reference", "closed", 1), "closed expected true or false"),
    "first window missing": (drop("windows", 0), "windows expected starts from 0 up"),
    "window dropped long ago": (put("windows", 1, "start", 1), "windows expected starts from 0 up that are kept"),
    "window twice": (lambda d: put("windows", 2, "start", d["windows"][1]["start"])(d), "windows expected starts"),
    "window rates": (put("windows", 1, "rates", [1, 0, 0, 1, 0]), r"windows\[1\].rates expected [0-9]+ observations"),
    "more above than inside": (put("windows", 0, "rates", 4, 10**6), "rates expected parts of the observations"),
    "inside and outside": (put("windows", 0, "rates", 3, 0), "rates expected parts of the observations"),
    "shapes uneven": (put("windows", 0, "shapes", 0, 0, 0), "shapes expected as many for each figure"),
    "alarm of what": (put("alarms", 0, "statistic", "weather"), "statistic expected one of the state's"),
    "alarm in the future": (put("alarms", 0, "observation", 10**9), "observation expected at most"),
    "alarm without number": (put("alarms", 0, "evidence", "high"), "evidence expected a number"),
    "alarm twice": (lambda d: d["alarms"].append(d["alarms"][0]), "alarms expected each statistic once"),
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return drifting.monitored(tmp_path_factory.mktemp("drift") / "b")


@pytest.fixture(scope="module")
def state(bundle: Bundle) -> Drift:
    """A state with windows, a reference and alarms."""
    drift = Drift(bundle, unit="row", commissioning=800)
    return lived(drift, life(np.random.default_rng(0), 2500, outside=0.1))


@pytest.mark.parametrize("case", WRONG)
def test_every_broken_rule_is_named(bundle: Bundle, state: Drift, case: str, tmp_path: Path) -> None:
    change, message = WRONG[case]
    found, path = copy.deepcopy(document(state.state)), tmp_path / "drift.json"
    path.write_text(json.dumps(found))
    assert document(Drift.read(path, bundle).state) == found
    change(found)
    path.write_text(json.dumps(found))
    with pytest.raises(StateError, match=rf"drift\.json: .*({message})"):
        Drift.read(path, bundle)


def test_every_member_must_be_there(bundle: Bundle, state: Drift, tmp_path: Path) -> None:
    found, path = document(state.state), tmp_path / "drift.json"
    for key in found:
        path.write_text(json.dumps({k: v for k, v in found.items() if k != key}))
        with pytest.raises(StateError, match=f"{key} is missing"):
            Drift.read(path, bundle)


def test_a_truncated_file_is_refused_and_kept(bundle: Bundle, state: Drift, tmp_path: Path) -> None:
    path = tmp_path / "drift.json"
    state.write(path)
    whole = path.read_bytes()
    for size in [*range(0, 40), *range(40, len(whole) - 2, 331), len(whole) - 2]:
        path.write_bytes(whole[:size])
        with pytest.raises(StateError, match=r"drift\.json: expected JSON"):
            Drift.read(path, bundle)
        assert main(["drift", str(bundle.root), "--state", str(path)]) == 2
        assert path.read_bytes() == whole[:size]
    path.write_bytes(b"\xff" + whole)
    with pytest.raises(StateError, match="expected UTF-8 text"):
        Drift.read(path, bundle)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_any_member_replaced_by_anything_is_read_or_refused(
    bundle: Bundle, state: Drift, tmp_path: Path, data: st.DataObject
) -> None:
    found = copy.deepcopy(document(state.state))
    holder: Any = found
    while True:
        key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        if not isinstance(holder[key], dict | list) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(anything)
    path = tmp_path / "drift.json"
    path.write_text(json.dumps(found))
    with only_refused(str(path), StateError):
        lived(Drift.read(path, bundle), life(np.random.default_rng(0), 100)).evidence()


def save(path: Path, rows: int, high: float = 1.0, seed: int = 0) -> str:
    nu = np.random.default_rng(seed).uniform(0.005, high, (rows, 1))
    np.savez(path, parameters=nu, points=np.zeros((2, 2), np.float32))
    return str(path)


def test_the_command_counts_and_says_when_there_is_an_alarm(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["drift", str(bundle.root), "--state", str(tmp_path / "drift.json"), "--backend", "reference"]
    assert main(argv) == 0
    assert "0 observations of 0 calls" in capsys.readouterr().out
    good, bad = save(tmp_path / "in.npz", 1500, 0.5), save(tmp_path / "bad.npz", 300, 1.5, 1)
    assert main([*argv, "--input", good, "--json", "-"]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found["alarmed"] is False
    assert found["state"]["counts"]["observations"] == 1500
    assert "no alarm; the chance of ever a false one is 0.01" in told.err
    assert main([*argv, "--input", bad]) == 1
    out = capsys.readouterr().out
    assert "ALARM (new) at observation" in out
    assert "out_of_box" in out
    assert main(argv) == 1
    assert "(new)" not in capsys.readouterr().out
    assert main([*argv, "--reset", "--commissioning", "0", "--tolerated", "out_of_box=0.05"]) == 0
    assert main([*argv, "--commissioning", "0", "--tolerated", "out_of_box=0.05"]) == 0
    assert main([*argv, "--commissioning", "1000"]) == 2
    assert "was begun with commissioning 0, got 1000; --reset begins anew" in capsys.readouterr().err


def test_the_states_of_devices_are_merged(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def argv(name: str, *more: str) -> list[str]:
        return ["drift", str(bundle.root), "--state", str(tmp_path / name), "--backend", "reference", *more]

    for name, seed in (("a", 1), ("b", 2)):
        assert main(argv(name, "--input", save(tmp_path / f"{name}.npz", 200, 0.5, seed))) == 0
    both = [word for name in "ab" for word in ("--merge", str(tmp_path / name))]
    assert main(argv("fleet", *both)) == 0
    assert json.loads((tmp_path / "fleet").read_text())["counts"]["observations"] == 400
    assert main(argv("other", *both[:2], *both[:2])) == 2
    assert "got the same twice" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    assert main(argv("other", "--merge", str(tmp_path / "nowhere"))) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["--tolerated", "out_of_box"],
        ["--tolerated", "out_of_box=much"],
        ["--tolerated", "weather=0.1"],
        ["--false-alarm", "2"],
        ["--commissioning", "7"],
        ["--unit", "day"],
        ["--input", "nowhere.npz"],
        ["--backend", "tpu"],
    ],
)
def test_usage_errors_exit_2_and_begin_nothing(bundle: Bundle, tmp_path: Path, words: list[str]) -> None:
    if "tpu" in words:
        words = [*words, "--input", save(tmp_path / "in.npz", 3)]
    assert main(["drift", str(bundle.root), "--state", str(tmp_path / "drift.json"), *words]) == 2
    assert not (tmp_path / "drift.json").exists()
    assert main(["drift", str(bundle.root), "--state", str(tmp_path / "no" / "drift.json")]) == 2


def test_the_state_of_another_bundle_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    one, other = mlp_bundle(tmp_path / "one"), mlp_bundle(tmp_path / "other", seed=1)
    state = tmp_path / "drift.json"
    assert main(["drift", str(one), "--state", str(state)]) == 0
    before = state.read_bytes()
    for path in (other, bundle.root):
        assert main(["drift", str(path), "--state", str(state), "--input", save(tmp_path / "in.npz", 3)]) == 2
    assert state.read_bytes() == before
    assert Drift.read(state, read(one)).alarms == []


def test_inputs_that_are_refused_count_nothing(bundle: Bundle, tmp_path: Path) -> None:
    state = tmp_path / "drift.json"
    argv = ["drift", str(bundle.root), "--state", str(state), "--backend", "reference", "--input"]
    assert main([*argv, save(tmp_path / "in.npz", 3)]) == 0
    before = state.read_bytes()
    np.savez(tmp_path / "nan.npz", parameters=np.array([[np.nan]]), points=np.zeros((2, 2), np.float32))
    assert main([*argv, str(tmp_path / "nan.npz")]) == 2
    assert state.read_bytes() == before


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "full"), OSError(errno.EROFS, "ro"), KeyboardInterrupt()])
def test_a_full_disk_and_an_interrupt_leave_the_old_state(
    bundle: Bundle,
    tmp_path: Path,
    failure: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = tmp_path / "drift.json"
    argv = ["drift", str(bundle.root), "--state", str(state), "--backend", "reference"]
    argv += ["--input", save(tmp_path / "in.npz", 3)]
    assert main(argv) == 0
    before = state.read_bytes()

    def fail(_: int) -> None:
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    assert main(argv) == (130 if isinstance(failure, KeyboardInterrupt) else 2)
    assert state.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["drift.json", "in.npz"]
    if isinstance(failure, OSError) and failure.errno == errno.ENOSPC:
        assert "no space left" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(argv) == 0
    assert json.loads(state.read_text())["counts"]["calls"] == 2


def test_writers_at_the_same_time_lose_nothing(bundle: Bundle, tmp_path: Path) -> None:
    argv = ["drift", str(bundle.root), "--state", str(tmp_path / "drift.json"), "--backend", "reference"]
    argv += ["--input", save(tmp_path / "in.npz", 3, 0.5)]
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(main(argv))) for _ in range(8)]
    processes = [subprocess.Popen([sys.executable, "-m", "edgepde_runtime", *argv], stdout=-3) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes += [process.wait() for process in processes]
    assert codes == [0] * 10
    assert json.loads((tmp_path / "drift.json").read_text())["counts"]["calls"] == 10
    assert sorted(p.name for p in tmp_path.iterdir()) == ["drift.json", "in.npz"]


def test_a_link_or_a_folder_in_place_of_the_state_is_refused(bundle: Bundle, state: Drift, tmp_path: Path) -> None:
    state.write(tmp_path / "real.json")
    (tmp_path / "drift.json").symlink_to(tmp_path / "real.json")
    with pytest.raises(StateError, match="expected a file, got a symbolic link"):
        Drift.read(tmp_path / "drift.json", bundle)
    (tmp_path / "folder").mkdir()
    with pytest.raises(StateError, match="expected a regular file"):
        Drift.read(tmp_path / "folder", bundle)
    (tmp_path / "big").write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(StateError, match="expected at most 1048576 bytes"):
        Drift.read(tmp_path / "big", bundle)
