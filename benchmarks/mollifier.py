"""Are derivatives by fixed kernels as good as autodiff's, cheaper in training, and of use on noisy data and on devices?

One part per question: errors of derivatives, latency on a device, time and memory of a training step, coefficients
recovered from readings, residual monitors. Trained networks and simulated data are kept in --runs and read from there.
"""

from __future__ import annotations

from types import ModuleType

import _questions
import mollifier_parts


def parts() -> dict[str, ModuleType]:
    """The questions by name."""
    return _questions.parts(mollifier_parts)


def main() -> None:
    """Ask all parts, or those of --only, and print one table."""
    known = parts()
    arguments = _questions.arguments(__doc__ or "", sorted(known), "data and trained networks")
    _questions.ask("mollifier", known, arguments.parse_args())


if __name__ == "__main__":
    main()
