"""What a writer claims becomes a sentence of the draft only if the items bear it out.

Evidence is written by strangers, and a model may repeat what they ask of it, or make things up.
Each sentence is held against the items that it cites, sign by sign and word by word; what fails is
left out and counted by its reason. What no code can see is named in docs/drafting.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evidence.draft import Cite, Given, Sentence
from evidence.suggestion import Passage
from flows._draft import words

INCOMPLETE = "lacks a text or cites, or has one of another type"
TOO_LONG = "is longer than 600 signs or cites more than 6 passages"
UNSEEN = "holds signs that nobody sees, pictures, or letters that look like others"
SEVERAL = "is more than one sentence"
UNCITED = "cites nothing"
NO_ITEM = "cites an item that was not given"
NO_QUOTE = "quotes words that do not stand in the item"
OTHERS = "quotes words of another item"
CONFORMS = "says that something conforms or does not, which only people decide"
NUMBER = "has a number or date that its quotes do not hold"
NAME = "has a name that its items do not hold"
WHOLE = "speaks of all, many or none, or of how often, where its quotes do not"
JUDGES = "judges how good something is where its quotes do not"
DECIDES = "says how something ended or compares where its quotes do not"
DONE = "says that something was done of which its items do not speak"
DENIES = "says no where its quotes do not, or leaves it out"
PASSED = "says passed of an item that did not say so"
FAILED = "says failed of an item that did not"
NOT_NOW = "says of what is out of date that it holds today"
FOREIGN = "is not borne out by the words of its items"
TWICE = "is said twice"

_LONGEST, _CITES, _QUOTE = 600, 6, 400
_BORNE = 2 / 3
_ENDS = re.compile(r"[.!?…]['\"”’)]*\s+\S")


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence as a writer gave it, with (item id, quote) pairs: none of it is known yet."""

    text: str
    cites: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """The sentences that stand, and how many do not, by why."""

    sentences: tuple[Sentence, ...]
    dropped: Mapping[str, int]

    @property
    def unwritten(self) -> int:
        """How many do not stand."""
        return sum(self.dropped.values())


def checked(claims: Sequence[Claim], given: Mapping[str, Given]) -> Checked:
    """Every claim held against the items it may cite (id → item)."""
    kept: list[Sentence] = []
    dropped: Counter[str] = Counter()
    for claim in claims:
        made = check(claim, given)
        if isinstance(made, str):
            dropped[made] += 1
        elif any(made.text == one.text for one in kept):
            dropped[TWICE] += 1
        else:
            kept.append(made)
    return Checked(tuple(kept), dict(dropped))


def check(claim: Claim, given: Mapping[str, Given]) -> Sentence | str:
    """The sentence, or why it is none."""
    if wrong := _shape(claim) or _cites(claim, given):
        return wrong
    cites = tuple(
        Cite(item_id, said)
        for item_id, quote in dict.fromkeys(claim.cites)
        if (said := place_of(given[item_id], quote))
    )
    held = _Held(tuple(given[one] for one in dict.fromkeys(c.item_id for c in cites)), cites)
    if wrong := next((why for why, fails in _ASKED.items() if fails(claim.text, held)), ""):
        return wrong
    return Sentence(claim.text, cites)


def _shape(claim: Claim) -> str:
    if len(claim.text) > _LONGEST or len(claim.cites) > _CITES:
        return TOO_LONG
    if not claim.text.strip():
        return INCOMPLETE
    if not (words.readable(claim.text) and words.in_words(claim.text)):
        return UNSEEN
    if _ENDS.search(claim.text):
        return SEVERAL
    return "" if claim.cites else UNCITED


def _cites(claim: Claim, given: Mapping[str, Given]) -> str:
    for item_id, quote in claim.cites:
        if item_id not in given:
            return NO_ITEM
        if place_of(given[item_id], quote) is None:
            elsewhere = any(place_of(one, quote) for one in given.values())
            return OTHERS if elsewhere else NO_QUOTE
    return ""


