"""What inexact inputs cost: the bound holds against searches, is near them, and texts are read or refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certified_pairs import layers, network
from support.longer import evaluate

from edgepde.certify import sensor
from edgepde.certify.family import Family
from edgepde.certify.sensor import Accuracy, bound_sensitivity, parse_accuracies

BOX = Box([-1.0, 0.5], [1.0, 2.0], ["x", "nu"])
FINE = {"x": Accuracy(1e-3), "nu": Accuracy(0.01, relative=True)}


def change(
    f: object, x: np.ndarray, given_: dict[str, Accuracy], names: list[str], rng: np.random.Generator
) -> np.ndarray:
    """|f(x + delta) - f(x)| at least, delta drawn at random and at its ends."""
    delta = np.zeros_like(x)
    for name, one in given_.items():
        at = names.index(name)
        most = one.value * (np.abs(x[:, at]) if one.relative else 1.0)
        delta[:, at] = most * rng.choice([-1.0, 1.0, 0.37], len(x)) * (1.0 - 1e-12)
    (y, e), (z, o) = evaluate(f, x), evaluate(f, x + delta)  # type: ignore[arg-type]
    return np.abs(y - z) - e - o


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1e-6, 1e-3, 0.05, 0.5]),
    st.booleans(),
    st.sampled_from([1, 2, 3]),
)
def test_no_true_input_exceeds_the_bound(seed: int, value: float, relative: bool, d: int) -> None:
    rng = np.random.default_rng(seed)
    f = network(layers(rng, [d, 9, 7, 2], 1.3))
    low = rng.uniform(-2.0, 1.0, d)
    box = Box(low, low + rng.uniform(0.1, 2.0, d))
    given_ = {name: Accuracy(value, relative) for name in box.names[: rng.integers(1, d + 1)]}
    made = bound_sensitivity(f, box, given_, boxes=300, seed=seed % 1000)
    x = box.sample(600, rng)
    x[::3] = np.where(rng.random(x[::3].shape) < 0.5, box.low, box.high)
    assert (change(f, x, given_, list(box.names), rng).max(axis=0) <= made.value).all()
    assert (made.found <= made.value).all()
    assert made.points.shape == (2, d)


@pytest.mark.parametrize("size", [1e-2, 3.0])
def test_the_bound_is_near_the_worst_found(size: float) -> None:
    f = network(layers(np.random.default_rng(1), [2, 24, 24, 1], 1.0))
    given_ = {name: Accuracy(size * one.value, one.relative) for name, one in FINE.items()}
    made = bound_sensitivity(f, BOX, given_, seconds=600.0)
    assert made.proved
    assert made.tightness[0] <= 1.1 * (1.0 + 1e-9)
    assert made.how == ("slopes" if size < 1.0 else "split")


def test_fine_accuracies_cost_in_proportion() -> None:
    f = network(layers(np.random.default_rng(1), [2, 24, 24, 1], 1.0))
    one, ten = (bound_sensitivity(f, BOX, {"x": Accuracy(v)}, seconds=600.0).value[0] for v in (1e-5, 1e-4))
    assert ten == pytest.approx(10.0 * one, rel=0.1)


def test_many_columns_and_families_have_one_too() -> None:
    rng = np.random.default_rng(2)
    f = network(layers(rng, [40, 12, 2], 1.0))
    box = Box([-1.0] * 40, [1.0] * 40)
    given_ = {name: Accuracy(1e-3) for name in box.names}
    made = bound_sensitivity(f, box, given_, boxes=40)
    x = rng.uniform(-1.0, 1.0, (400, 40))
    assert (change(f, x, given_, list(box.names), rng).max(axis=0) <= made.value).all()
    of = Family(np.zeros(40), rng.normal(size=(2, 40)), [-0.1, -0.1], [0.1, 0.1], 1e-3)
    few = bound_sensitivity(f, of, given_, boxes=400)
    x = of.at(rng.uniform(-0.1, 0.1, (400, 2)))
    assert (change(f, x, given_, list(box.names), rng).max(axis=0) <= few.value).all()
    assert (few.value < made.value).all()


def test_a_forgotten_accuracy_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    f = network(layers(np.random.default_rng(1), [2, 12, 1], 1.0))
    held = bound_sensitivity(f, BOX, FINE, boxes=400)
    monkeypatch.setattr(sensor._Given, "most", lambda self, size: 0.5 * (self.absolute + self.relative * size))
    halved = bound_sensitivity(f, BOX, FINE, boxes=400)
    assert (held.found > halved.value).all()


def test_texts_are_read() -> None:
    made = parse_accuracies("nu=1%, x=1e-3", ["x", "nu"])
    assert made == {"nu": Accuracy(0.01, relative=True), "x": Accuracy(1e-3)}
    assert [str(v) for v in made.values()] == ["1%", "0.001"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nu", "expected column=number"),
        ("", "expected column=number"),
        ("nu=1%,", "expected column=number"),
        ("mu=1%", "no column mu; there are x, nu"),
        ("nu=1%,nu=2%", "column nu expected once"),
        ("nu=big", "column nu expected a number > 0, got big"),
        ("nu=-1%", "got -1%"),
        ("nu=0", "got 0"),
        ("nu=inf", "got inf"),
        ("nu=nan", "got nan"),
    ],
)
def test_texts_that_say_nothing_are_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_accuracies(text, ["x", "nu"])


def test_what_does_not_fit_is_refused() -> None:
    f = network(layers(np.random.default_rng(1), [2, 3, 1], 1.0))
    with pytest.raises(InputError, match="no column t; there are x, nu"):
        bound_sensitivity(f, BOX, {"t": Accuracy(1.0)})
    with pytest.raises(InputError, match="expected 1 inputs"):
        bound_sensitivity(f, Box([0.0], [1.0]), {})
    with pytest.raises(InputError, match="finite number >= 0"):
        Accuracy(-1.0)


def test_exact_inputs_cost_nothing() -> None:
    f = network(layers(np.random.default_rng(1), [2, 3, 1], 1.0))
    assert bound_sensitivity(f, BOX, {}).value[0] < 1e-200
    assert torch.is_grad_enabled()
