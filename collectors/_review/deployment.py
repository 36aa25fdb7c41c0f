"""A change brought into service, and whether what was deployed had been approved before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from collectors._labels import models
from collectors._review.approval import Account, named
from collectors._review.pull import Making, Merged
from collectors.base import system_of
from collectors.http import clean
from evidence.model import EvidenceItem, Outcome

DEPLOYMENT = "review.deployment"
_SERVING = re.compile(r"(?:^|[^a-z])(?:prod|production|live)(?:$|[^a-z])", re.IGNORECASE)
_WORST = (Outcome.FAILED, Outcome.ERROR, Outcome.PASSED)


def serves(environment: str, chosen: Sequence[str], told: bool = False) -> bool:
    """Do changes in an environment reach people? `chosen` are globs over its name; without any it
    is what the host says (`told`), or what a name with the word prod, production or live says."""
    if chosen:
        return any(fnmatchcase(environment, glob) for glob in chosen)
    return told or _SERVING.search(environment) is not None


class Stage(StrEnum):
    """How far a deployment has come. Untold: the host shows nothing but that it was asked for."""

    WAITING = "waiting"
    RUNNING = "running"
    IN_SERVICE = "in service"
    FAILED = "failed"
    UNTOLD = "untold"

    @property
    def ended(self) -> bool:
        """Is there nothing more to be expected of it?"""
        return self in {Stage.IN_SERVICE, Stage.FAILED}


@dataclass(frozen=True, slots=True)
class Gate:
    """What one account said where the environment asks for it. `at` is None where the host does not
    tell; it is before the deployment began, as the host holds it up until then."""

    by: Account | None
    approved: bool
    at: datetime | None

    def payload(self) -> dict[str, Any]:
        """As it is kept."""
        by = self.by.payload() if self.by else None
        return {"by": by, "said": "approved" if self.approved else "rejected", "at": self.at}


@dataclass(frozen=True, slots=True)
class Origin:
    """How a commit came to be. `whole` are the merged changes of which it is the head or what came
    of them, `parts` the numbers of those of which it is but a part; `unread` says why that is not
    known, empty where it is."""

    whole: tuple[Merged, ...] = ()
    parts: tuple[int, ...] = ()
    unread: str = ""

    def judged(self, began: datetime) -> tuple[Outcome, str]:
        """Was it approved when it was deployed? And the answer in a few words. Passed only by a
        change that passed and was merged by then; where several were, the worst of them counts."""
        if self.unread:
            return Outcome.ERROR, f"nobody knows how its commit came ({self.unread})"
        before = [one for one in self.whole if one.merged <= began]
        if not before:
            return self._late()
        seen = [one for one in before if one.watched]
        if not seen:
            return Outcome.ERROR, f"#{before[0].number} was merged into a branch nobody watches"
        found = [(one.outcome(one.judged), one) for one in seen]
        outcome, worst = min(found, key=lambda pair: _WORST.index(pair[0]))
        return outcome, f"#{worst.number} {worst.sentence(worst.judged)}"

    def _late(self) -> tuple[Outcome, str]:
        if self.whole:
            return Outcome.FAILED, f"before #{self.whole[0].number} was merged"
        if self.parts:
            told = f"its commit is a part of #{self.parts[0]}, not what was reviewed as a whole"
            return Outcome.ERROR, told
        return Outcome.FAILED, "its commit came by no merged change"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of a commit to an environment that serves people.

    `created` is when it was asked for, `began` when it was let go (None: not as far as told), `at`
    when it came to its stage. `gates` are what the environment's approvers said; `gates_unread`
    says why they are not known, empty where they are.
    """

    id: str
    environment: str
    ref: str
    commit: str
    stage: Stage
    created: datetime
    began: datetime | None
    at: datetime
    by: Account | None
    origin: Origin
    gates: tuple[Gate, ...] = ()
    gates_unread: str = ""
    url: str = ""

    def judged(self) -> tuple[Outcome, str]:
        """What it comes to, and why. What never began is recorded, and what was approved but is
        not in service; what was not approved has failed as soon as it began."""
        if self.began is None:
            return Outcome.RECORDED, f"not begun ({self.stage.value})"
        against = self._rejected()
        if against:
            return Outcome.FAILED, f"over the rejection of {against}"
        outcome, why = self.origin.judged(self.began)
        if outcome is Outcome.PASSED and self.stage is Stage.UNTOLD:
            return Outcome.ERROR, f"{why}; what came of it is not told"
        if outcome is Outcome.PASSED and self.stage is not Stage.IN_SERVICE:
            return Outcome.RECORDED, f"{why}; {self.stage.value}"
        return outcome, why

    def _rejected(self) -> str:
        """Who rejected it, unless somebody approved it as well: runs are tried again."""
        if any(gate.approved for gate in self.gates):
            return ""
        return " and ".join(named(gate.by) for gate in self.gates if not gate.approved)

    def item(self, made: Making) -> EvidenceItem:
        """The evidence: an event of the moment at which it came to its stage."""
        outcome, why = self.judged()
        labels = sorted({label for one in self.origin.whole for label in one.labels})
        where = f"{made.repository.name} {self.commit[:7]} to {self.environment}"
        title = f"{where} by {named(self.by)}, {self.stage.value}: {why}"
        return EvidenceItem(
            source=made.source, kind=DEPLOYMENT,
            subject=f"{made.repository.id}/deployment/{self.id}",
            observed_from=min(self.created, self.at), observed_to=self.at,
            collected_at=made.collected_at, payload=self._payload(made, labels, why),
            system=system_of(made.systems, made.repository.name, self.environment, *labels),
            title=clean(title), outcome=outcome, actor=str(self.by or ""),
            locator=self.url if self.url.startswith(("https://", "http://")) else "",
        )  # fmt: skip

    def _payload(self, made: Making, labels: Sequence[str], why: str) -> dict[str, Any]:
        return {
            "host": made.host, "repository": made.repository.name,
            "repository_id": made.repository.id, "deployment": self.id,
            "environment": self.environment, "ref": self.ref, "commit": self.commit,
            "stage": self.stage.value, "in_service": self.stage is Stage.IN_SERVICE,
            "created": self.created, "began": self.began, "at": self.at,
            "deployed_by": self.by.payload() if self.by else None, "why": clean(why),
            "changes": [one.number for one in self.origin.whole], "parts_of": self.origin.parts,
            "unread": self.origin.unread, "labels": list(labels), "models": models(labels),
            "gates": [gate.payload() for gate in self.gates], "gates_unread": self.gates_unread,
            **self._duties(),
        }  # fmt: skip

    def _duties(self) -> dict[str, Any]:
        """Separation of duties, as facts: who deployed what they wrote, or approved."""
        deployer = self.by.id if self.by else ""
        authors = {one.author.id for one in self.origin.whole if one.author}
        approvers = {
            judged.review.by.id
            for one in self.origin.whole
            for judged in one.judged
            if judged.counts and judged.review.by
        }
        gates = {gate.by.id for gate in self.gates if gate.approved and gate.by}
        return {
            "deployed_by_author": bool(deployer) and deployer in authors,
            "deployed_by_approver": bool(deployer) and deployer in approvers,
            "gate_approvals": len(gates - {deployer}),
            "gate_self_approved": bool(deployer) and deployer in gates,
        }
