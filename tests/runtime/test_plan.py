"""c99/plan.json: read with care, and limits of RAM and flash held against it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from edgepde_runtime.__main__ import main
from edgepde_runtime.bundle import read
from edgepde_runtime.errors import BundleError
from edgepde_runtime.library import triples
from edgepde_runtime.limits import Limits
from edgepde_runtime.plan import LARGEST, Plan, Target
from edgepde_runtime.verbs.memorycheck import check_memory
from edgepde_runtime.verdict import FAIL, NOT_VERIFIED, PASS
from hypothesis import given
from hypothesis import strategies as st
from support import c99
from support.bundles import mlp_bundle
from support.refusal import only_refused

M7 = Target("arm-none-eabi", "arm-none-eabi-gcc 12.2", ("-Os",), 1024, 512, 1536)
HOST = Target("x86_64-linux-gnu", "gcc 12.2", ("-O3",), 4096, 256, 9000)
PLAN = Plan("0" * 64, 2048, (M7, HOST))
GOOD = json.loads(PLAN.to_json())
sizes = st.integers(0, LARGEST)
words = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=20)
targets = st.builds(Target, words, words, st.lists(words, max_size=3).map(tuple), sizes, sizes, sizes, st.booleans())


@given(sizes, st.lists(targets, max_size=4, unique_by=lambda t: t.triple))
def test_what_is_written_is_read(weights: int, made: list[Target]) -> None:
    plan = Plan("a" * 64, weights, tuple(made))
    assert Plan.from_json(plan.to_json()) == plan
    if made:
        judged = [t for t in made if t.asked] or made
        ram, flash = plan.most_ram(), plan.most_flash()
        assert ram is not None
        assert flash is not None
        assert all(t.scratch_bytes + t.stack_bytes <= ram[0] for t in judged)
        assert all(weights + t.code_bytes <= flash[0] for t in judged)
        assert ram[1] in judged
        assert flash[1] in judged


def changed(**members: Any) -> str:
    return json.dumps({**GOOD, **members})


def in_target(**members: Any) -> str:
    return changed(targets=[{**GOOD["targets"][0], **members}])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected JSON"),
        ("[]", "expected an object, got a list"),
        ("{}", "schema_version is missing"),
        (changed(schema_version=2), "schema_version expected 1, got 2"),
        (changed(schema_version=True), "schema_version expected a whole number"),
        (changed(model_hash="x"), "model_hash expected 64 hex digits"),
        (changed(weights_bytes=-1), f"weights_bytes expected 0 to {LARGEST} bytes, got -1"),
        (changed(weights_bytes=1.5), "weights_bytes expected a whole number, got 1.5"),
        (changed(weights_bytes=LARGEST + 1), f"weights_bytes expected 0 to {LARGEST} bytes"),
        (changed(targets={}), "targets expected a list"),
        (changed(targets=[1]), r"targets\[0\]: expected an object"),
        (
            changed(targets=GOOD["targets"][:1] * 2),
            "targets expected each triple once, got arm-none-eabi, arm-none-eabi",
        ),
        (
            changed(targets=[{**GOOD["targets"][0], "triple": str(i)} for i in range(101)]),
            "expected at most 100, got 101",
        ),
        (changed(more=1), "unknown key 'more'"),
        (in_target(more=1), r"targets\[0\]: unknown key 'more'"),
        (in_target(stack_bytes="1"), r"targets\[0\].stack_bytes expected a whole number"),
        (in_target(code_bytes=None), r"targets\[0\].code_bytes expected a whole number"),
        (in_target(scratch_bytes=10**30), r"targets\[0\].scratch_bytes expected 0 to"),
        (in_target(asked=1), r"targets\[0\].asked expected true or false, got a number"),
        (in_target(flags="-Os"), r"targets\[0\].flags expected a list"),
        (in_target(triple="a\nb"), r"targets\[0\].triple expected printable characters"),
        (changed(weights_bytes=float("nan")), "NaN is not JSON"),
    ],
)
def test_nonsense_is_refused_by_field(text: str, message: str) -> None:
    with pytest.raises(BundleError, match=rf"c99/plan\.json.*{message}"):
        Plan.from_json(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.sampled_from([*GOOD, *GOOD["targets"][0]]) | st.text(), s),
    )
)
def test_any_json_is_read_or_refused(value: object) -> None:
    with only_refused("c99/plan.json", BundleError):
        Plan.from_json(json.dumps(value))


@pytest.mark.parametrize(
    ("limit", "status"), [(Limits(max_ram_kb=4.25), PASS), (Limits(max_ram_kb=4.24), FAIL), (Limits(), None)]
)
def test_ram_is_scratch_and_stack_of_the_worst_target(limit: Limits, status: str | None) -> None:
    checks = check_memory(PLAN, limit)
    assert [c.status for c in checks] == ([status] if status else [])
    if status:
        (check,) = checks
        assert (check.name, check.value, check.unit) == ("RAM", 4352 / 1024, "KB")
        assert check.detail == "x86_64-linux-gnu, the most of 2 targets: scratch 4096 + stack 256 bytes (gcc 12.2)"


def test_flash_is_weights_and_code() -> None:
    (check,) = check_memory(Plan("0" * 64, 2048, (M7,)), Limits(max_flash_kb=3.4))
    assert (check.name, check.value, check.status) == ("flash", 3584 / 1024, FAIL)
    assert check.detail == "arm-none-eabi: weights 2048 + code 1536 bytes (arm-none-eabi-gcc 12.2)"


def test_limits_hold_for_the_targets_that_were_asked_for() -> None:
    asked = Plan("0" * 64, 2048, (replace(M7, asked=True), HOST))
    (check,) = check_memory(asked, Limits(max_ram_kb=1.5))
    assert (check.value, check.status) == (1.5, PASS)
    assert check.detail.startswith("arm-none-eabi, asked with --cc: scratch 1024 + stack 512 bytes")
    assert check_memory(PLAN, Limits(max_ram_kb=1.5))[0].status == FAIL
    both = Plan("0" * 64, 2048, tuple(replace(t, asked=True) for t in (M7, HOST)))
    (check,) = check_memory(both, Limits(max_ram_kb=1.5))
    assert check.status == FAIL
    assert check.detail.startswith("x86_64-linux-gnu, the most of 2 asked targets: ")


def test_a_library_without_sizes_is_not_verified() -> None:
    assert triples(["lib/a-b/libm.so", "c99/lib/c-d/x", "lib/readme"]) == {"a-b"}
    (check,) = check_memory(PLAN, Limits(max_ram_kb=100), triples(["lib/a-b/libm.so", f"lib/{M7.triple}/libm.a"]))
    assert (check.status, check.detail) == (NOT_VERIFIED, "c99/plan.json has no sizes for a-b")


@pytest.mark.parametrize(("plan", "why"), [(None, "needs a bundle with c99/"), (Plan("0" * 64, 1, ()), "no target")])
def test_without_a_plan_nothing_is_verified(plan: Plan | None, why: str) -> None:
    checks = check_memory(plan, Limits(max_ram_kb=1.0, max_flash_kb=1.0))
    assert [(c.name, c.status) for c in checks] == [("RAM", NOT_VERIFIED), ("flash", NOT_VERIFIED)]
    assert all(why in c.detail for c in checks)


def verify(bundle: Path, *more: str) -> int:
    return main(["verify", str(bundle), "--backend", "reference", "--seconds", "0.02", *more])


def test_verify_holds_the_limits_against_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = c99.plan(c99.mlp_bundle(tmp_path / "b"), [c99.target()])
    assert verify(bundle, "--max-ram-kb", "1", "--max-flash-kb", "2") == 0
    assert "x86_64-linux-gnu: scratch 192 + stack 832 bytes (gcc 12.2)" in capsys.readouterr().out
    assert verify(bundle, "--max-ram-kb", "0.99") == 1
    (tmp_path / "budget.toml").write_text('[[model]]\npath = "b"\nmax_flash_kb = 1.9\n')
    assert verify(bundle, "--budget", str(tmp_path / "budget.toml")) == 1
    assert verify(mlp_bundle(tmp_path / "plain"), "--max-ram-kb", "1") == 4


def test_a_plan_of_another_model_breaks_the_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = c99.plan(c99.mlp_bundle(tmp_path / "b"), [], model_hash="f" * 64)
    with pytest.raises(BundleError, match=r"plan\.json: model_hash expected .* as in manifest\.json, got ffff"):
        _ = read(bundle).plan
    assert verify(bundle) == 1
    assert "integrity" in capsys.readouterr().out


def test_inspect_shows_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = c99.plan(c99.mlp_bundle(tmp_path / "b"), [c99.target()])
    assert main(["inspect", str(bundle), "--json", "-"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["c99"]
    assert (row["target"], row["compiler"], row["RAM"], row["flash"]) == (
        "x86_64-linux-gnu",
        "gcc 12.2",
        "1.0 KB",
        "2.0 KB",
    )
    for made, said in ((c99.plan(bundle, []), "no target"), (c99.mlp_bundle(tmp_path / "c"), "sources without a plan")):
        assert main(["inspect", str(made)]) == 0
        assert said in capsys.readouterr().out
    assert main(["inspect", str(mlp_bundle(tmp_path / "d")), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["c99"] == []


def test_the_plan_of_the_page_is_one() -> None:
    page = Path(__file__).parents[2] / "docs" / "bundle.md"
    if not page.is_file():
        pytest.skip("no docs here")
    (text,) = [t for t in re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL) if "weights_bytes" in t]
    plan = Plan.from_json(text.replace("<same as in the manifest>", "0" * 64))
    assert [t.triple for t in plan.targets] == ["arm-none-eabi"]
