"""The error statement of a bundle, per output and per term."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

from .certificate_rules import REFERENCE, SOLUTION, check_entry
from .errors import BundleError, NotVerified
from .family import Family
from .subbox import SubBox, contains
from .term import TERMS, Term, Totals, ratio

NOTHING_ELSEWHERE: Mapping[str, Mapping[str, Term]] = {}


@dataclass(frozen=True)
class Found:
    """The largest error a search reached, and the inputs that reach it.

    against: |exact solution - device| ("solution"), or |reference network - device| ("reference"). backend: the one it
    was found on, "" for those the terms are stated for.
    """

    value: float
    input: Mapping[str, tuple[float, ...]]
    against: str = SOLUTION
    backend: str = ""


@dataclass(frozen=True)
class BoxEntry:
    """One column of the box the statement holds on."""

    input: str
    column: str
    unit: str
    low: float
    high: float


@final
@dataclass(frozen=True)
class Region(Totals):
    """The statement on a part of the box: a range by column, columns not named keep their whole one."""

    box: SubBox
    terms: Mapping[str, Term]


@final
@dataclass(frozen=True)
class OutputCertificate(Totals):
    """|exact solution - device| <= model + compression + quantisation + rounding + activation, in `norm` and `unit`.

    elsewhere: by backend, the terms that are not those of `terms` there. regions: parts of the box with terms of
    their own.
    """

    name: str
    unit: str
    norm: str
    terms: Mapping[str, Term]
    found: Found | None = None
    tightness_compression: float | None = None
    tightness_total: float | None = None
    elsewhere: Mapping[str, Mapping[str, Term]] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()

    @classmethod
    def from_terms(
        cls,
        name: str,
        unit: str,
        terms: Mapping[str, Term],
        *,
        norm: str = "sup",
        found: Found | None = None,
        found_compression: float | None = None,
        elsewhere: Mapping[str, Mapping[str, Term]] = NOTHING_ELSEWHERE,
        regions: Iterable[Region] = (),
    ) -> OutputCertificate:
        """An entry with its tightness = bound / found, where both are known and found is not 0."""
        held = {backend: dict(parts) for backend, parts in elsewhere.items()}
        bare = cls(name, unit, norm, dict(terms), found, elsewhere=held, regions=tuple(regions))
        check_entry(bare, f"certificate: output {name}")
        compression = ratio(bare.terms["compression"].value, found_compression)
        return replace(bare, tightness_compression=compression, tightness_total=bare.bound_over_found)

    @property
    def key(self) -> str:
        """The name for a sup entry, "name (L1)" for an L1 entry."""
        return self.name if self.norm == "sup" else f"{self.name} ({self.norm})"

    @property
    def bound_over_found(self) -> float | None:
        """The bound on what was searched over what was found; None where one is not known or found is 0."""
        if self.found is None:
            return None
        return ratio(self.bound_on(self.found), self.found.value)

    def bound_on(self, found: Found) -> float | None:
        """The bound that speaks of what was searched, on the backend it was found on: device_total or total."""
        view = replace(self, terms={**self.terms, **self.elsewhere.get(found.backend, {})})
        return view.device_total if found.against == REFERENCE else view.total

    def on(self, backend: str) -> OutputCertificate:
        """The entry as it holds on one backend; a term of the whole box serves for every region of it."""
        other = self.elsewhere.get(backend)
        bare = replace(self, elsewhere={})
        if self.found is not None and self.found.backend not in ("", backend):
            bare = replace(bare, found=None, tightness_total=None)
        if not other:
            return bare
        regions = tuple(replace(region, terms={**region.terms, **other}) for region in self.regions)
        view = replace(bare, terms={**self.terms, **other}, regions=regions)
        return replace(view, tightness_total=view.bound_over_found)

    def holding(self, part: SubBox, box: Sequence[BoxEntry]) -> tuple[Totals, ...]:
        """The statements that hold on all of `part` of the box: the entry itself, and the regions that contain it."""
        return (self, *(region for region in self.regions if contains(region.box, part, box)))


@final
@dataclass(frozen=True)
class Certificate:
    """The whole statement. `outputs` maps an output's name to its sup entry and "name (L1)" to an L1 entry.

    terms are those of the C99 arithmetic unless an entry's `elsewhere` says otherwise. family: the inputs it holds
    for, where they are not all of the box.
    """

    model_hash: str
    backends: tuple[str, ...]
    box: tuple[BoxEntry, ...]
    assumptions: tuple[str, ...]
    engine: str
    outputs: Mapping[str, OutputCertificate]
    family: Family | None = None

    @property
    def total(self) -> float:
        """The total of the only output; raises NotVerified where there are several or a term is not verified."""
        entry = self._only()
        if entry.total is None:
            missing = [t for t in entry.names if entry.terms[t].value is None]
            raise NotVerified(f"certificate: {entry.name}: total is not verified, for lack of {', '.join(missing)}")
        return entry.total

    @property
    def sound_total(self) -> float:
        """The sound total of the only output; raises NotVerified where there are several or a term is not sound."""
        entry = self._only()
        if entry.sound_total is None:
            weak = [f"{t} ({entry.terms[t].class_})" for t in TERMS[1:] if entry.terms[t].class_ != "sound"]
            raise NotVerified(f"certificate: {entry.name}: expected sound terms after model, got {', '.join(weak)}")
        return entry.sound_total

    def on(self, backend: str) -> Certificate:
        """The statement as it holds on one backend."""
        return replace(self, outputs={key: entry.on(backend) for key, entry in self.outputs.items()})

    def _only(self) -> OutputCertificate:
        sup = [entry for entry in self.outputs.values() if entry.norm == "sup"]
        if len(sup) != 1:
            names = ", ".join(entry.name for entry in sup)
            raise NotVerified(f"certificate: expected one output for a single total, got {names}; ask .outputs[name]")
        return sup[0]

    def to_json(self) -> str:
        """The file's text, the same for the same content. Raises BundleError where a rule is broken."""
        from .certificate_file import write

        return write(self)

    @classmethod
    def from_json(cls, text: str, where: str = "certificate.json") -> Certificate:
        """Reads, recomputes every total and refuses a file that disagrees; raises BundleError naming the field."""
        from .certificate_file import read

        return read(text, where)


def index(entries: Iterable[OutputCertificate], where: str = "certificate") -> dict[str, OutputCertificate]:
    """Entries by their key. Raises BundleError where two agree."""
    keyed: dict[str, OutputCertificate] = {}
    for entry in entries:
        if entry.key in keyed:
            raise BundleError(f"{where}: outputs expected one entry for {entry.key}, got two")
        keyed[entry.key] = entry
    return keyed
