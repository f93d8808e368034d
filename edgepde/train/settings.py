"""Typed `key=value` settings of a frozen dataclass."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, Union

from edgepde.errors import SettingError

C = TypeVar("C")
TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def apply_settings(config: C, settings: Sequence[str]) -> C:
    """A copy of the config with every "key=value" assigned, the value read by the field's annotation.

    int, float, bool, str, Literal, tuple of these ("0.1,0.2", brackets allowed) and Optional ("none"). The last of a
    repeated key counts. Raises SettingError naming field, expected type and value, or the nearest known key; a config
    with a method check_set(names) is asked whether the fields that were changed can be set at all.
    """
    hints = typing.get_type_hints(type(config))
    known = [f.name for f in dataclasses.fields(typing.cast(Any, config))]
    changes: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        key = key.strip()
        if not equals:
            raise SettingError(f"--set {setting!r}: expected key=value")
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SettingError(f"--set {key}: no such setting; {hint}known: {', '.join(known) or 'none'}")
        try:
            changes[key] = read_as(hints[key], value.strip())
        except ValueError as error:
            raise SettingError(f"--set {key}: expected {spelled(hints[key])}, got {value!r}{_because(error)}") from None
    try:
        made = dataclasses.replace(typing.cast(Any, config), **changes)
        if hasattr(made, "check_set"):
            made.check_set([key for key, value in changes.items() if value != getattr(config, key)])
        return made
    except (ValueError, TypeError) as error:
        raise SettingError(f"--set {' '.join(settings)}: {error}") from None


def read_as(kind: Any, text: str) -> Any:
    """The text as a value of the annotation; ValueError if it is not one."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _first(text, arguments)
    if origin is Literal:
        return _member(text, arguments)
    if kind is tuple or origin is tuple:
        return _tuple(text, arguments or (str, ...))
    reader = READERS.get(kind)
    if reader is None:
        raise ValueError(f"a setting of type {spelled(kind)} cannot be given as text")
    return reader(text)


def spelled(kind: Any) -> str:
    """The annotation as a person writes it: int, float | None, tuple[float, ...]."""
    return (
        "None"
        if kind is type(None)
        else kind.__name__
        if isinstance(kind, type) and not typing.get_args(kind)
        else (str(kind).replace("typing.", "").replace("NoneType", "None"))
    )


def _because(error: ValueError) -> str:
    return f" ({error})" if str(error) else ""


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError from None


def _float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError from None
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def _bool(text: str) -> bool:
    if text.lower() not in TRUTHS:
        raise ValueError("true or false")
    return TRUTHS[text.lower()]


READERS: dict[Any, Callable[[str], Any]] = {int: _int, float: _float, bool: _bool, str: str}


def _first(text: str, kinds: tuple[Any, ...]) -> Any:
    if type(None) in kinds and text.lower() == "none":
        return None
    for kind in sorted((k for k in kinds if k is not type(None)), key=lambda k: k is str):
        try:
            return read_as(kind, text)
        except ValueError:
            continue
    raise ValueError


def _member(text: str, values: tuple[Any, ...]) -> Any:
    for value in values:
        if str(value) == text:
            return value
    raise ValueError


def _tuple(text: str, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    if text[:1] + text[-1:] in ("()", "[]"):
        text = text[1:-1].strip()
    text = text.removesuffix(",")
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(parts)
    if len(parts) != len(kinds):
        raise ValueError(f"{len(kinds)} entries")
    return tuple(read_as(kind, part) for kind, part in zip(kinds, parts, strict=True))
