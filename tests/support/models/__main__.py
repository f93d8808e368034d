"""Writes tests/golden anew, `PYTHONPATH=tests python -m support.models`, after a change of bits that was meant."""

from __future__ import annotations

import tempfile
from pathlib import Path

from support.models import sources
from support.targets import GCC_X86, available, build, run


def main() -> None:
    """What the first target that is here prints."""
    target = next(target for target in GCC_X86 if available(target) is None)
    with tempfile.TemporaryDirectory() as place:
        for source in sources(Path(place)):
            program = build(target, source.sources, Path(place) / source.name / "built", includes=source.includes)
            source.golden.write_text(run(program), encoding="utf-8")


if __name__ == "__main__":
    main()
