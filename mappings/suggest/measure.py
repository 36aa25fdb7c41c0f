"""How good a model's proposals are, by texts whose controls people wrote down beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import MappingError
from evidence.suggestion import Passage
from mappings.catalogue import HERE, Catalogue
from mappings.controls import NAMESPACE
from mappings.nodes import Node, read
from mappings.suggest.models import Model
from mappings.suggest.propose import Proposer
from mappings.suggest.texts import ItemText

LABELLED = HERE / "suggest" / "labelled.yaml"
ABSTAIN = 0.95
"""The share of texts that speak to no control on which a threshold must make a model abstain."""
FIRST = 3
_STEP = 0.01


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text as an item would bring it, and the controls it may be proposed for; none: abstain."""

    item: ItemText
    controls: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ranked:
    """What a model made of one labelled text: its best controls with their scores, best first."""

    text: Labelled
    controls: tuple[tuple[str, float], ...]

    def above(self, threshold: float) -> tuple[str, ...]:
        """The controls that would be proposed."""
        return tuple(control for control, score in self.controls[:FIRST] if score >= threshold)


@dataclass(frozen=True, slots=True)
class Measured:
    """Shares between 0 and 1 over some labelled texts, at a threshold.

    `first_right`: of the texts that get a proposal, those whose first one is right; `precision`:
    of all proposals, those that are right; `recall`: of the texts with controls, those with a right
    one among the first three, whatever their score; `proposed`: of them, those that get a proposal
    at all; `abstained`: of the texts without, those that get none.
    """

    texts: int
    threshold: float
    first_right: float
    precision: float
    recall: float
    proposed: float
    abstained: float


def labelled(catalogue: Catalogue, file: Path = LABELLED) -> tuple[Labelled, ...]:
    """The labelled texts of a file. Raises MappingError naming file and line."""
    root = HERE if file.is_relative_to(HERE) else None
    tree = read(file, root=root).record("the file", "texts")["texts"]
    known = {control.number for control in catalogue.controls}
    return tuple(_text(node, number, known) for number, node in enumerate(tree.list("texts")))


def _text(node: Node, number: int, known: set[str]) -> Labelled:
    fields = node.record("a text", "kind title text controls")
    controls = fields["controls"].texts("controls")
    for control in controls:
        if control not in known:
            raise fields["controls"].error(f"unknown control {control!r}; write 5.2 or A.6.2.4")
    passages = (Passage("title", fields["title"].text("title")),
                Passage("payload.text", fields["text"].text("text")))  # fmt: skip
    item = ItemText(f"text {number}", fields["kind"].text("kind"), passages)
    return Labelled(item, frozenset(f"{NAMESPACE}:{control}" for control in controls))


def halves(texts: Sequence[Labelled]) -> tuple[tuple[Labelled, ...], tuple[Labelled, ...]]:
    """One half to choose a threshold by, the other to report: two and two by their place, as texts
    with and without controls take turns."""
    return (
        tuple(text for at, text in enumerate(texts) if at // 2 % 2 == 0),
        tuple(text for at, text in enumerate(texts) if at // 2 % 2 == 1),
    )


def rank(catalogue: Catalogue, model: Model, texts: Sequence[Labelled]) -> tuple[Ranked, ...]:
    """What the model makes of each text, below every threshold. Raises what the model raises."""
    proposer = Proposer(catalogue, model, threshold=0.0, at_most=len(catalogue.controls))
    return tuple(
        Ranked(text, tuple((p.control, p.score) for p in proposer.look(text.item).proposals))
        for text in texts
    )


def choose(ranked: Sequence[Ranked]) -> float:
    """The lowest threshold at which enough texts without a control get no proposal (`ABSTAIN`).

    Raises MappingError where there is no such text.
    """
    if all(one.text.controls for one in ranked):
        raise MappingError("no labelled text is without controls: no threshold can be chosen")
    steps = [round(n * _STEP, 2) for n in range(round(1 / _STEP) + 1)]
    return next((t for t in steps if measure(ranked, t).abstained >= ABSTAIN), 1.0)


def measure(ranked: Sequence[Ranked], threshold: float) -> Measured:
    """The shares over these texts at this threshold; a share of nothing is 0."""
    speaking = [one for one in ranked if one.text.controls]
    silent = [one for one in ranked if not one.text.controls]
    made = [(one, above) for one in ranked if (above := one.above(threshold))]
    right = [[control in one.text.controls for control in above] for one, above in made]
    found = [one for one in speaking if one.text.controls & set(one.above(0.0))]
    return Measured(
        len(ranked), threshold,
        first_right=_share(sum(one[0] for one in right), len(made)),
        precision=_share(sum(map(sum, right)), sum(map(len, right))),
        recall=_share(len(found), len(speaking)),
        proposed=_share(sum(bool(one.above(threshold)) for one in speaking), len(speaking)),
        abstained=_share(sum(not one.above(threshold) for one in silent), len(silent)),
    )  # fmt: skip


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0
