"""Reading JSON that is not trusted: typed members by path, nothing unknown, no NaN, no duplicate key."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn, final

from .errors import BundleError

HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"key {key!r} appears twice")
        members[key] = value
    return members


def document(text: str, where: str) -> object:
    """The value a JSON text holds; raises BundleError naming `where`."""
    try:
        value: object = json.loads(text, parse_constant=_constant, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: expected JSON, got {error}") from None
    return value


def text(data: bytes, where: object) -> str:
    """The text of a file; raises BundleError naming `where` where it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BundleError(f"{where}: expected UTF-8 text, got {error.reason} at byte {error.start}") from None


def kind(value: object) -> str:
    """What a JSON value is, in a reader's words."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def words(value: object) -> str:
    """A value for a message: strings quoted, a hash cut to 12 digits, lists without brackets, "none" where empty."""
    if isinstance(value, list | tuple):
        return ", ".join(map(words, value)) or "none"
    if isinstance(value, str) and HASH.fullmatch(value):
        return short(value)
    return "null" if value is None else ascii(value)


def short(digest: str) -> str:
    """A hash in a message: its first 12 digits."""
    return f"{digest[:12]}..."


@final
class Fields:
    """One JSON object being read; `done` refuses whatever was not asked for. Raises BundleError naming the path."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise BundleError(f"{path}: expected an object, got {kind(value)}")
        self.path = path
        self._members: dict[str, object] = value
        self._asked: set[str] = set()

    @classmethod
    def parse(cls, text: str, where: str) -> Fields:
        """The object a JSON text holds."""
        return cls(document(text, where), where)

    def at(self, key: str) -> str:
        """The path of a member, for messages."""
        return f"{self.path}: {key}" if ": " not in self.path else f"{self.path}.{key}"

    def wrong(self, key: str, expected: str, got: object) -> BundleError:
        """The error for a member that is not what was expected."""
        return BundleError(f"{self.at(key)} expected {expected}, got {got}")

    def has(self, key: str) -> bool:
        """Whether the member is there; counts as asked for."""
        self._asked.add(key)
        return key in self._members

    def raw(self, key: str) -> object:
        """A member of any type."""
        if not self.has(key):
            raise BundleError(f"{self.at(key)} is missing")
        return self._members[key]

    def string(self, key: str) -> str:
        """A string of printable characters."""
        return self._printable(self.raw(key), key)

    def _printable(self, value: object, key: str) -> str:
        if not isinstance(value, str):
            raise self.wrong(key, "a string", kind(value))
        if not value.isprintable():
            raise self.wrong(key, "printable characters", ascii(value))
        return value

    def integer(self, key: str) -> int:
        """A whole number."""
        value = self.raw(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(key, "a whole number", value if isinstance(value, float) else kind(value))
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        value = self.raw(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, "a number", kind(value))
        return self._finite(value, key)

    def _finite(self, value: int | float, key: str) -> float:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.wrong(key, "a finite number", number)
        return number

    def optional_number(self, key: str) -> float | None:
        """A finite number or null; the member must be there."""
        return None if self.raw(key) is None else self.number(key)

    def boolean(self, key: str) -> bool:
        """true or false."""
        value = self.raw(key)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false", kind(value))
        return value

    def entries(self, key: str) -> list[object]:
        """A list."""
        value = self.raw(key)
        if not isinstance(value, list):
            raise self.wrong(key, "a list", kind(value))
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(self._printable(value, f"{key}[{i}]") for i, value in enumerate(self.entries(key)))

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of finite numbers."""
        values = []
        for i, value in enumerate(self.entries(key)):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise self.wrong(f"{key}[{i}]", "a number", kind(value))
            values.append(self._finite(value, f"{key}[{i}]"))
        return tuple(values)

    def nested(self, key: str) -> Fields:
        """A nested object."""
        return Fields(self.raw(key), self.at(key))

    def objects(self, key: str) -> list[Fields]:
        """A list of objects."""
        return [Fields(value, f"{self.at(key)}[{i}]") for i, value in enumerate(self.entries(key))]

    def names(self) -> list[str]:
        """The names of an object used as a map; all count as asked for."""
        self._asked.update(self._members)
        return [self._printable(key, "a key") for key in self._members]

    def done(self) -> None:
        """Refuses members that nobody asked for."""
        unknown = sorted(set(self._members) - self._asked)
        if unknown:
            raise BundleError(f"{self.path}: unknown key {unknown[0]!a}; known are {', '.join(sorted(self._asked))}")