def place_of(one: Given, quote: str) -> Passage | None:
    """Where the quote stands in the item, sign by sign: two words of it at least, or all that
    stands at its place."""
    if not quote.strip() or len(quote) > _QUOTE:
        return None
    long = len(words.bare(quote)) > 1
    for text in one.texts:
        if quote == text.text or (long and _stands(quote, text.text)):
            return Passage(text.place, quote)
    return None


def _stands(quote: str, text: str) -> bool:
    """Whether it begins and ends where words do: part of a word, or of a number, is no quote."""
    at = text.find(quote)
    while at >= 0:
        before, after = text[:at][-1:], text[at + len(quote) :][:1]
        if not (_joined(before, quote[0]) or _joined(quote[-1], after)):
            return True
        at = text.find(quote, at + 1)
    return False


def _joined(one: str, other: str) -> bool:
    return one.isalnum() and other.isalnum()


@dataclass(frozen=True, slots=True)
class _Held:
    """The items that a sentence cites, and the quotes."""

    items: tuple[Given, ...]
    cites: tuple[Cite, ...]

    @property
    def texts(self) -> str:
        """All that a writer was given of them, in one; the places too, for they name numbers."""
        return "\n".join(_all(self.items))

    @property
    def quotes(self) -> str:
        """All quotes in one."""
        return "\n".join(cite.said.text for cite in self.cites)


def _all(items: Sequence[Given]) -> Iterator[str]:
    for one in items:
        yield from (one.kind, one.system, one.day, one.outcome)
        for text in one.texts:
            yield from (text.place, text.text)


def _conforms(text: str, _: _Held) -> bool:
    return words.says_conforms(text)


def _number(text: str, held: _Held) -> bool:
    days = {one.day for one in held.items}
    known = days | words.numbers(held.quotes) | set(words.bare(held.quotes))
    known |= {digits for _, digits in words.spoken(held.quotes)}
    spoken = [word for word, digits in words.spoken(text) if not {word, digits} & known]
    return bool(words.numbers(text) - known or spoken)


def _name(text: str, held: _Held) -> bool:
    return bool(words.names(text) - words.known_names(held.texts) - {one.day for one in held.items})


def _whole(text: str, held: _Held) -> bool:
    return bool(words.whole(text) - set(words.bare(held.quotes)))


def _judges(text: str, held: _Held) -> bool:
    return bool(words.judging(text) - set(words.bare(held.quotes)))


def _decides(text: str, held: _Held) -> bool:
    return bool(words.foreign(words.deciding(text), held.quotes))


def _done(text: str, held: _Held) -> bool:
    return bool(words.foreign(words.deeds(text), held.texts))


def _denies(text: str, held: _Held) -> bool:
    return words.denies(text) != words.denies(held.quotes) or words.turned(text, held.quotes)


def _passed(text: str, held: _Held) -> bool:
    if not words.says_passed(text):
        return False
    if any(one.failed for one in held.items):
        return True
    return not (
        all(one.outcome == "passed" for one in held.items) or words.says_passed(held.quotes)
    )


def _failed(text: str, held: _Held) -> bool:
    if not words.says_failed(text) or words.says_failed(held.quotes):
        return False
    return not any(one.failed for one in held.items)


def _now(text: str, held: _Held) -> bool:
    return words.says_now(text) and not all(one.in_date for one in held.items)


def _foreign(text: str, held: _Held) -> bool:
    return words.borne_out(text, held.texts) < _BORNE


_ASKED: Mapping[str, Callable[[str, _Held], bool]] = {
    CONFORMS: _conforms, NUMBER: _number, NAME: _name, WHOLE: _whole, JUDGES: _judges,
    DECIDES: _decides, DENIES: _denies, PASSED: _passed, FAILED: _failed, NOT_NOW: _now,
    DONE: _done, FOREIGN: _foreign,
}  # fmt: skip
"""Why a sentence falls → whether it does, in the order in which they are asked."""
