"""Trials: each attack on a fresh copy of a sealed lake, and what `verify` said of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evidence.errors import LakeError
from storage.attacks import ATTACKS, Attack
from storage.forging import Field, NotApplicable
from storage.survey import Finding
from storage.verify import examine


class Ending(StrEnum):
    """How a trial ended."""

    DETECTED = "detected"
    MISSED = "missed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Trial:
    """One attack: how it ended, and the sentence that named it, or why it was none.

    For a missed attack `said` is what verification said instead.
    """

    attack: str
    ending: Ending
    said: str


def trials(
    base: Field, attacks: Sequence[Attack] = ATTACKS, *, keep: bool = False
) -> Iterator[Trial]:
    """Every attack on its own copy of `base`, which stays as it is; `keep` leaves the copies there.

    Raises LakeError if the base does not verify before the first attack or after the last: then
    no trial would mean anything.
    """
    _holds(base, "before any attack; run `headwater verify` on the lake first")
    for number, attack in enumerate(attacks):
        work = base.folder.with_name(f"{base.folder.name}-{number:02}")
        try:
            shutil.copytree(base.folder, work, copy_function=_share)
            yield _try(Field(work, base.signer, base.clock), attack)
        finally:
            if not keep:
                shutil.rmtree(work, ignore_errors=True)
    _holds(base, "after the attacks: one of them reached the copy that all share")


def _share(source: str, target: str) -> None:
    """A second name for the same file: attacks replace files, they never write into one."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _holds(base: Field, when: str) -> None:
    if wrong := [f.sentence for f in _said(base) if f.fatal]:
        raise LakeError(f"the copy does not verify {when}: {wrong[0]}")


def _said(field: Field) -> tuple[Finding, ...]:
    return examine(field.path, field.signer.vkey, field.witness, now=field.clock())


def _try(field: Field, attack: Attack) -> Trial:
    try:
        words = attack.plant(field)
    except NotApplicable as reason:
        return Trial(attack.name, Ending.NOT_APPLICABLE, str(reason))
    found = _said(field)
    for finding in found:
        if _names(finding, attack, words):
            return Trial(attack.name, Ending.DETECTED, finding.sentence)
    told = "; ".join(f"{finding.kind}: {finding.sentence}" for finding in found)
    wanted = " or ".join(sorted(attack.kinds))
    return Trial(attack.name, Ending.MISSED, f"wanted {wanted} with {words!r}, got: {told or '-'}")


def _names(finding: Finding, attack: Attack, words: str) -> bool:
    loud = finding.fatal or attack.note
    return loud and finding.kind in attack.kinds and words in finding.sentence
