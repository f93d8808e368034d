"""The main job in one go: train a small Burgers surrogate, export it, verify the bundle, draw the report."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path("demo")
MAX_ERROR = "1e-3"


def main() -> int:
    """Run the stages in order; the exit code is the verdict's."""
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    run, bundle, report = (str(FOLDER / name) for name in ("run", "bundle", "report.html"))
    stages = [
        ["train", "s2gpt_burgers", "--quick", "--out", run],
        ["export", run, "--out", bundle, "--target", "c99"],
        ["verify", bundle, "--max-error", MAX_ERROR],
        ["report", bundle, "--out", report],
    ]
    for stage in stages:
        print(f"\n$ edgepde {' '.join(stage)}", flush=True)
        code = subprocess.run([str(Path(sys.executable).parent / "edgepde"), *stage], check=False).returncode
        if code:
            print(f"\ndemo: edgepde {stage[0]} ended with exit code {code}")
            return code
    print(f"\ndemo: PASS in {time.monotonic() - began:.0f} s, error bound below {MAX_ERROR} m/s; report: {report}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
