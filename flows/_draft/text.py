"""A draft as Markdown: its sentences, what they rest on, and how the evidence stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from evidence.draft import Given, Matter, Sentence
from evidence.suggestion import AskedModel
from flows._draft.checks import Checked
from flows._draft.given import standing
from flows._draft.writers import NONE
from flows.terminal import printable

_SIGNS = re.compile(r"([\\`*_\[\]<>#|~@&!])")
_LINK = re.compile(r"(://|\bwww\.)", re.I)
_SHORT = 16


def markdown(matter: Matter, found: Checked, model: AskedModel) -> str:
    """The draft, to be read by who decides about it.

    What failed and is not named in any sentence is listed by code: nobody can draft it away.
    """
    sentences = found.sentences
    numbers = _numbers(sentences)
    lines = [f"# {plain(matter.about)}", "", *_head(matter, model, found.unwritten), ""]
    lines += [f"- {_sentence(one, matter.by_id, numbers)}" for one in sentences]
    if beside := list(_beside(matter, numbers)):
        lines += ["", "## How the evidence stands", "", *(f"- {plain(one)}" for one in beside)]
    lines += ["", "## What the sentences rest on", ""]
    for item_id, number in numbers.items():
        lines += _item(matter.by_id[item_id], number, sentences)
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Text of strangers in one line, as text: nothing of it is markup or a link."""
    shown = " ".join(printable(text).split())
    return _LINK.sub(lambda match: match[0][:-1] + "\\" + match[0][-1], _SIGNS.sub(r"\\\1", shown))


def _numbers(sentences: Sequence[Sentence]) -> dict[str, int]:
    """Item id → its number in the text, by first use."""
    ids = dict.fromkeys(cite.item_id for one in sentences for cite in one.cites)
    return {item_id: number for number, item_id in enumerate(ids, 1)}


def _head(matter: Matter, model: AskedModel, unwritten: int) -> Iterator[str]:
    by = "code alone, no model," if model.name == NONE else f"the model {plain(model.name)}"
    total = len(matter.given) + matter.left
    yield f"> Drafted by {by} from {len(matter.given)} of {total} items. A draft is no evidence:"
    yield "> a named person reads what it rests on, and decides."
    if unwritten:
        yield f"> Left out: {unwritten} sentences that the items do not bear out."


def _sentence(one: Sentence, given: Mapping[str, Given], numbers: Mapping[str, int]) -> str:
    ids = dict.fromkeys(cite.item_id for cite in one.cites)
    marks = " ".join(f"\\[{numbers[item_id]}\\]" for item_id in ids)
    flawed = [f"\\[{numbers[i]}\\] {_flaws(given[i])}" for i in ids if _flaws(given[i])]
    return f"{plain(one.text)} {marks}" + (f" **({'; '.join(flawed)})**" if flawed else "")


_TOLD = {
    "error": "ended in an error", "stale": "out of date", "gone": "gone at its source",
    "replaced": "replaced by a newer one", "unconfirmed": "from a pull that did not finish whole",
    "supporting": "only supports other evidence", "unclaimed": "speaks to no control that is asked",
}  # fmt: skip


def _flaws(one: Given) -> str:
    """What must be said beside a sentence that rests on it; empty where nothing is wrong."""
    return ", ".join(dict.fromkeys(_TOLD.get(flaw.word, flaw.word) for flaw in one.flaws))


def _beside(matter: Matter, numbers: Mapping[str, int]) -> Iterator[str]:
    yield from matter.notes
    unsaid = [one for one in matter.given if one.item_id not in numbers]
    for one in unsaid:
        if one.failed:
            yield f"failed and in no sentence: {one.title} ({_where(one)})"
    if rest := sum(not one.failed for one in unsaid):
        yield f"{rest} items were read and are in no sentence"
    if matter.left:
        yield f"{matter.left} more items were not read for this draft"


def _where(one: Given) -> str:
    return f"{one.kind} of {one.day}, {one.system or 'organisation'}, item {one.item_id[:_SHORT]}"


def _item(one: Given, number: int, sentences: Sequence[Sentence]) -> Iterator[str]:
    yield f"{number}. {plain(one.title or one.kind)}"
    yield f"   - {plain(_where(one))}, source {plain(one.source)}, outcome {one.outcome}"
    yield f"   - {plain(standing(one))}"
    cites = [cite for sentence in sentences for cite in sentence.cites]
    for said in dict.fromkeys(c.said for c in cites if c.item_id == one.item_id):
        yield f"   - {plain(said.place)}: “{plain(said.text)}”"
