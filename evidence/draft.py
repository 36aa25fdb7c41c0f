"""What is drafted from evidence, and what a person decides about it.

A draft is never evidence. Each of its sentences rests on items that landed, with words of theirs;
how those items stood is said beside it by code, never by whoever wrote the sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from evidence.suggestion import Passage

FORM = "headwater.draft/1"


class Act(StrEnum):
    """What is done: a text is drafted, or nothing can be; a person accepts it, rejects it, or takes
    an earlier decision back."""

    DRAFT = "draft"
    ABSTAIN = "abstain"
    ACCEPT = "accept"
    REJECT = "reject"
    WITHDRAW = "withdraw"


class Task(StrEnum):
    """What is drafted: what evidence shows, the answer to a request, a section of a document."""

    SUMMARY = "summary"
    ANSWER = "answer"
    SECTION = "section"


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why an item cannot be relied upon, in one `word` (failed, error, corrected, gone, replaced,
    unconfirmed, stale, supporting, unclaimed) and one sentence."""

    word: str
    why: str


@dataclass(frozen=True, slots=True)
class Given:
    """One item as a draft may speak of it: its texts by place, and how it stands, as code judges.

    `day` is the day (UTC) until which it was observed; `counts` are the needs for which it is in
    date, a sentence each. An item without any is not in date.
    """

    item_id: str
    source: str
    kind: str
    system: str
    title: str
    outcome: str
    observed_to: datetime
    texts: tuple[Passage, ...]
    flaws: tuple[Flaw, ...] = ()
    counts: tuple[str, ...] = ()

    @property
    def in_date(self) -> bool:
        """Whether some need is met by it now, and nothing else speaks against it but a failure."""
        return bool(self.counts) and self.words <= {"failed", "error"}

    @property
    def failed(self) -> bool:
        """Whether it failed or erred, by its own word or a person's."""
        return bool(self.words & {"failed", "error"})

    @property
    def words(self) -> frozenset[str]:
        """Its flaws, a word each."""
        return frozenset(flaw.word for flaw in self.flaws)

    @property
    def day(self) -> str:
        """YYYY-MM-DD."""
        return self.observed_to.strftime("%Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Cite:
    """Words as they stand in an item, on which a sentence rests."""

    item_id: str
    said: Passage

    def facts(self) -> dict[str, str]:
        """What the record keeps."""
        return {"item_id": self.item_id, "place": self.said.place, "quote": self.said.text}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a draft and what it rests on: one item at least."""

    text: str
    cites: tuple[Cite, ...]

    def facts(self) -> dict[str, Any]:
        """What the record keeps."""
        return {"text": self.text, "cites": [cite.facts() for cite in self.cites]}


@dataclass(frozen=True, slots=True)
class Matter:
    """What a draft is about, before anybody wrote a word of it.

    `question` is what is to be written, `text` the words of a document that it is to go into;
    `controls` are the ids of those that it speaks for, if any, `systems` the AI systems that narrow
    them down, `request` the one that it answers; `given` are the items it may rest
    on, as they stand for these, `left` counts those that there was no room for; `notes` are
    sentences of code about how the evidence stands.
    """

    task: Task
    about: str
    question: str
    given: tuple[Given, ...]
    controls: tuple[str, ...] = ()
    left: int = 0
    notes: tuple[str, ...] = ()
    text: str = ""
    systems: tuple[str, ...] = ()
    request: str = ""

    @property
    def by_id(self) -> Mapping[str, Given]:
        """Item id → the item."""
        return {one.item_id: one for one in self.given}
