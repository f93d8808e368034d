"""Do convolutions factorised before training, or simpler factorised models, make wave simulators smaller and faster?

One part per question: numbers at equal error against the smallest good dense net, an over-sized dense net and its
twin, latency, memory, few or noisy data, the data's own accuracy, coarser finite elements. Trainings are kept in --runs
and read from there; seconds of training are processor time of one thread.
"""

from __future__ import annotations

from types import ModuleType

import _questions
import factorconv_parts


def parts() -> dict[str, ModuleType]:
    """The questions by name."""
    return _questions.parts(factorconv_parts)


def main() -> None:
    """Ask all parts, or those of --only, and print one table."""
    known = parts()
    arguments = _questions.arguments(__doc__ or "", sorted(known), "data and trained nets")
    arguments.add_argument("--long", action="store_true", help="train a dense net for ten times the study's passes too")
    _questions.ask("factorconv", known, arguments.parse_args())


if __name__ == "__main__":
    main()
