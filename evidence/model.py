"""What evidence is: an immutable item whose id is computed from what it says.

Identity, form 1 (docs/lake.md holds the same in words, with an example):
`item_id = SHA-256(JCS{form, source, kind, nature, system, subject, observed_from, observed_to,
change, outcome, content_sha256})` and `content_sha256 = SHA-256(JCS(payload))`, both in lower-case
hex, JCS being RFC 8785, times being `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from operator import attrgetter
from typing import Any, NewType

from evidence.canonical import canonical_plain, canonical_texts, plain
from evidence.errors import InvalidItem
from evidence.runs import PullFacts
from evidence.times import stamp, utc

ItemId = NewType("ItemId", str)
ControlId = NewType("ControlId", str)
PullId = NewType("PullId", str)

FORM = "headwater.item/1"
_TIMES = ("observed_from", "observed_to", "collected_at")
_TEXTS = ("source", "kind", "subject", "system", "title", "actor", "locator")
_STR = {str}
_texts = attrgetter(*_TEXTS)
_set = object.__setattr__


class Nature(StrEnum):
    """An event ages from when it happened; a state from the last complete pull that saw it."""

    EVENT = "event"
    STATE = "state"


class Change(StrEnum):
    """What the source did to the subject since last seen. A source that forgets is evidence."""

    NEW = "new"
    CHANGED = "changed"
    GONE = "gone"
    RESTORED = "restored"


class Outcome(StrEnum):
    """What the fact says about itself; an error is not a failure and neither is a pass."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One immutable fact. `payload` is given as JSON-like values and kept as canonical bytes.

    `source` is the name from headwater.toml; `kind` what it is (`mlflow.run`); `system` the AI
    system it speaks of, empty for the organisation; `subject` the native key within source and
    kind; `locator` where a person finds it. Times carry zones. Raises InvalidItem.
    """

    source: str
    kind: str
    subject: str
    observed_from: datetime
    observed_to: datetime
    collected_at: datetime
    payload: Mapping[str, Any] = field(repr=False)
    nature: Nature = Nature.EVENT
    system: str = ""
    title: str = ""
    change: Change = Change.NEW
    outcome: Outcome = Outcome.RECORDED
    actor: str = ""
    locator: str = ""
    content: bytes = field(init=False, repr=False, compare=False)
    content_sha256: str = field(init=False)
    item_id: ItemId = field(init=False)

    def __post_init__(self) -> None:
        if not (
            self.observed_from.tzinfo is UTC
            and self.observed_to.tzinfo is UTC
            and self.collected_at.tzinfo is UTC
        ):
            self._to_utc()
        if self.observed_to < self.observed_from:
            raise InvalidItem(f"{self.kind} {self.subject}: observed_to is before observed_from")
        texts = _texts(self)
        if {*map(type, texts)} != _STR or not "".join(texts).isascii():
            self._to_plain()
        if not (self.source.strip() and self.kind.strip() and self.subject.strip()):
            self._refuse_empty()
        # Copied, because orjson hands out its bytes in a room of several times their size.
        content = bytes(memoryview(canonical_plain(self.payload)))
        _set(self, "content", content)
        _set(self, "content_sha256", sha256(content).hexdigest())
        _set(self, "item_id", sha256(canonical_texts(self.identity())).hexdigest())

    def _to_utc(self) -> None:
        for name in _TIMES:
            what = f"{self.kind} {self.subject}: {name}"
            _set(self, name, utc(getattr(self, name), what=what))

    def _to_plain(self) -> None:
        for name in _TEXTS:
            _set(self, name, plain(getattr(self, name)))

    def _refuse_empty(self) -> None:
        for name in ("source", "kind", "subject"):
            if not getattr(self, name).strip():
                raise InvalidItem(f"{self.kind or 'item'} {self.subject!r}: {name} is empty")

    def identity(self) -> dict[str, str]:
        """The fields that the id is computed from, as written in the hash."""
        return {
            "form": FORM,
            "source": self.source,
            "kind": self.kind,
            "nature": self.nature._value_,
            "system": self.system,
            "subject": self.subject,
            "observed_from": stamp(self.observed_from),
            "observed_to": stamp(self.observed_to),
            "change": self.change._value_,
            "outcome": self.outcome._value_,
            "content_sha256": self.content_sha256,
        }


@dataclass(frozen=True, slots=True)
class Cursor:
    """A bookmark that only its collector reads; text, kept as it is."""

    value: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Items and the cursor that covers them: they land together or not at all.

    `facts` tell what was asked and answered for this batch; the facts of a pull's batches add up.
    """

    items: tuple[EvidenceItem, ...]
    cursor: Cursor
    facts: PullFacts = field(default_factory=PullFacts)


@dataclass(frozen=True, slots=True)
class Tag:
    """One rule's claim that an item speaks to a control (or signals an event, `event:…`).

    `evidence` names the catalogue's evidence kind that the item serves there.
    """

    item_id: ItemId
    control: ControlId
    evidence: str
    rule: str
    strength: str
    rationale: str
    mapping_digest: str
