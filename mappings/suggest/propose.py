"""From a model's claims to proposals: only what exists, only what occurs, only above the threshold.

Evidence is written by strangers, and a model may repeat what they ask of it. Whatever it says, a
proposal names a control of the catalogue that asks for this evidence, and cites words that stand in
the item; everything else is dropped, and counted by its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from evidence.suggestion import Proposal
from mappings.catalogue import Catalogue
from mappings.suggest.asks import Ask, asks, may_answer
from mappings.suggest.models import Claim, Model
from mappings.suggest.texts import ItemText

NO_CONTROL = "names a control that does not exist"
NO_NEED = "names evidence that the control does not ask for"
NO_SCORE = "has a score that is no number between 0 and 1"
NO_PASSAGE = "cites words that do not stand in the item"


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of one item: proposals, the best first; none is an abstention.

    `best` is the highest score of what could be proposed, also under the threshold; `dropped`
    counts claims by why they are none, `rejected` those that people rejected before.
    """

    item_id: str
    proposals: tuple[Proposal, ...]
    best: float
    dropped: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0


class Proposer:
    """Asks a model and checks its answers against the catalogue and the item."""

    def __init__(
        self, catalogue: Catalogue, model: Model, *, threshold: float, at_most: int
    ) -> None:
        self._catalogue, self._model = catalogue, model
        self._threshold, self._at_most = threshold, at_most
        self._asks: Mapping[tuple[str, str], Ask] = {
            (a.control, a.evidence): a for a in asks(catalogue)
        }
        self._controls = {control.id for control in catalogue.controls}

    def look(self, item: ItemText, rejected: Collection[str] = ()) -> Looked:
        """Proposals for one item, one a control, none for the controls that people `rejected`.

        Raises what the model raises.
        """
        answer = self._model.claims(item)
        dropped = Counter(answer.unread)
        fit: list[Proposal] = []
        for claim in answer.claims:
            made = self._checked(item, claim)
            if isinstance(made, Proposal):
                fit.append(made)
            elif made:
                dropped[made] += 1
        ranked = _best_of_each(fit)
        wanted = [p for p in ranked if p.control not in rejected]
        above = [p for p in wanted if p.score >= self._threshold]
        return Looked(
            item.item_id, tuple(above[: self._at_most]), ranked[0].score if ranked else 0.0,
            dict(dropped), len(ranked) - len(wanted),
        )  # fmt: skip

    def _checked(self, item: ItemText, claim: Claim) -> Proposal | str:
        """The proposal, or why it is none; empty where it is merely not for such items."""
        if claim.control not in self._controls:
            return NO_CONTROL
        ask = self._asks.get((claim.control, claim.evidence))
        if ask is None:
            return NO_NEED
        if not 0 <= claim.score <= 1:
            return NO_SCORE
        said = item.place_of(claim.said)
        if said is None:
            return NO_PASSAGE
        if not may_answer(ask, self._catalogue, item.kind):
            return ""
        return Proposal(
            item.item_id, ask.control, ask.evidence, round(claim.score, 4), self._threshold, said,
            ask.passage, self._model.asked,
        )  # fmt: skip


def _best_of_each(proposals: Sequence[Proposal]) -> list[Proposal]:
    """For each control its best, the best control first."""
    best: dict[str, Proposal] = {}
    for one in sorted(proposals, key=lambda p: (-p.score, p.control, p.evidence)):
        best.setdefault(one.control, one)
    return list(best.values())
