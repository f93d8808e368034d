"""Does one shared branch do as well as a net of its own for each of sixteen operators, with fewer numbers and passes?

One part per question: the table of all operators against their rivals, numbers stored, passes, what each choice of the
training changes, noise and other inputs, ranks. Data and trained nets are kept in --runs and read from there.
"""

from __future__ import annotations

from types import ModuleType

import _questions
import modno_parts


def parts() -> dict[str, ModuleType]:
    """The questions by name."""
    return _questions.parts(modno_parts)


def main() -> None:
    """Ask all parts, or those of --only, and print one table."""
    known = parts()
    arguments = _questions.arguments(__doc__ or "", sorted(known), "data and trained nets")
    _questions.ask("modno", known, arguments.parse_args())


if __name__ == "__main__":
    main()
