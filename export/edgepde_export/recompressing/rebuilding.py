"""recompress(): an alarm -> what answers it -> a new bundle, verified -> swapped, the old one kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, final

from edgepde_runtime import bundle as reader
from edgepde_runtime.bundle import INDEX, Bundle
from edgepde_runtime.errors import InputError, NotVerified
from edgepde_runtime.verbs.verify import VerifyOptions, VerifyReport, verify
from edgepde_runtime.verdict import FAIL, NOT_VERIFIED, Check

from edgepde.certify.prove import SECONDS

from ..bundle import BundleContent, check_target
from ..errors import Rejected, TargetError
from ..exchange import beside
from ..exporting import export
from ..passes.simplify import Log, to_stderr
from . import because as why
from . import keeping, spending
from .answer import Answer, answer, ends_of, ends_of_run
from .changes import Change, changes, not_weaker, same_signature
from .settings import Settings, settings
from .source import Made, of_reference, of_run


@dataclass(frozen=True)
class Recompressed:
    """bundle: the new one, in the place of the old one, which is kept in `before`. words: what was done about what."""

    bundle: Path
    before: Path
    words: tuple[str, ...]
    changes: tuple[Change, ...]
    verdict: VerifyReport


def recompress(
    bundle: str | Path,
    because: str | Path,
    *,
    run: str | Path | None = None,
    max_error: str | float | None = None,
    min_class: str | None = None,
    residual: str | None = None,
    input_accuracy: str | None = None,
    keep_box: bool = False,
    anyway: bool = False,
    seconds: float | None = None,
    prove_seconds: float = SECONDS,
    log: Log = to_stderr,
) -> Recompressed:
    """Make the bundle in folder `bundle` anew because of the alarms in the state file `because`, and swap it in.

    run: a run folder to make it of; without one the reference network that the bundle carries. max_error: instead of
    the one it was compressed to. min_class: as export() takes it, those of the old bundle where None. residual,
    input_accuracy: as export() takes them, where the bundle has them and cannot say which. keep_box: do not grow the
    box. anyway: also without an alarm. seconds: for compressing. prove_seconds: for proving, per box.
    The old bundle stays as it is until the new one is verified, and is kept beside it afterwards.
    Raises InputError where there is no alarm, the state is another bundle's, or what there is cannot answer it;
    Rejected or NotVerified for a new bundle that does not pass; TargetError where the system refuses; what
    compressing and exporting raise.
    """
    target = Path(bundle)
    old = reader.read(target)
    if old.manifest.slots:
        raise InputError(
            f"{target}: holds {len(old.cassettes)} operators with one model, of which a drift alarm says nothing; "
            "train them anew and export the run"
        )
    check_target(target)
    how = settings(old, residual, input_accuracy)
    asked = answer(old, why.read(Path(because), old), keep_box=keep_box, anyway=anyway)
    source = None if run is None else Path(run)
    if source is None:
        _without_run(old, how, asked, max_error)
    elif stated := ends_of_run(source):
        asked.check_box(old, stated)
    for line in asked.words:
        log(line)
    job = _Job(target, old, how, asked, source, max_error, min_class, seconds, prove_seconds, log)
    try:
        with beside(target.absolute()) as place:
            return job.done(place)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TargetError(f"{target}: cannot be written: {reason}; the bundle that was there is kept") from error


@final
@dataclass(frozen=True)
class _Job:
    """What is to be made of which bundle."""

    target: Path
    old: Bundle
    how: Settings
    asked: Answer
    run: Path | None
    max_error: str | float | None
    min_class: str | None
    seconds: float | None
    prove_seconds: float
    log: Log

    def done(self, place: Path) -> Recompressed:
        """The new bundle, built in the folder `place` beside the target, judged and swapped in."""
        new = self._built(place)
        fresh = reader.read(new)
        same_signature(self.old, fresh)
        self.asked.check_box(self.old, ends_of(fresh))
        verdict = _verified(new, self.target)
        if self.min_class is None:
            not_weaker(self.old, fresh)
        listed = changes(self.old, fresh, verdict.backend)
        _unchanged(self.target, self.old)
        before = keeping.replace(self.target.absolute(), new, self.old.id)
        return Recompressed(self.target, before, self.asked.words, listed, verdict)

    def _built(self, place: Path) -> Path:
        made, limits = spending.spent(self._source, self.old, self.how, self.asked, self.max_error, place, self.log)
        options = {**self.how.kept, "max_error": limits, "prove_seconds": self.prove_seconds}
        options |= {} if self.min_class is None else {"min_class": self.min_class}
        adding = partial(_noted, self.old, self.asked, same=self.run is None)
        naming, target = self.how.naming, place / self.target.name
        return export(made.source, target, domain=made.box, naming=naming, log=self.log, adding=adding, **options)

    def _source(self, place: Path, max_error: str | None, again: bool) -> Made:
        if self.run is None:
            return of_reference(self.old, self.how, max_error, self.seconds)
        return of_run(self.run, place, self.how, max_error, self.seconds, again=again)


def _without_run(old: Bundle, how: Settings, asked: Answer, max_error: str | float | None) -> None:
    """Raise InputError where the bundle's own reference cannot answer."""
    if old.reference is None:
        raise InputError(
            f"{old.root}: has no {reader.REFERENCE} and no --run RUN is given, so there is nothing to rebuild it from; "
            "give --run RUN, the run folder it was exported from or one trained since"
        )
    if asked.run_needed and not (asked.smaller_helps and spending.smaller(old, how, max_error)):
        more = ""
        if asked.smaller_helps:
            smaller = f"an --max-error below the old one, {how.max_error}" if how.max_error else ""
            more = f" or {smaller}" if smaller else "; it was not compressed, so no --max-error makes it better"
        raise InputError(f"{old.root}: {asked.run_needed}; give --run RUN{more}")


