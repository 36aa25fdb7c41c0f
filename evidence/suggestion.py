"""What a model proposes of an item, and what a person decides about it.

A model only proposes. That an item speaks to a control is said by a named person, and the record of
it keeps what the person was shown: both passages, the score, and which model was asked with what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

FORM = "headwater.suggestion/1"


class Act(StrEnum):
    """What is done: a model proposes; a person accepts, confirms as a second one, rejects, or takes
    an earlier decision back."""

    PROPOSE = "propose"
    ACCEPT = "accept"
    CONFIRM = "confirm"
    REJECT = "reject"
    WITHDRAW = "withdraw"


class Becomes(StrEnum):
    """What an accepted proposal becomes: a tag of this one item, or a rule that people review."""

    TAG = "tag"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Passage:
    """Words as they stand at a `place`: of an item `title` or `payload.…`, of the catalogue
    `needs.KIND.collect`."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class AskedModel:
    """Which model proposed: its name, the digest of its weights (or of its own word, where they are
    elsewhere), and that of everything but the item that it was given."""

    name: str
    digest: str
    prompt_digest: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """That an item speaks to `control` as `evidence`, since `said` in it answers `asked` there.

    `score` and `threshold` are the model's own numbers between 0 and 1: no probabilities.
    """

    item_id: str
    control: str
    evidence: str
    score: float
    threshold: float
    said: Passage
    asked: Passage
    model: AskedModel

    def facts(self) -> dict[str, Any]:
        """What the record of the proposal says, and that of a decision repeats."""
        return {
            "item_id": self.item_id, "control": self.control, "evidence": self.evidence,
            "score": self.score, "threshold": self.threshold,
            "said": {"place": self.said.place, "text": self.said.text},
            "asked": {"place": self.asked.place, "text": self.asked.text},
            "model": self.model.name, "model_digest": self.model.digest,
            "prompt_digest": self.model.prompt_digest,
        }  # fmt: skip

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Proposal:
        """From its facts. Raises KeyError, TypeError, ValueError."""
        said, asked = facts["said"], facts["asked"]
        return cls(
            str(facts["item_id"]), str(facts["control"]), str(facts["evidence"]),
            float(facts["score"]), float(facts["threshold"]),
            Passage(str(said["place"]), str(said["text"])),
            Passage(str(asked["place"]), str(asked["text"])),
            AskedModel(
                str(facts["model"]), str(facts["model_digest"]), str(facts["prompt_digest"])
            ),
        )  # fmt: skip
