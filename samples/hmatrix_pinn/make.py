"""From the trained run to the shipped bundle; --train starts with the training.

Run: python samples/hmatrix_pinn/make.py [--train]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
MAX_ERROR = "9e-4"


def command(*words: str | Path) -> None:
    """`edgepde ...`, stopped where it fails."""
    print("edgepde", *words, flush=True)
    subprocess.run([sys.executable, "-m", "edgepde_export.cli", *map(str, words)], check=True)


def main() -> None:
    """Train where asked, compress, export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="train the network again instead of taking run/")
    run, bundle = FOLDER / "run", FOLDER / "bundle"
    if parser.parse_args().train:
        shutil.rmtree(run, ignore_errors=True)
        command("train", "pinn_burgers", "--out", run, "--set", "width=256", "--set", "depth=3")
        shutil.rmtree(run / "checkpoint")
    with tempfile.TemporaryDirectory() as place:
        small = Path(place) / "small"
        command("compress", run, "--out", small, "--max-error", MAX_ERROR)
        shutil.rmtree(bundle, ignore_errors=True)
        command("export", small, "--out", bundle, "--target", "c99")


if __name__ == "__main__":
    main()
