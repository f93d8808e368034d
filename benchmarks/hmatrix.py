"""Do adaptive error-bounded hierarchical matrices shrink networks and operators, and does anything simpler do better?

One part per question: storage of wide PINNs at equal proved output error, of a Green operator, latency of operator
layers, training in the format, updates, errors over depth. Trained PINNs are looked for in --runs, and trained there,
resumably, where they are missing.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import _questions
import hmatrix_parts


def parts() -> dict[str, ModuleType]:
    """The questions by name."""
    return _questions.parts(hmatrix_parts)


def main() -> None:
    """Ask all parts, or those of --only, and print one table."""
    known = parts()
    arguments = _questions.arguments(__doc__ or "", sorted(known), "trained PINNs")
    arguments.add_argument("--plot", type=Path, metavar="FILE.png", help="the errors over depth as a figure")
    _questions.ask("hmatrix", known, arguments.parse_args())


if __name__ == "__main__":
    main()
