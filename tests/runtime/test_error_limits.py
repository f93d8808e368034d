"""--max-error on parts of the box: how it is typed, what is refused, and what verify holds it against."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from edgepde_runtime import budget, load
from edgepde_runtime import bundle as bundles
from edgepde_runtime.__main__ import main
from edgepde_runtime.certificate import BoxEntry, Found, OutputCertificate, Region
from edgepde_runtime.errorlimits import ErrorLimits, RegionLimit
from edgepde_runtime.errors import BudgetError
from edgepde_runtime.limits import Limits, max_error
from edgepde_runtime.subbox import contains
from edgepde_runtime.term import Term
from edgepde_runtime.verbs.verify import VerifyOptions, VerifyReport, verify
from edgepde_runtime.verdict import FAIL, NOT_VERIFIED, PASS
from hypothesis import given
from hypothesis import strategies as st
from support import c99
from support.attacked import attacked_bundle
from support.bundles import edit, terms
from support.refusal import only_refused

HOT = {"x": (0.4, 0.6), "t": (0.0, 0.2)}
BOX = (BoxEntry("x", "x", "m", -1.0, 1.0), BoxEntry("x", "t", "s", 0.0, 1.0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-2", ErrorLimits({"": 1e-2})),
        ("u=1e-2,u_x=1e-1", ErrorLimits({"u": 1e-2, "u_x": 1e-1})),
        ("u=1e-2,u[x=0.4:0.6,t=0:0.2]=1e-4", ErrorLimits({"u": 1e-2}, (RegionLimit("u", HOT, 1e-4),))),
        ("1e-2,[x=0.4:0.6]=1e-4", ErrorLimits({"": 1e-2}, (RegionLimit("", {"x": (0.4, 0.6)}, 1e-4),))),
        ("[x=-1e-3:.5]=1e-4", ErrorLimits({}, (RegionLimit("", {"x": (-1e-3, 0.5)}, 1e-4),))),
        (" u = 1 , u[ x = 0 : 1 ] = 2 ", ErrorLimits({"u": 1.0}, (RegionLimit("u", {"x": (0.0, 1.0)}, 2.0),))),
        (
            "u[x=0:0.5]=1,u[x=0.25:1]=2",
            ErrorLimits({}, (RegionLimit("u", {"x": (0.0, 0.5)}, 1.0), RegionLimit("u", {"x": (0.25, 1.0)}, 2.0))),
        ),
    ],
)
def test_what_is_typed_is_read(text: str, expected: ErrorLimits) -> None:
    assert max_error(text, "--max-error") == expected
    assert max_error(expected, "--max-error") is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u[x=0.6:0.4]=1", r"--max-error: u\[x=0.6:0.4\]: column x: expected low < high, got 0.6 and 0.4"),
        ("u[x=0.4:0.4]=1", "expected low < high"),
        ("u[x=0.4]=1", "expected column=low:high, got 'x=0.4'"),
        ("u[x]=1", "expected column=low:high"),
        ("u[]=1", "expected column=low:high, got ''"),
        ("u[x=a:b]=1", "expected column=low:high"),
        ("u[x=0:inf]=1", "expected column=low:high"),
        ("u[x=0:nan]=1", "expected column=low:high"),
        ("u[x=0:1,x=0:1]=1", "expected each column once, got 'x' twice"),
        ("u[x=0:1]=1,u[x=0:1]=2", "expected each part of the box once"),
        ("u[x=0:1,t=0:1]=1,u[t=0:1,x=0:1]=2", "expected each part of the box once"),
        ("u[x=0:1]", "expected each output once as name=value"),
        ("u[x=0:1]=", "expected a number above 0, got ''"),
        ("u[x=0:1]=-1", "expected a number above 0, got '-1'"),
        ("u[x=0:1=1", "expected each output once as name=value"),
        ("ux=0:1]=1", "expected"),
        ("u[x=0:1]v=1", r"expected NAME or NAME\[column=low:high\], got 'u\[x=0:1\]v'"),
        ("1e-2,1e-3", "expected a number above 0, got '1e-2,1e-3'"),
        ("1e-2,1e-3,u=1", "each output once as name=value, got '' twice"),
        ("u=1,,v=1", "expected a number above 0, got ''"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(BudgetError, match=message):
        max_error(text, "--max-error")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v=1", "'v' is no certified output; expected u"),
        ("v[x=0:1]=1", "'v' is no certified output"),
        ("u[y=0:1]=1", r"--max-error: u\[y=0.0:1.0\]: column 'y' is unknown; expected x, t"),
        ("u[x=0:1.5]=1", r"column x: expected a range inside the box \[-1.0, 1.0\], got \[0.0, 1.5\]"),
        ("u[x=0:1,x.x=0:1]=1", "expected each column once, got x.x twice"),
    ],
)
def test_what_the_box_does_not_have_is_refused(text: str, message: str) -> None:
    with pytest.raises(BudgetError, match=message):
        max_error(text, "--max-error").check(["u"], BOX, "--max-error")


@given(st.text(alphabet="u_x=[],:0.1e- ", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with only_refused("--max-error", BudgetError):
        assert max_error(text, "--max-error").smallest is not None


ranges = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).filter(lambda e: e[0] < e[1])


@given(st.dictionaries(st.sampled_from(["u", "v", ""]), ranges, min_size=1), st.floats(1e-9, 1e9))
def test_what_is_printed_is_read_back(parts: dict[str, tuple[float, float]], limit: float) -> None:
    made = ErrorLimits({}, tuple(RegionLimit(name, {"x": ends}, limit) for name, ends in parts.items()))
    assert max_error(",".join(f"{region.name}={limit!r}" for region in made.regions), "e") == made


@given(ranges, ranges)
def test_a_part_contains_what_lies_in_it(outer: tuple[float, float], inner: tuple[float, float]) -> None:
    inside = outer[0] <= inner[0] and inner[1] <= outer[1]
    assert contains({"x": outer}, {"x": inner}, BOX) == inside
    assert contains({}, {"x": inner}, BOX)
    assert contains({"x": outer}, {"x": outer, "t": (0.0, 0.5)}, BOX)
    assert not contains({"x": outer, "t": (0.0, 0.5)}, {"x": outer}, BOX)


def test_flags_replace_the_same_part_and_one_for_all_replaces_everything() -> None:
    table = Limits(max_error=max_error("u=1,u[x=0:1]=2,v[x=0:1]=3", "e"))
    part = table.overridden({"max_error": max_error("u[x=0:1]=5", "e")})
    assert part.max_error == max_error("u=1,v[x=0:1]=3,u[x=0:1]=5", "e")
    assert table.overridden({"max_error": max_error("7", "e")}).max_error == max_error("7", "e")


@pytest.mark.parametrize("line", ['"u=1e-2,u[x=0.4:0.6]=1e-4"', '{u = 1e-2, "u[x=0.4:0.6]" = 1e-4}'])
def test_a_budget_file_has_both_forms(tmp_path: Path, line: str) -> None:
    file = tmp_path / "budget.toml"
    file.write_text(f'[[model]]\npath = "b"\nmax_error = {line}\n')
    assert budget.find(file, tmp_path / "b").max_error == max_error("u=1e-2,u[x=0.4:0.6]=1e-4", "e")


@pytest.mark.parametrize("line", ['{"u[x=0.6:0.4]" = 1}', '{"u[x=0:1" = 1}', '{"u[x=0:1]" = 0}'])
def test_a_wrong_table_names_the_key(tmp_path: Path, line: str) -> None:
    file = tmp_path / "budget.toml"
    file.write_text(f'[[model]]\npath = "b"\nmax_error = {line}\n')
    with pytest.raises(BudgetError, match=r"model\[0\].max_error"):
        budget.read(file)


def checked(bundle: Path, text: str = "", backend: str = "reference", **limits: object) -> VerifyReport:
    """A short verification."""
    asked = Limits(max_error=max_error(text, "e") if text else ErrorLimits(), **limits)  # type: ignore[arg-type]
    return verify(bundle, VerifyOptions(asked, backend, True, seconds=0.02))


def statuses(report: VerifyReport) -> dict[str, str]:
    """Verdicts of the error checks by name."""
    return {check.name: check.status for check in report.checks if check.name.startswith("error ")}


TIGHT = Region({"x": (0.4, 0.6)}, terms({"model": 0.0, "compression": 1e-8}, "sound"))
TIGHTER = Region({"x": (0.45, 0.55)}, terms({"model": 0.0, "compression": 1e-9, "rounding": 0.0}, "sound"))


def test_a_part_is_held_against_the_tightest_region_that_contains_it(tmp_path: Path) -> None:
    bundle = attacked_bundle(tmp_path / "b", regions=(TIGHT, TIGHTER))
    report = checked(bundle, "u=1e-2,u[x=0.4:0.6]=1e-5,u[x=0.5:0.55]=2.1e-6,u[x=0.45:0.56]=2.1e-6")
    assert statuses(report) == {
        "error u": PASS,
        "error u[x=0.4:0.6]": PASS,
        "error u[x=0.5:0.55]": PASS,
        "error u[x=0.45:0.56]": FAIL,
    }
    values = {c.name: c.value for c in report.checks}
    assert values["error u[x=0.5:0.55]"] == TIGHTER.total
    assert values["error u[x=0.45:0.56]"] == TIGHT.total


def test_a_part_without_a_region_is_held_against_the_whole(tmp_path: Path) -> None:
    bundle = attacked_bundle(tmp_path / "b", regions=(TIGHT,))
    assert statuses(checked(bundle, "u[x=0:0.5]=1e-5"))["error u[x=0.0:0.5]"] == FAIL
    assert statuses(checked(bundle, "[t=0:0.5]=1e-2"))["error u[t=0.0:0.5]"] == PASS


def test_a_part_that_is_not_there_is_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = attacked_bundle(tmp_path / "b")
    assert main(["verify", str(bundle), "--seconds", "0.02", "--max-error", "u[x=0:7]=1"]) == 2
    assert "inside the box [-1.0, 1.0], got [0.0, 7.0]" in capsys.readouterr().err


TWO = ("c99", "reference")
LIBRARY = {"activation": Term(2e-6, "measured", "of a library")}
ELSEWHERE = {"reference": LIBRARY}


def test_verify_shows_the_class_and_total_of_the_backend_in_use(tmp_path: Path) -> None:
    both = {"reference": LIBRARY, "ort": LIBRARY}
    bundle = c99.add(attacked_bundle(tmp_path / "b", elsewhere=both, regions=(TIGHT,)), c99.mlp_body(0))
    (sound,) = (c for c in checked(bundle, backend="c99", min_class="sound").checks if c.name == "error u")
    assert (sound.status, sound.value) == (PASS, pytest.approx(1.004e-3))
    report = checked(bundle, "u[x=0.4:0.6]=1", min_class="sound")
    for check in (c for c in report.checks if c.name.startswith("error ")):
        assert (check.status, report.exit_code) == (NOT_VERIFIED, 4)
        weak = "measured, asked for sound: activation is measured, sound on c99 (verify with --backend c99 --trust); "
        assert check.detail.startswith(weak)
    (whole,) = (c for c in report.checks if c.name == "error u")
    assert whole.value == pytest.approx(1.005e-3)


def test_without_the_c_code_the_hint_says_how_to_get_it(tmp_path: Path) -> None:
    bundle = attacked_bundle(tmp_path / "b", elsewhere=ELSEWHERE, backends=TWO)
    details = [c.detail for c in checked(bundle, min_class="sound").checks if c.name == "error u"]
    assert "sound on c99 (export with --target c99, then verify with --backend c99 --trust)" in details[0]


def test_where_no_backend_is_strong_enough_there_is_no_hint(tmp_path: Path) -> None:
    bundle = attacked_bundle(tmp_path / "b", class_="statistical", elsewhere=ELSEWHERE)
    details = [c.detail for c in checked(bundle, min_class="sound").checks if c.name == "error u"]
    assert "model is statistical; compression is statistical; " in details[0]
    assert "c99" not in details[0]


def test_golden_data_is_held_against_the_terms_of_its_backend(tmp_path: Path) -> None:
    nothing = {name: Term(0.0, "sound", "none") for name in ("rounding", "activation")}
    bundle = attacked_bundle(tmp_path / "b", compression=0.0, elsewhere={"reference": nothing})
    golden = {c.name: c.limit for c in checked(bundle).checks if c.name.startswith("golden")}
    assert golden == {"golden u on reference": 1e-6}


def test_the_error_bound_of_a_call_is_that_of_its_backend(tmp_path: Path) -> None:
    bundle = attacked_bundle(tmp_path / "b", elsewhere=ELSEWHERE)
    model = load(bundle, "reference")
    result = model.call(model.bundle.golden.inputs["x"])
    assert result.error_bound["u"]["class"] == "measured"
    assert result.error_bound["u"]["value"] == model.certificate.total == pytest.approx(1.005e-3)
    assert model.bundle.certificate.total == pytest.approx(1.004e-3)


@pytest.mark.parametrize(
    ("found", "backend", "status"),
    [(3e-6, "", PASS), (4.5e-6, "", FAIL), (4.5e-6, "reference", PASS), (6e-6, "reference", FAIL)],
)
def test_what_a_search_found_is_held_against_the_bound_of_its_backend(
    tmp_path: Path, found: float, backend: str, status: str
) -> None:
    bundle = attacked_bundle(tmp_path / "b", elsewhere=ELSEWHERE)
    stated = bundles.read(bundle).certificate
    entry = stated.outputs["u"]
    worst = Found(found, {"x": (0.5, 0.25)}, "reference", backend)
    searched = OutputCertificate.from_terms("u", "m/s", entry.terms, elsewhere=entry.elsewhere, found=worst)
    edit(bundle, "certificate.json", lambda _: replace(stated, outputs={"u": searched}).to_json().encode())
    assert statuses(checked(bundle)) == {"error u": status}