def _noted(old: Bundle, asked: Answer, content: BundleContent, *, same: bool) -> BundleContent:
    """The content with what it was made for and, for the same reference on the same box, what is known of that."""
    note = {"from": old.id, "because": list(asked.words)}
    content = replace(content, ledger={**(content.ledger or {}), keeping.NOTE: note})
    return replace(content, certificate=_model_known(old, content)) if same else content


def _model_known(old: Bundle, content: BundleContent) -> Any:
    made = dict(content.certificate.outputs)
    for key, entry in made.items():
        known = old.certificate.outputs.get(key)
        if known is not None and content.certificate.box == old.certificate.box:
            made[key] = replace(entry, terms={**entry.terms, "model": known.terms["model"]})
            made[key] = replace(made[key], tightness_total=made[key].bound_over_found)
    return replace(content.certificate, outputs=made)


def _verified(new: Path, old: Path) -> VerifyReport:
    """The verdict of a new bundle; raises Rejected or NotVerified with the first check that does not pass.

    What cannot be verified of the old bundle either, the model's own error without data, is no reason.
    """
    report = verify(new, VerifyOptions(trust=True))
    if not report.exit_code:
        return report
    failed = [check for check in report.checks if check.status == FAIL]
    if failed:
        raise Rejected(f"the new bundle fails: {_told(failed[0])}; the bundle that was there is kept")
    before = {check.name for check in verify(old).checks if check.status == NOT_VERIFIED}
    lost = [check for check in report.checks if check.status == NOT_VERIFIED and check.name not in before]
    if lost:
        raise NotVerified(f"the new bundle is not verified: {_told(lost[0])}; the bundle that was there is kept")
    return report


def _told(check: Check) -> str:
    return f"{check.name}: {check.detail or check.value}"


def _unchanged(target: Path, old: Bundle) -> None:
    try:
        now = hashlib.sha256((target / INDEX).read_bytes()).hexdigest()
    except OSError:
        now = ""
    if now != old.id:
        raise TargetError(f"{target}: was changed by somebody else meanwhile; it is left as it is")
