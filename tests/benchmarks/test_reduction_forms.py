"""The forms cover every term once, and their number of roundings is what a worst case shows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from reduction_forms.forms import CHAIN, CHAINS4, CHUNK8, CHUNK16, FORMS, UNIT, Form, gamma

forms = st.sampled_from(FORMS)
sizes = st.integers(1, 200)


def total(form: Form, terms: np.ndarray) -> np.float32:
    """The form in float32, the bias 0: terms are products that need no rounding of their own."""
    parts = form.parts(len(terms)) or [(0, len(terms), 1)]
    whole = np.float32(0.0)
    for first, stop, step in parts:
        part = np.float32(0.0)
        for term in terms[first:stop:step]:
            part = np.float32(part + term)
        whole = np.float32(whole + part)
    return whole


@given(forms, sizes)
def test_every_term_is_taken_once(form: Form, K: int) -> None:
    taken = [k for part in form.parts(K) for k in range(*part)]
    assert sorted(taken) == (list(range(K)) if form.split else [])


def test_roundings_of_the_layer_that_was_measured() -> None:
    assert [form.roundings(64) for form in (CHAIN, CHUNK16, CHUNK8, CHAINS4)] == [64, 20, 16, 20]


@given(forms, sizes, st.integers(0, 2**32 - 1))
def test_the_error_stays_within_gamma(form: Form, K: int, seed: int) -> None:
    terms = np.random.default_rng(seed).uniform(-1.0, 1.0, K).astype(np.float32)
    error = abs(float(total(form, terms)) - float(np.sum(terms.astype(np.float64))))
    assert error <= gamma(form.roundings(K)) * float(np.sum(np.abs(terms.astype(np.float64)))) + UNIT**2
