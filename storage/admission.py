"""What may land: the one way into the lake, where everything passes the redactor."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evidence.model import Cursor, EvidenceItem, Outcome
from evidence.runs import PULL_KIND, Pull, PullOutcome
from storage.redaction import Redactor

SEALED = "(sealed: it holds what was hidden)"
_OUTCOMES = {PullOutcome.COMPLETE: Outcome.PASSED, PullOutcome.PARTIAL: Outcome.FAILED}


@dataclass(frozen=True, slots=True)
class Admitted:
    """A batch as it may land: items, the pull's record, and how many values were hidden by why.

    `sealed` says that the cursor may only be written so that the redaction key opens it.
    """

    items: tuple[EvidenceItem, ...]
    record: tuple[EvidenceItem, ...]
    hidden: Mapping[str, int]
    sealed: bool


def admit(
    redactor: Redactor,
    items: Sequence[EvidenceItem],
    pull: Pull | None,
    cursor: Cursor | None,
    *,
    sealed: bool,
) -> Admitted:
    """Redact a batch, its pull's record and, where need be, its cursor; `sealed` is how the last
    cursor was. A cursor may name subjects or digests of what was hidden: once sealed, always so.

    Raises LakeError if something must be hidden and there is no key.
    """
    done = redactor.apply(items, gone=sealed)
    sealed = sealed or bool(done.hidden) or (cursor is not None and redactor.reveals(cursor.value))
    record: tuple[EvidenceItem, ...] = ()
    hidden = done.hidden
    if pull is not None:
        record, hidden = _recorded(redactor, _quiet(pull, done.secrets, sealed), hidden)
    return Admitted(done.items, record, hidden, sealed)


def _recorded(
    redactor: Redactor, pull: Pull, hidden: Mapping[str, int]
) -> tuple[tuple[EvidenceItem, ...], Mapping[str, int]]:
    """The record counts what was hidden in the items and in itself."""
    done = redactor.apply([_counted(redactor, pull, hidden)])
    if done.hidden:
        hidden = _sum(hidden, done.hidden)
        done = redactor.apply([_counted(redactor, pull, hidden)])
    return done.items, hidden


def _counted(redactor: Redactor, pull: Pull, hidden: Mapping[str, int]) -> EvidenceItem:
    count = _sum(pull.hidden, hidden)
    return pull_item(dataclasses.replace(pull, hidden=count, redaction=redactor.digest))


def _sum(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted((Counter(one) + Counter(two)).items()))


def _quiet(pull: Pull, secrets: frozenset[str], sealed: bool) -> Pull:
    """A record whose sentences repeat none of the values hidden with it, nor a sealed cursor."""
    told = [pull.error, *(word for gap in pull.facts.gaps for word in (gap.what, gap.why))]
    said = {value for value in secrets if value and any(value in word for word in told)}

    def hush(text: str) -> str:
        for value in sorted(said, key=len, reverse=True):
            text = text.replace(value, "[redacted]")
        return text

    gaps = tuple(
        dataclasses.replace(g, what=hush(g.what), why=hush(g.why)) for g in pull.facts.gaps
    )
    pull = dataclasses.replace(
        pull, error=hush(pull.error), facts=dataclasses.replace(pull.facts, gaps=gaps)
    )
    if not sealed:
        return pull
    shown = {name: SEALED for name in ("cursor_before", "cursor_after") if getattr(pull, name)}
    return dataclasses.replace(pull, **shown)  # type: ignore[arg-type]


def pull_item(pull: Pull) -> EvidenceItem:
    """The record of a pull as the evidence item that lands with its last batch."""
    outcome = _OUTCOMES.get(pull.outcome, Outcome.ERROR)
    return EvidenceItem(
        source=pull.source, kind=PULL_KIND, subject=pull.pull_id, observed_from=pull.started_at,
        observed_to=pull.finished_at, collected_at=pull.finished_at, payload=pull.payload(),
        title=f"Pull of {pull.source}: {pull.outcome.value}, {pull.items} items", outcome=outcome,
    )  # fmt: skip
