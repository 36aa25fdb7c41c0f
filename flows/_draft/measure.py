"""How good the checks of drafts are, by sentences that people labelled beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from evidence.draft import Flaw, Given
from evidence.errors import InvalidItem
from evidence.model import Outcome
from evidence.suggestion import Passage
from evidence.times import day_or_time
from flows._draft.checks import Claim, check
from mappings.nodes import Node, read

HERE = Path(__file__).parent
LABELLED = HERE / "labelled.yaml"
TRUE, FALSE, UNTOLD = "true", "false", "untold"
LABELS = (TRUE, FALSE, UNTOLD)
_FLAWS = {"failed", "error", "corrected", "gone", "replaced", "unconfirmed", "stale", "supporting",
          "unclaimed"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sentence with its label: it is true, false, or false and not to be told so by code
    (`untold`); `line` is where it stands."""

    label: str
    claim: Claim
    line: int


@dataclass(frozen=True, slots=True)
class Sentences:
    """Labelled sentences, and by id the items that they are about."""

    items: Mapping[str, Given]
    said: tuple[Labelled, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A labelled sentence, and why it falls; it stands where that is empty."""

    sentence: Labelled
    why: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What the checks make of labelled sentences: true ones that stand are right, false ones that
    fall are. Those that no code can tell are counted by themselves."""

    found: tuple[Found, ...]

    def many(self, label: str) -> int:
        """How many sentences have the label."""
        return sum(one.sentence.label == label for one in self.found)

    def standing(self, label: str) -> int:
        """How many of them stand."""
        return sum(one.sentence.label == label and not one.why for one in self.found)

    @property
    def wrong(self) -> tuple[Found, ...]:
        """True ones that fall, and false ones that stand."""
        return tuple(
            one for one in self.found
            if one.sentence.label != UNTOLD and bool(one.why) == (one.sentence.label == TRUE)
        )  # fmt: skip

    @property
    def reasons(self) -> Mapping[str, int]:
        """Why → how many sentences that are not true fall by it, the most common first."""
        fell = Counter(one.why for one in self.found if one.why and one.sentence.label != TRUE)
        return dict(fell.most_common())


def sentences(file: Path = LABELLED) -> Sentences:
    """The labelled sentences of a file. Raises MappingError naming file and line."""
    root = HERE.parent if file.is_relative_to(HERE.parent) else None
    fields = read(file, root=root).record("the file", "items true false", UNTOLD)
    items: dict[str, Given] = {}
    for node in fields["items"].list("items"):
        one = _item(node)
        if one.item_id in items:
            raise node.error(f"two items have the id {one.item_id!r}")
        items[one.item_id] = one
    said = [_said(label, node, items)
            for label in LABELS if label in fields
            for node in fields[label].list(label)]  # fmt: skip
    return Sentences(items, tuple(said))


def _item(node: Node) -> Given:
    fields = node.record("an item", "id title day outcome texts", "flaws system kind")
    outcome = fields["outcome"].text("outcome")
    if outcome not in set(Outcome):
        raise fields["outcome"].error(f"outcome {outcome!r} is none of {', '.join(Outcome)}")
    flaws = fields["flaws"].texts("flaws") if "flaws" in fields else ()
    for word in flaws:
        if word not in _FLAWS:
            raise fields["flaws"].error(f"flaw {word!r} is none of {', '.join(sorted(_FLAWS))}")
    title = fields["title"].text("title")
    texts = [Passage("title", title)]
    texts += [Passage(f"payload.{name}", entry.text(name))
              for name, entry in fields["texts"].items("texts").items()]  # fmt: skip
    return Given(
        fields["id"].text("id"), "labelled", _or(fields, "kind", "labelled.item"),
        _or(fields, "system", "loan-model"), title, outcome, _day(fields["day"]), tuple(texts),
        tuple(Flaw(word, f"it is {word}") for word in flaws),
        () if flaws else ("it counts for what it is asked",),
    )  # fmt: skip


def _or(fields: Mapping[str, Node], name: str, otherwise: str) -> str:
    return fields[name].text(name) if name in fields else otherwise


def _day(node: Node) -> datetime:
    try:
        return datetime.combine(day_or_time(node.text("day")).date(), time(9), UTC)
    except InvalidItem as error:
        raise node.error(f"day must be YYYY-MM-DD: {error}") from error


def _said(label: str, node: Node, items: Mapping[str, Given]) -> Labelled:
    fields = node.record("a sentence", "item text quotes")
    item = fields["item"].text("item")
    if item not in items:
        raise fields["item"].error(f"no item has the id {item!r}; known: {', '.join(items)}")
    quotes: Sequence[str] = fields["quotes"].texts("quotes")
    claim = Claim(fields["text"].text("text"), tuple((item, quote) for quote in quotes))
    return Labelled(label, claim, node.line)


def measure(given: Sentences) -> Figures:
    """What the checks make of each sentence by itself."""
    made = ((one, check(one.claim, given.items)) for one in given.said)
    return Figures(tuple(Found(one, why if isinstance(why, str) else "") for one, why in made))
