"""--set key=value: typed by the field, refused with the field's name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgepde.errors import SettingError
from edgepde.train.recipe import apply_settings

NUMBER = st.floats(allow_nan=False, allow_infinity=False)


@dataclass(frozen=True)
class Config:
    """One field of every kind."""

    count: int = 1
    rate: float = 0.5
    fast: bool = False
    name: str = "a"
    range: tuple[float, float] = (0.0, 1.0)
    widths: tuple[int, ...] = (20, 20)
    words: tuple[str, ...] = ()
    limit: float | None = None
    old: Optional[int] = None  # noqa: UP045 - users write it
    mode: Literal["lm", "adam"] = "lm"
    both: int | str = 0
    table: dict[str, int] | None = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count: expected at least 0, got {self.count}")


def one(setting: str) -> Any:
    return getattr(apply_settings(Config(), [setting]), setting.partition("=")[0])


@given(st.integers(min_value=0))
def test_every_integer(value: int) -> None:
    got = one(f"count={value}")
    assert (type(got), got) == (int, value)


@given(NUMBER)
def test_every_finite_float(value: float) -> None:
    got = one(f"rate={value!r}")
    assert (type(got), got.hex()) == (float, value.hex())
    assert one(f"limit={value!r}") == value


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_every_text(value: str) -> None:
    assert one(f"name={value}") == value.strip()


@given(NUMBER, NUMBER, st.sampled_from(["{}, {}", "({},{})", "[{}, {}]", "{},{},"]))
def test_every_pair(a: float, b: float, form: str) -> None:
    assert one("range=" + form.format(repr(a), repr(b))) == (a, b)


@given(st.lists(st.integers()).map(tuple))
def test_every_tuple_as_python_prints_it(value: tuple[int, ...]) -> None:
    assert one(f"widths={value}") == value


@given(st.text())
def test_any_text_is_a_value_or_a_clear_refusal(value: str) -> None:
    for key in ("count", "rate", "fast", "range", "widths", "limit", "old", "mode", "both"):
        told = key
        try:
            got = one(f"{key}={value}")
        except SettingError as error:
            got, told = None, str(error)
        assert key in told
        assert not isinstance(got, float) or math.isfinite(got)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fast=true", True),
        ("fast=No", False),
        ("fast=1", True),
        ("limit=none", None),
        ("old=7", 7),
        ("old=None", None),
        ("mode=adam", "adam"),
        ("both=3", 3),
        ("both=x", "x"),
        ("words=a, b", ("a", "b")),
        ("widths=", ()),
        (" count = 3 ", 3),
    ],
)
def test_kinds(setting: str, value: object) -> None:
    key = setting.partition("=")[0].strip()
    got = getattr(apply_settings(Config(), [setting]), key)
    assert (type(got), got) == (type(value), value)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("count=1.5", "--set count: expected int, got '1.5'"),
        ("count=", "--set count: expected int, got ''"),
        ("rate=fast", "--set rate: expected float, got 'fast'"),
        ("rate=nan", "--set rate: expected float, got 'nan' (not finite)"),
        ("rate=-inf", "not finite"),
        ("fast=maybe", "--set fast: expected bool, got 'maybe'"),
        ("range=1", "--set range: expected tuple[float, float], got '1' (2 entries)"),
        ("range=1,x", "--set range: expected tuple[float, float], got '1,x'"),
        ("widths=1,,2", "--set widths: expected tuple[int, ...]"),
        ("limit=maybe", "--set limit: expected float | None, got 'maybe'"),
        ("old=x", "--set old: expected Optional[int], got 'x'"),
        ("mode=sgd", "--set mode: expected Literal['lm', 'adam'], got 'sgd'"),
        ("table=a", "--set table: expected dict[str, int] | None"),
        ("cuont=3", "--set cuont: no such setting; did you mean 'count'?"),
        ("count", "--set 'count': expected key=value"),
        ("=3", "no such setting"),
        ("count=-1", "count: expected at least 0, got -1"),
    ],
)
def test_refusals(setting: str, told: str) -> None:
    with pytest.raises(SettingError) as caught:
        apply_settings(Config(), [setting])
    assert told in str(caught.value)


def test_the_last_of_a_repeated_key_counts_and_the_config_is_not_touched() -> None:
    config = Config()
    assert apply_settings(config, ["count=2", "rate=1", "count=3"]) == Config(count=3, rate=1.0)
    assert config == Config()
