"""The main job twice: a network with a proved error, and a reduced network that solves new parameters."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path("demo")
PROVED, TOTAL = "1e-2", "1e-3"


def stages() -> list[list[str]]:
    """The commands in order: the words after `edgepde`."""
    pinn, small, proved, run, bundle, page, proof = (
        str(FOLDER / name)
        for name in ("pinn", "pinn-small", "pinn-bundle", "run", "bundle", "report.html", "pinn-report.html")
    )
    return [
        ["train", "pinn_burgers", "--quick", "--out", pinn],
        ["compress", pinn, "--out", small, "--max-error", PROVED],
        ["export", small, "--out", proved, "--target", "c99", "--max-error", PROVED, "--with-reference"],
        ["verify", proved, "--attack", "5"],
        ["report", proved, "--out", proof],
        ["train", "s2gpt_burgers", "--quick", "--out", run],
        ["export", run, "--out", bundle, "--target", "c99"],
        ["verify", bundle, "--max-error", TOTAL],
        ["report", bundle, "--out", page],
    ]


def main() -> int:
    """Run the stages in order; the exit code is the verdict's."""
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for stage in stages():
        print(f"\n$ edgepde {' '.join(stage)}", flush=True)
        code = subprocess.run([str(Path(sys.executable).parent / "edgepde"), *stage], check=False).returncode
        if code:
            print(f"\ndemo: edgepde {stage[0]} ended with exit code {code}")
            return code
    print(f"\ndemo: PASS in {time.monotonic() - began:.0f} s.")
    print(
        f"The compressed PINN differs from the trained one by at most {PROVED} m/s on the device: proved and attacked."
    )
    print(f"The reduced network's total error is measured below {TOTAL} m/s.")
    print(f"Look at {FOLDER}/pinn-report.html and {FOLDER}/report.html.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
