"""Limits on the terms after the model's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from edgepde_export.errors import BoundExceeded
from edgepde_export.limits import MaxError, check_limits
from edgepde_runtime.certificate import BoxEntry, Certificate, Found, OutputCertificate, Region, index
from edgepde_runtime.errors import BudgetError, NotVerified
from edgepde_runtime.term import Term


def certificate(rounding: Term, names: tuple[str, ...] = ("u",)) -> Certificate:
    zero = Term(0.0, "sound", "nothing there")
    terms: Mapping[str, Term] = {
        "model": Term.not_verified("no data"),
        "compression": zero,
        "quantisation": zero,
        "rounding": rounding,
        "activation": zero,
    }
    entries = [OutputCertificate.from_terms(name, "m", terms) for name in names]
    return Certificate("0" * 64, ("ort",), (BoxEntry("x", "x", "m", 0, 1),), (), "measured 1", index(entries))


MEASURED = Term(1e-3, "measured", "on points")


@pytest.mark.parametrize("limit", [None, 1e-3, "1e-3", "u=2e-3", {"u": 1e-3}])
def test_the_model_term_does_not_count(limit: MaxError) -> None:
    check_limits(certificate(MEASURED), limit, "measured")


@pytest.mark.parametrize("limit", [9e-4, "9e-4", "u=9e-4", {"u": 9e-4}])
def test_a_bound_above_its_limit_names_output_bound_and_limit(limit: MaxError) -> None:
    with pytest.raises(BoundExceeded, match=r"output u.*0\.001.*0\.0009"):
        check_limits(certificate(MEASURED), limit, None)


def test_a_limit_of_one_output_leaves_the_other_free() -> None:
    both = certificate(MEASURED, ("u", "v"))
    check_limits(both, "u=1e-2", "measured")
    with pytest.raises(BoundExceeded, match="output v"):
        check_limits(both, "u=1e-2,v=1e-9", None)


def test_a_class_below_the_least_is_not_verified() -> None:
    with pytest.raises(NotVerified, match=r"output u.*measured.*sound"):
        check_limits(certificate(MEASURED), None, "sound")


def test_a_limit_asks_for_sound_terms_unless_told_otherwise() -> None:
    check_limits(certificate(MEASURED), None, None)
    with pytest.raises(NotVerified, match="sound is asked for; --min-class measured accepts them"):
        check_limits(certificate(MEASURED), 1.0, None)


class TestSound:
    """A proved bound above its limit is a violation only where an error above the limit was found."""

    def proved(self, found: float, at: float = 0.5) -> Certificate:
        made = certificate(Term(1e-3, "sound", "proved"))
        entry = made.outputs["u"]
        worst = Found(found, {"x": (at,)}, against="reference")
        region = Region({"x": (0.0, 0.25)}, {**entry.terms, "rounding": Term(1e-4, "sound", "proved")})
        terms = OutputCertificate.from_terms("u", "m", entry.terms, found=worst, regions=(region,))
        return replace(made, outputs=index([terms]))

    def test_below_the_limit_it_passes(self) -> None:
        check_limits(self.proved(1e-4), 1e-3, None)

    def test_a_bound_above_is_not_verified(self) -> None:
        with pytest.raises(NotVerified, match=r"proved bound 0\.001.*worst error found is 0\.0001.*--prove-seconds"):
            check_limits(self.proved(1e-4), 5e-4, None, "; most of it is rounding")

    def test_an_error_found_above_is_exceeded_and_says_where_and_what_costs(self) -> None:
        with pytest.raises(BoundExceeded, match=r"0\.0007 at x = \[0\.5\].*most of it is rounding"):
            check_limits(self.proved(7e-4), 5e-4, None, "; most of it is rounding")

    def test_a_part_of_the_box_has_its_own_bound_and_its_own_finds(self) -> None:
        check_limits(self.proved(7e-4), "u=1e-2,u[x=0:0.2]=2e-4", None)
        with pytest.raises(NotVerified, match=r"output u\[x=0.0:0.2\]: the proved bound 0\.0001"):
            check_limits(self.proved(7e-4), "u[x=0:0.2]=5e-5", None)
        with pytest.raises(BoundExceeded, match=r"output u\[x=0.0:0.6\]: an error of 0\.0007"):
            check_limits(self.proved(7e-4), "u[x=0:0.6]=5e-4", None)
        with pytest.raises(BudgetError, match="column 't' is unknown"):
            check_limits(self.proved(7e-4), "u[t=0:0.6]=5e-4", None)


def test_an_unknown_term_never_passes() -> None:
    with pytest.raises(NotVerified, match="cannot be checked"):
        check_limits(certificate(Term.not_verified("not run")), 1.0, "measured")


def test_a_bound_exceeded_beats_a_class_too_weak() -> None:
    with pytest.raises(BoundExceeded):
        check_limits(certificate(MEASURED), 1e-9, "sound")


@pytest.mark.parametrize(
    ("limit", "class_"), [("w=1", None), ("-1", None), ("nan", None), ("u=", None), (None, "proved")]
)
def test_limits_that_mean_nothing_are_refused(limit: str | None, class_: str | None) -> None:
    with pytest.raises(BudgetError):
        check_limits(certificate(MEASURED), limit, class_)
