"""What answers an alarm: where inputs are, limits tighter there, boxes that must hold what was seen, and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from edgepde_export.bundle import write
from edgepde_export.lowering.module import lower
from edgepde_export.lowering.options import Options
from edgepde_export.recompressing.answer import answer, ends_of
from edgepde_export.recompressing.because import INPUTS, OUT_OF_BOX, RESIDUAL, Because, Bins
from edgepde_export.recompressing.parts import NARROW, SHARE, part_of, tighter, typed
from edgepde_runtime import bundle as reader
from edgepde_runtime.box import Box
from edgepde_runtime.bundle import Bundle
from edgepde_runtime.certificate import BoxEntry
from edgepde_runtime.errors import InputError
from edgepde_runtime.limits import max_error as limits_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from . import nets

BOX = (BoxEntry("x", "x", "m", -1.0, 1.0), BoxEntry("x", "t", "s", 0.0, 0.3))


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    box = Box([-1.0, 0.0], [1.0, 0.3], ["x", "t"], ["m", "s"])
    content = lower(nets.mlp("tanh"), box, Options(log=lambda _: None))
    return reader.read(write(tmp_path_factory.mktemp("old") / "b", replace(content, name="b")))


def because(*kinds: str, **of: object) -> Because:
    made = Because("drift.json", {kind: f"alarm {kind}" for kind in kinds}, {}, {})
    return replace(made, **of)  # type: ignore[arg-type]


def bins(**of: list[int]) -> dict[tuple[str, str], Bins]:
    """Counts in bins of equal width from low to high, by column."""
    ends = {c.column: (c.low, c.high) for c in BOX}
    return {
        ("x", name): (np.linspace(*ends[name], len(counts) + 1), np.array(counts, np.int64))
        for name, counts in of.items()
    }


@given(
    arrays(np.int64, st.integers(1, 12), elements=st.integers(0, 1000)),
    st.lists(st.floats(0.0, 1.0), min_size=12, max_size=12),
)
def test_a_part_holds_its_share_and_no_narrower_one_does(counts: np.ndarray, widths: list[float]) -> None:
    edges = np.concatenate([[0.0], np.cumsum(np.array(widths[: len(counts)]) + 0.01)])
    edges = -1.0 + 2.0 * edges / edges[-1]
    part = part_of(BOX, {("x", "x"): (edges, counts)})
    good = [
        edges[b] - edges[a]
        for a in range(len(counts))
        for b in range(a + 1, len(edges))
        if counts[a:b].sum() >= SHARE * counts.sum() > 0
    ]
    if not good or min(good) > 2.0 * NARROW:
        assert part == {}
        return
    low, high = part["x"]
    assert -1.0 <= low < high <= 1.0
    assert min(good) <= high - low + 1e-12
    assert high - low <= min(good) + 2e-3
    assert float(f"{low:.3f}") == low
    inside = (edges[:-1] >= low - 1e-12) & (edges[1:] <= high + 1e-12)
    assert counts[inside].sum() >= SHARE * counts.sum()


def test_columns_whose_inputs_fill_the_box_have_no_part() -> None:
    part = part_of(BOX, bins(x=[5] * 8, t=[0, 9, 0, 0]))
    assert part == {"t": (pytest.approx(0.075), pytest.approx(0.15))}
    assert part_of(BOX, bins(x=[0, 0])) == {}
    assert part_of(BOX, {}) == {}


def test_a_column_of_two_inputs_is_named_with_its_input() -> None:
    box = (BOX[0], replace(BOX[0], input="p"))
    assert list(part_of(box, bins(x=[0, 1]))) == ["x.x"]


def test_limits_are_tighter_on_the_part_alone_and_read_back_as_typed() -> None:
    limits = tighter(limits_of("1e-2", ""), ["y"], {"x": (-0.5, 0.25)}, 10.0)
    assert limits.of("y") == 1e-2
    (region,) = limits.within("y")
    assert (dict(region.box), region.limit) == ({"x": (-0.5, 0.25)}, pytest.approx(1e-3))
    again = limits_of(typed(limits), "")
    assert again.outputs == limits.outputs
    assert again.regions[0].box == region.box
    assert region.limit <= again.regions[0].limit <= 1.01 * region.limit
    assert len(tighter(again, ["y"], {"x": (-0.5, 0.25)}, 2.0).regions) == 1


def test_inputs_outside_the_box_need_a_run_whose_box_holds_them(old: Bundle) -> None:
    made = answer(old, because(OUT_OF_BOX, seen={("x", "t"): (-0.1, 0.2)}), keep_box=False, anyway=False)
    assert made.covers == {("x", "t"): (-0.1, 0.3)}
    assert "t in -0.1 .. 0.3" in made.words[0]
    assert "trained again" in made.run_needed
    assert not made.smaller_helps
    held = ends_of(old)
    with pytest.raises(InputError, match="the run speaks for the old box"):
        made.check_box(old, held)
    with pytest.raises(InputError, match=r"speaks for t in -0\.05 \.\. 0\.3, the inputs seen are in -0\.1 \.\. 0\.3"):
        made.check_box(old, {**held, ("x", "t"): (-0.05, 0.3)})
    made.check_box(old, {**held, ("x", "t"): (-0.1, 0.3)})
    made.check_box(old, {**held, ("x", "t"): (-0.1 + 1e-9, 0.3)})


def test_a_residual_needs_a_run_or_a_smaller_error(old: Bundle) -> None:
    made = answer(old, because(RESIDUAL), keep_box=False, anyway=False)
    assert "would raise it again" in made.run_needed
    assert made.smaller_helps
    both = answer(old, because(RESIDUAL, OUT_OF_BOX), keep_box=False, anyway=False)
    assert len(both.words) == 2
    assert not both.smaller_helps


def test_inputs_that_moved_are_where_error_is_spent(old: Bundle) -> None:
    made = answer(old, because(INPUTS, bins=bins(x=[0, 9, 0, 0])), keep_box=False, anyway=False)
    assert made.part == {"x": (-0.5, 0.0)}
    assert not made.run_needed


@pytest.mark.parametrize(
    ("why", "keep_box", "message"),
    [
        (because(), False, "no alarm, so there is no reason"),
        (because(OUT_OF_BOX), True, "--keep-box nothing answers it"),
        (because(INPUTS, bins=bins(x=[1, 1, 1, 1])), False, "no part of the box holds 99%"),
    ],
)
def test_what_nothing_answers_is_refused_unless_asked_for(
    why: Because, keep_box: bool, message: str, old: Bundle
) -> None:
    with pytest.raises(InputError, match=f"{message}.*--anyway"):
        answer(old, why, keep_box=keep_box, anyway=False)
    assert answer(old, why, keep_box=keep_box, anyway=True).part == {}


def test_an_alarm_of_a_later_version_is_refused(old: Bundle) -> None:
    with pytest.raises(InputError, match="'tides': this version does not know"):
        answer(old, because("tides"), keep_box=False, anyway=True)
