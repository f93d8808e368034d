"""The page of `edgepde report`: what it says, that it is one file, and every way it refuses."""

from __future__ import annotations

import errno
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_export.cli.main import app
from edgepde_export.report.page import LARGEST
from edgepde_export.report.write import Asked, write
from support.bundles import edit, mlp_bundle
from support.report_bundles import front_bundle, report_arrays
from typer.testing import CliRunner, Result

from edgepde.train import atomic

QUICK = "0.03"
LEDGER = {"provenance": {"identity": {"recipe": "burgers", "seed": 7, "recipe_sha256": None}}}


def run(*words: object) -> Result:
    """The command."""
    return CliRunner().invoke(app, ["report", *map(str, words), "--seconds", QUICK])


def page_of(bundle: Path, out: Path, **asked: Any) -> str:
    """The page's text."""
    write(bundle, out, Asked(seconds=QUICK, **asked))
    return out.read_text("utf-8")


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with everything a page can show."""
    root = tmp_path_factory.mktemp("report") / "front"
    return front_bundle(root, extra={"ledger.json": json.dumps(LEDGER).encode()})


@pytest.fixture(scope="module")
def page(front: Path) -> str:
    """Its page."""
    return page_of(front, front.parent / "page.html")


def test_every_section_is_there(page: str) -> None:
    ids = set(re.findall(r'<h2 id="([^"]*)"', page))
    named = {"checks", "fields", "certificate", "reduced", "latency", "break-even", "files", "provenance", "reproduce"}
    assert ids == {*named, "card"}
    assert page.index("Passes: everything that was asked holds") < page.index("<h2")
    for rank in ("Worst: nu = 0.005 m²/s", "Middle: nu = ", "Best: nu = 1 m²/s"):
        assert rank in page
    assert len(re.findall(r"<svg ", page)) == 3 * 3 + 4 + 2


def test_it_tells_where_the_bundle_comes_from(page: str, front: Path) -> None:
    manifest = json.loads((front / "manifest.json").read_text())
    for text in (
        manifest["model_hash"],
        ">burgers<",
        ">7<",
        f"edgepde verify {front} --seconds {QUICK}",
        "edgepde train burgers --seed 7 --out run",
    ):
        assert str(text) in page
    for name, entry in manifest["files"].items():
        assert name in page
        assert entry["sha256"][:16] in page


def test_it_is_one_file(page: str) -> None:
    assert len(page.encode()) <= LARGEST
    assert "<script" not in page
    assert "<metadata" not in page
    sources = re.findall(r'(?:src|href|action|data)\s*=\s*"([^"]*)"|url\(([^)]*)\)', page)
    targets = {a or b for a, b in sources}
    assert targets
    assert all(t.startswith(("#", "data:")) for t in targets)


def test_ids_are_unique_and_every_reference_has_one(page: str) -> None:
    ids = Counter(re.findall(r'\sid="([^"]*)"', page))
    assert [name for name, times in ids.items() if times > 1] == []
    references = {a or b for a, b in re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', page)}
    assert references <= set(ids)


def test_drawings_take_the_colours_of_the_page(page: str) -> None:
    defined = set(re.findall(r"(--[a-z]+):", page))
    used = set(re.findall(r"var\((--[a-z]+)\)", page))
    assert {"--ink", "--muted", "--accent"} <= used <= defined
    assert re.findall(r"#0[1-7]fe0[1-7]", page) == []
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_a_budget_is_drawn_and_decides(front: Path, tmp_path: Path) -> None:
    tight = page_of(front, tmp_path / "tight.html", p50_us="0.001")
    assert "Fails: a check does not hold" in tight
    assert "p50 budget 0.001 µs" in tight
    (tmp_path / "budget.toml").write_text('[[model]]\npath = "front"\np99_us = 1e7\nmax_error = 1e-9\n')
    held = page_of(front, tmp_path / "held.html", budget=tmp_path / "budget.toml", p50_us="1e6")
    for text in ("p99 budget", "p50 budget", "Fails", f"--budget {tmp_path / 'budget.toml'} --p50-us 1e6"):
        assert text in held
    assert "No budget was given" in page_of(front, tmp_path / "none.html")


def test_a_plain_network_gets_a_page_that_says_what_is_missing(tmp_path: Path) -> None:
    page = page_of(mlp_bundle(tmp_path / "mlp", amounts={"model": None}), tmp_path / "page.html")
    assert "Not verified: something could not be checked" in page
    assert "Break-even is not known" in page
    assert 'id="fields"' not in page
    assert "report.npz: no fields, points" in page


def test_without_a_reference_solution(tmp_path: Path) -> None:
    arrays = report_arrays(count=4, shape=(9, 7))
    for name in ("exact", "reference_seconds"):
        del arrays[name]
    page = page_of(front_bundle(tmp_path / "b", arrays=arrays), tmp_path / "page.html")
    assert "There is no exact field to compare with" in page
    assert "First: nu = 0.005" in page
    assert "the problem has no reference solution" in page
    assert len(re.findall(r"<svg ", page)) == 3 + 3 + 2


def test_a_page_of_noise_still_fits(tmp_path: Path) -> None:
    arrays = report_arrays(count=3, shape=(80, 50))
    noise = np.random.default_rng(0).normal(size=(2, 3, 80, 50)).astype(np.float32)
    arrays["predicted"], arrays["exact"] = noise
    page = page_of(front_bundle(tmp_path / "b", arrays=arrays), tmp_path / "page.html")
    assert len(page.encode()) <= LARGEST


def test_texts_of_a_bundle_are_only_text(tmp_path: Path) -> None:
    evil = b"# a\n<script>alert(1)</script> ![x](http://evil.example/a.png) [y](http://evil.example)\n"
    ledger = json.dumps({"recipe": "</pre><script>alert(2)</script>", "command": "<img src=http://evil.example>"})
    bundle = mlp_bundle(tmp_path / "b", extra={"card.md": evil, "ledger.json": ledger.encode()})

    def spoil(data: bytes) -> bytes:
        return data.replace(b"on a grid", b"</table><script>alert(3)</script>")

    edit(bundle, "certificate.json", spoil)
    page = page_of(bundle, tmp_path / "page.html")
    assert page.count("&lt;script&gt;") >= 4
    assert re.findall(r"<(?:script|img|a)\b", page) == []


def test_labels_of_a_bundle_are_not_mathematics(tmp_path: Path) -> None:
    bundle = front_bundle(tmp_path / "b", arrays=report_arrays(count=3, shape=(5, 5)))
    for name in ("manifest.json", "certificate.json"):
        edit(bundle, name, lambda d: d.replace(b'"x"', b'"$x^$<b>"'), consistent=name != "manifest.json")
    page = page_of(bundle, tmp_path / "page.html")
    assert "$x^$&lt;b&gt;" in page
    assert "$x^$<b>" not in page


def test_the_command_writes_and_tells(front: Path, tmp_path: Path) -> None:
    result = run(front, "--out", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    assert re.search(r"page.html: \d+ KB, verdict: pass", result.output)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--out", "nowhere/page.html"], "got no folder nowhere"),
        (["--out", "."], "got a folder"),
        (["--out", "BUNDLE/page.html"], "lies in the bundle"),
        (["--out", "/dev/null"], "got a device"),
        (["--out", "p.html", "--p50-us", "fast"], "--p50-us"),
        (["--out", "p.html", "--budget", "none.toml"], "none.toml"),
        (["--out", "p.html", "--backend", "abacus"], "abacus"),
    ],
)
def test_wrong_usage_is_one_line(
    front: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(front))
    result = run(front, *(word.replace("BUNDLE", str(front)) for word in words))
    assert result.exit_code == 2
    assert expected in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    assert sorted(os.listdir(front)) == before


@pytest.mark.parametrize("what", ["nothing", "file", "altered", "golden"])
def test_what_is_no_bundle_is_one_line(tmp_path: Path, what: str) -> None:
    place = tmp_path / "b"
    if what == "file":
        place.write_text("x")
    elif what != "nothing":
        mlp_bundle(place)
    if what == "altered":
        edit(place, "card.md", lambda d: d.replace(b"a card", b"A card"), consistent=False)
    if what == "golden":
        edit(place, "golden.npz", lambda _: b"no zip")
    result = run(place, "--out", tmp_path / "page.html")
    assert result.exit_code == (2 if what in ("nothing", "file") else 1)
    told = {"altered": "card.md: altered", "golden": "golden.npz", "nothing": "there is no such bundle"}
    named = told.get(what, "expected the folder of a bundle")
    assert named in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_keeps_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    bundle = mlp_bundle(tmp_path / "b")
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "page.html").write_text("old")

    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(atomic.os, "fsync", refuse)
    result = run(bundle, "--out", folder / "page.html")
    assert result.exit_code == 2
    assert f"page.html: cannot be written: {os.strerror(code)}" in result.output
    assert [p.name for p in folder.iterdir()] == ["page.html"]
    assert (folder / "page.html").read_text() == "old"
