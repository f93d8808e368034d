"""c99/plan.json: what the compiled model needs of RAM and flash, per target it was compiled for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import BundleError
from .fields import HASH, Fields, short

NAME = "c99/plan.json"
SCHEMA_VERSION = 1
LARGEST = 1 << 40
MOST_TARGETS = 100


@dataclass(frozen=True)
class Target:
    """One compiled build; all sizes in bytes, stack as the compiler reports it. asked: its triple was given (--cc)."""

    triple: str
    compiler: str
    flags: tuple[str, ...]
    scratch_bytes: int
    stack_bytes: int
    code_bytes: int
    asked: bool = False

    @property
    def ram(self) -> int:
        """scratch + stack, bytes."""
        return self.scratch_bytes + self.stack_bytes


@dataclass(frozen=True)
class Plan:
    """weights_bytes are the same on every target."""

    model_hash: str
    weights_bytes: int
    targets: tuple[Target, ...]

    def flash(self, target: Target) -> int:
        """weights + code, bytes."""
        return self.weights_bytes + target.code_bytes

    @property
    def judged(self) -> tuple[Target, ...]:
        """The targets that limits hold for: those asked for, all where none was."""
        return tuple(t for t in self.targets if t.asked) or self.targets

    def most_ram(self) -> tuple[int, Target] | None:
        """The largest RAM of those judged and the target that needs it; None without targets."""
        return max(((t.ram, t) for t in self.judged), key=lambda found: found[0], default=None)

    def most_flash(self) -> tuple[int, Target] | None:
        """The largest flash of those judged and the target that needs it; None without targets."""
        return max(((self.flash(t), t) for t in self.judged), key=lambda found: found[0], default=None)

    def to_json(self) -> str:
        """The file's text, the same for the same content. Raises BundleError where a size is out of bounds."""
        targets = [{**vars(t), "flags": list(t.flags)} for t in self.targets]
        document = {"schema_version": SCHEMA_VERSION, "model_hash": self.model_hash, "targets": targets}
        text = json.dumps({**document, "weights_bytes": self.weights_bytes}, indent=2, sort_keys=True) + "\n"
        Plan.from_json(text)
        return text

    @classmethod
    def from_json(cls, text: str, where: str = NAME) -> Plan:
        """Reads and checks; raises BundleError naming the field in `where`."""
        fields = Fields.parse(text, where)
        version = fields.integer("schema_version")
        if version != SCHEMA_VERSION:
            raise fields.wrong("schema_version", str(SCHEMA_VERSION), version)
        hash_ = fields.string("model_hash")
        if not HASH.fullmatch(hash_):
            raise fields.wrong("model_hash", "64 hex digits", ascii(hash_[:80]))
        weights, items = _size(fields, "weights_bytes"), fields.objects("targets")
        if len(items) > MOST_TARGETS:
            raise fields.wrong("targets", f"at most {MOST_TARGETS}", len(items))
        plan = cls(hash_, weights, tuple(_target(item) for item in items))
        fields.done()
        _distinct(plan.targets, fields)
        return plan


def _target(fields: Fields) -> Target:
    target = Target(
        fields.string("triple"),
        fields.string("compiler"),
        fields.strings("flags"),
        _size(fields, "scratch_bytes"),
        _size(fields, "stack_bytes"),
        _size(fields, "code_bytes"),
        fields.boolean("asked"),
    )
    fields.done()
    return target


def _size(fields: Fields, key: str) -> int:
    value = fields.integer(key)
    if not 0 <= value <= LARGEST:
        raise fields.wrong(key, f"0 to {LARGEST} bytes", value)
    return value


def _distinct(targets: Sequence[Target], fields: Fields) -> None:
    triples = [t.triple for t in targets]
    if len(set(triples)) != len(triples):
        raise fields.wrong("targets", "each triple once", ", ".join(triples))


def check_hash(plan: Plan, model_hash: str, where: str) -> None:
    """Raises BundleError where the plan is of another model."""
    if plan.model_hash != model_hash:
        got = short(plan.model_hash)
        raise BundleError(f"{where}: model_hash expected {short(model_hash)} as in manifest.json, got {got}")
