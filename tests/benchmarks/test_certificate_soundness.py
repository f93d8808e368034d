"""The soundness benchmark counts what it tried and misses its target where a bound was exceeded."""

from __future__ import annotations

import certificate_soundness as benchmark
import pytest
from support import soundness
from support.soundness import KINDS, Tried


def test_points_are_counted_and_a_violation_misses_the_target() -> None:
    points, row = benchmark.searched("kind", lambda seed: Tried(10, ("it broke",) if seed == 2 else ()), range(4))
    assert points == 40
    assert row.measured == 1
    assert row.met is False
    assert "it broke" in row.note


def test_none_is_met() -> None:
    assert benchmark.searched("kind", lambda _: Tried(1, ()), range(3))[1].met is True


def test_every_kind_has_networks_and_the_counts_asked_for_are_in_reach() -> None:
    assert set(KINDS) == set(benchmark.POINTS) == set(benchmark.NETWORKS) - {"adversarial"}
    assert min(benchmark.NETWORKS.values()) >= 100


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_sees_bounds_that_are_too_small(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "enclosures":
        whole = soundness.propagate.Enclosure.low_high
        shrunk = lambda self: tuple(0.3 * side for side in whole(self))  # noqa: E731
        monkeypatch.setattr(soundness.propagate.Enclosure, "low_high", shrunk)
    else:
        monkeypatch.setattr(soundness, "evaluate", lambda net, x: tuple(4.0 * v for v in EVALUATE(net, x)))
    assert any(KINDS[kind](seed, 40).wrong for seed in range(4))


EVALUATE = soundness.evaluate
