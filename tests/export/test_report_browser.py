"""The page in a real browser: no complaint on its console, no scroll sideways, dark where asked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from edgepde_export.report.write import Asked, write
from support.report_bundles import front_bundle

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Measures the page from outside, as its own policy allows no script.
PROBE = """<!doctype html><iframe id="f" src="page.html" style="border:0;width:390px;height:2000px"></iframe>
<script>f.onload = () => {
  const d = f.contentDocument, style = f.contentWindow.getComputedStyle(d.body);
  const broken = [...d.querySelectorAll("svg")].filter(s => s.getBoundingClientRect().width < 100).length;
  const text = [...d.querySelectorAll("svg text")].map(t => t.getBoundingClientRect().height);
  document.body.append(`width=${d.documentElement.scrollWidth} svgs=${d.querySelectorAll("svg").length} ` +
    `broken=${broken} least=${Math.min(...text).toFixed(1)} paper=${style.backgroundColor}`);
}</script>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page of a bundle and the probe; skipped without a browser, failing where CI lacks one."""
    if BROWSER is None:
        reason = "chromium is not installed; scripts/system.sh lists it"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    root = tmp_path_factory.mktemp("browser")
    write(front_bundle(root / "front"), root / "page.html", Asked(p99_us="500", seconds="0.05"))
    (root / "probe.html").write_text(PROBE)
    return root


def dump(page: Path, *flags: str) -> tuple[str, list[str]]:
    """The document as the browser sees it, and what its console said."""
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={page.parent / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=4000"]
    done = subprocess.run(
        [*command, *flags, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=180, check=True
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_the_console_is_quiet(folder: Path) -> None:
    document, console = dump(folder / "page.html")
    assert console == []
    assert document.count("<svg ") == 15
    assert "EdgePDE report" in document


def test_the_browser_would_complain(folder: Path) -> None:
    bad = folder / "bad.html"
    page = (folder / "page.html").read_text()
    bad.write_text(page.replace("</body>", '<img src="http://localhost:9/x.png"><script>1</script></body>'))
    assert len(dump(bad)[1]) >= 2


def test_it_fits_a_phone(folder: Path) -> None:
    document, _ = dump(folder / "probe.html")
    found = re.search(r"width=(\d+) svgs=(\d+) broken=(\d+) least=([\d.]+) paper=rgb\(255, 255, 255\)", document)
    assert found, document[-300:]
    width, svgs, broken, least = (float(v) for v in found.groups())
    assert width <= 390
    assert (svgs, broken) == (15, 0)
    assert least >= 8


def test_it_is_dark_where_asked(folder: Path) -> None:
    document, _ = dump(folder / "probe.html", "--blink-settings=preferredColorScheme=0")
    assert "paper=rgb(20, 24, 29)" in document
