"""Card and report say what a certificate says of other backends, parts of the box, inaccurate inputs and families."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from edgepde_export import card
from edgepde_export.report import headline, tables
from edgepde_export.report.collect import collect
from edgepde_export.report.write import Asked, write
from edgepde_runtime import bundle as bundles
from edgepde_runtime.__main__ import main
from edgepde_runtime.certificate import Certificate, Found, OutputCertificate, Region, index
from edgepde_runtime.errors import BundleError
from edgepde_runtime.family import Family
from edgepde_runtime.term import TERMS, Term
from edgepde_runtime.verbs.verify import VerifyOptions
from support import cassette_bundles as made
from support.bundles import edit, terms
from support.report_bundles import front_bundle

FAMILY = Family((0.5, 0.0, 0.5), ((0.25, 0.0, 0.0), (0.0, 0.5, 0.25)), (-1.0, -1.0), (1.0, 1.0), (1e-3,) * 3)
SENSOR = Term(0.25, "sound", "nu within 1%")


def entry() -> OutputCertificate:
    """An entry with everything that may be said."""
    parts = {**terms({"model": 4e-3}, "sound"), "sensor": SENSOR}
    return OutputCertificate.from_terms(
        "u",
        "m/s",
        parts,
        found=Found(2e-6, {"parameters": (0.005,), "points": (0.01, 0.7)}, "reference"),
        elsewhere={"reference": {"activation": Term(3e-2, "measured", "of numpy")}},
        regions=[Region({"x": (0.25, 0.5)}, {**parts, "compression": Term(7e-7, "sound", "there")})],
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A bundle with a report and such a certificate."""
    made = front_bundle(tmp_path / "front")

    def change(data: bytes) -> bytes:
        stated = Certificate.from_json(data.decode())
        rich = replace(stated, backends=("c99", "ort", "reference"), outputs=index([entry()]))
        return rich.to_json().encode()

    edit(made, "certificate.json", change)
    return made


def test_the_card_says_it(path: Path) -> None:
    manifest, certificate = bundles.read(path).manifest, replace(bundles.read(path).certificate, family=FAMILY)
    text = card.render("front", (manifest.inputs, manifest.outputs), certificate, {}, card.Notes())
    for said in (
        "| sensor | 0.25 | sound | nu within 1% |",
        "On `reference` instead, total 0.285 (measured):",
        "| activation | 0.03 | measured | of numpy |",
        "| x=0.25:0.5 | 0.255 | sound | 3.7e-06 | sound |",
        "The worst |reference network - device| a search reached is 2e-06, at nu = 0.005, x = 0.01, t = 0.7; "
        "bound / found = 2.",
        "The family: the bound holds for inputs mean + a_1 mode_1 + ... + a_2 mode_2 + e alone",
    ):
        assert said in text


@pytest.mark.parametrize(("backend", "total"), [("reference", "0.285"), ("ort", "0.255")])
def test_the_report_says_it_for_the_backend_in_use(path: Path, tmp_path: Path, backend: str, total: str) -> None:
    out = tmp_path / "report.html"
    write(path, out, Asked(backend=backend, seconds="0.05"))
    page = out.read_text("utf-8")
    for said in (
        f"On {backend}; the certificate covers the backends c99, ort, reference.",
        "inputs as inaccurate as stated",
        "Largest |reference network − device| a search reached",
        "x from 0.25 to 0.5",
        f'<tr class="sum"><td>total</td><td class="n">{total}</td>',
    ):
        assert said in page
    assert page.count('<td class="w">reference</td><td class="n">0.285</td>') == 1


def test_inspect_says_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(path), "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    (errors,), (other,), (region,) = document["errors"], document["other backends"], document["regions"]
    assert (errors["sensor"], errors["against"], errors["class"]) == ("0.25", "reference", "sound")
    assert (other["backend"], other["total"], other["class"], other["sound total"]) == (
        "reference",
        "0.285",
        "measured",
        "-",
    )
    assert (region["part of the box"], region["sound total"]) == ("x=0.25:0.5", "3.7e-06")
    assert document["family"] == []


def test_a_family_is_put_in_words() -> None:
    assert "a mean plus a combination of 2 modes, off by at most" in tables.family(FAMILY)
    assert tables.family(None) == ""


def test_a_family_needs_inputs_that_share_their_rows(path: Path) -> None:
    stated = replace(bundles.read(path).certificate, family=FAMILY)
    edit(path, "certificate.json", lambda _: stated.to_json().encode())
    with pytest.raises(BundleError, match="family expected inputs that share their rows, got rows B, M"):
        bundles.read(path)


@pytest.mark.parametrize(
    ("class_", "said"),
    [
        ("sound", "activation, for inputs in the box; values are rounded up."),
        ("statistical", "model: statistical, for fresh draws and with the coverage stated."),
        ("measured", "model: measured, on the points stated."),
        ("not verified", "model: not verified."),
    ],
)
def test_the_page_promises_no_more_than_the_classes(path: Path, class_: str, said: str) -> None:
    parts = {name: Term(0.0, "sound", "exact") for name in TERMS}
    parts["model"] = Term(None if class_ == "not verified" else 4e-3, class_, "said so")
    opened = bundles.read(path)
    stated = replace(opened.certificate, outputs=index([OutputCertificate.from_terms("u", "m/s", parts)]))
    text = tables.stated(replace(opened, certificate=stated), "ort")
    assert text.endswith(said)
    assert ("inputs in the box" in text) == (class_ == "sound")
    assert "cassette" not in text
    tile = headline._error(stated.outputs["u"], 1)
    assert tile.name == ("error of u" if class_ in ("statistical", "measured") else "error bound of u")


def test_the_page_of_a_model_with_slots_counts_and_lists_its_cassettes(tmp_path: Path) -> None:
    held = [made.cassette("wave", 1), made.cassette("kdv", 2, high=1.0)]
    root = made.shared_bundle(tmp_path / "shared", held)
    facts = collect(root, VerifyOptions(backend="reference", seconds=0.01))
    shown = tables.tables(facts)
    names = [name for name, _, _ in shown["files"]]
    assert {"cassettes/index.json", "cassettes/kdv.npz", "cassettes/wave.npz"} <= set(names)
    assert sum(size for _, size, _ in shown["files"]) + (root / "manifest.json").stat().st_size == facts.bundle.size
    tile = next(one for one in headline.tiles(facts) if one.name == "bundle")
    assert tile.note == f"{len(names) + 1} files"
    assert next(c.detail for c in facts.verdict.checks if c.name == "integrity").startswith(tile.note)
    assert "what holds for one operator is the certificate in its cassette" in shown["stated"]


def test_a_plain_certificate_has_none_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = front_bundle(tmp_path / "front")
    opened = bundles.read(path)
    text = card.render("f", (opened.manifest.inputs, opened.manifest.outputs), opened.certificate, {}, card.Notes())
    write(path, tmp_path / "report.html", Asked(backend="reference", seconds="0.05"))
    page = (tmp_path / "report.html").read_text("utf-8")
    assert main(["inspect", str(path)]) == 0
    assert "instead" not in text
    assert "mode_1" not in text
    assert "part of the box" not in text + page + capsys.readouterr().out
    assert "Largest |exact solution − device|" in page
