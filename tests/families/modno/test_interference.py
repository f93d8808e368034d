"""Cosines between operators on the branch, and the groups that come of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from families.modno.training_cases import HOWS, branch, task, tasks
from hypothesis import given
from hypothesis import strategies as st

from edgepde.errors import SettingError
from edgepde.modno.training.control import with_deltas
from edgepde.modno.training.fitting import fit
from edgepde.modno.training.grouping import clusters, fresh, separated
from edgepde.modno.training.interference import Cosines, cosines, measure, slopes
from edgepde.modno.training.task import Part, Task
from edgepde.modno.training.trainer import Trainer


@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_cosines_do_not_depend_on_sizes(seed: int, size: float) -> None:
    made = torch.randn(3, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = cosines(made)
    sized = made * torch.tensor([size, 1.0, 2.0], dtype=torch.float64)[:, None]
    assert np.allclose(found, cosines(sized))
    assert np.allclose(found, found.T)
    assert np.all(np.diag(found) == 1.0)
    assert found[0, 1] == pytest.approx(float(torch.nn.functional.cosine_similarity(made[0], made[1], 0)))


def test_opposed_and_silent_operators() -> None:
    found = cosines(torch.tensor([[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]]))
    assert found[0, 1] == pytest.approx(-1.0)
    assert found[0, 2] == 0.0
    assert found[2, 2] == 1.0


def test_slopes_of_operators_add_up_to_the_branchs() -> None:
    trainer = Trainer(branch(), tasks(), HOWS["varpro"])
    total = trainer.slope()
    for member in trainer.members:
        member.close()
    assert torch.allclose(slopes(trainer).sum(0), total, rtol=1e-6, atol=1e-12)


def test_the_same_operator_twice_gets_along_and_the_branch_is_left_alone() -> None:
    made = branch()
    twin = task("a")
    found = measure(made, [twin, Task("twin", twin.train, twin.held), task("b")], HOWS["varpro"], probes=2)
    assert found.of("a", "twin") == pytest.approx(1.0)
    assert found.of("a", "b") < 0.999
    assert all(torch.equal(p, q) for p, q in zip(made.parameters(), branch().parameters(), strict=True))
    assert len(found.lines()) == 3
    assert found.lines()[0].startswith("a    ")


def of(*rows: list[float]) -> Cosines:
    return Cosines(tuple("abcd"[: len(rows)]), np.array(rows))


BLOCKS = of([1, 0.8, -0.5, -0.4], [0.8, 1, -0.3, -0.5], [-0.5, -0.3, 1, 0.6], [-0.4, -0.5, 0.6, 1])


def test_groups_are_those_that_get_along() -> None:
    assert clusters(BLOCKS) == {"a": 0, "b": 0, "c": 1, "d": 1}
    assert clusters(BLOCKS, least=0.7) == {"a": 0, "b": 0, "c": 1, "d": 2}
    assert clusters(BLOCKS, least=0.9) == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert clusters(BLOCKS, least=-1.0) == dict.fromkeys("abcd", 0)
    assert clusters(BLOCKS, least=0.9, most=2) == {"a": 0, "b": 0, "c": 1, "d": 1}
    assert clusters(of([1.0])) == {"a": 0}


def test_groups_want_a_cosine() -> None:
    with pytest.raises(SettingError, match="from -1 to 1"):
        clusters(BLOCKS, least=2.0)


def test_parts_of_a_grouped_branch_are_apart() -> None:
    made = branch()
    two = separated(made, 2)
    x = task("a").train.inputs
    assert torch.equal(two.part(0)(x), made(x))
    with torch.no_grad():
        next(two.part(0).parameters()).add_(1.0)
    assert torch.equal(two.part(1)(x), made(x))
    other = fresh(made, 2, 0)
    assert not torch.equal(other.part(0)(x), other.part(1)(x))
    assert other.part(0)(x).dtype == x.dtype


def test_part_checks_are_of_the_task() -> None:
    held = task("a").held
    assert Part(held.inputs, held.targets, held.norms).error(held.targets) == 0.0


def test_a_delta_is_taken_where_it_helps_and_the_branch_is_held() -> None:
    how, both = replace(HOWS["varpro"], steps=12, rate=0.05), tasks("ab")
    made = branch()
    found = fit(made, both, how)
    held = [p.detach().clone() for p in made.parameters()]
    passes = found.passes.total
    changed, changes = with_deltas(found, both, how, 2, helps=0.0)
    assert all(torch.equal(p, q) for p, q in zip(made.parameters(), held, strict=True))
    assert changed.passes.total > passes
    assert [c.name for c in changes] == ["a", "b"]
    assert any(c.taken for c in changes)
    for change in changes:
        before, after = found.operators[change.name], changed.operators[change.name]
        assert change.taken == (change.after < change.before)
        assert after.error == (change.after if change.taken else before.error)
        assert (after.delta is not None) == change.taken
        assert change.numbers == 2 * 2 * 3
        assert after.error == pytest.approx(changed.error_on(change.name, task(change.name).held), rel=1e-6)
    assert "held cases" in changes[0].line()


def test_a_delta_that_does_not_save_enough_is_not_taken() -> None:
    both = tasks("ab")
    found = fit(branch(), both, HOWS["varpro"])
    changed, changes = with_deltas(found, both, HOWS["varpro"], 1, helps=0.999)
    assert not any(c.taken for c in changes)
    assert all(changed.operators[n] is found.operators[n] for n in "ab")
    assert "not taken" in changes[0].line()
    with pytest.raises(SettingError, match="rank"):
        with_deltas(found, both, HOWS["varpro"], 0)


def test_an_operator_of_a_group_is_read_from_its_columns() -> None:
    found = fit(branch("grouped"), tasks("ab"), HOWS["varpro"], groups={"a": 1, "b": 0})
    for name in "ab":
        assert found.error_on(name, task(name).held) == pytest.approx(found.operators[name].error, rel=1e-6)
    assert found.columns == {"a": slice(4, 8), "b": slice(0, 4)}
