"""Who trained and judged which model when: days before `now`, in Brookside Lending's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

MIRA, JONAS, PRIYA = "mira.osei", "jonas.frey", "priya.nair"
CREDIT, CHURN, TRIAGE = "credit-scoring", "churn-predictor", "ticket-triage"


@dataclass(frozen=True, slots=True)
class Training:
    """A training run; with `version` its model is saved and becomes that registered version."""

    system: str
    days: float
    user: str
    name: str
    params: dict[str, Any] = field(hash=False)
    version: str = ""
    approved_by: str = ""
    ticket: str = ""
    killed: bool = False
    took: timedelta = timedelta(minutes=14)

    def approval(self, begun: datetime) -> dict[str, str]:
        """The registered version's tags: nothing where nobody approved."""
        if not self.approved_by:
            return {}
        day = (begun + timedelta(days=1)).date().isoformat()
        ticket = {"change_ticket": self.ticket} if self.ticket else {}
        return {"approved_by": self.approved_by, "approved_at": day, **ticket}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A run that measures a registered version by group."""

    system: str
    days: float
    user: str
    version: str
    took: timedelta = timedelta(minutes=4)


# Credit scoring is in order. Churn's version 3 went live six days ago and nobody was asked.
# Ticket triage was trained four months ago and has not been looked at for more than three.
STORY: tuple[Training | Evaluation, ...] = (
    Training(CREDIT, 61.2, MIRA, "baseline", {"C": 0.1}),
    Training(CREDIT, 58.4, MIRA, "wider", {"C": 1.0}, "1", JONAS),
    Evaluation(CREDIT, 57.9, MIRA, "1"),
    Training(CREDIT, 44.1, MIRA, "too wide", {"C": 100.0}),
    Training(CREDIT, 42.2, MIRA, "balanced",
             {"C": 1.0, "class_weight": "balanced"}, "2", JONAS, "CHG-11"),
    Evaluation(CREDIT, 41.6, MIRA, "2"),
    Evaluation(CREDIT, 20.3, PRIYA, "2"),
    Evaluation(CREDIT, 4.8, PRIYA, "2"),
    Training(CHURN, 54.7, MIRA, "first", {"C": 0.01}, "1", JONAS),
    Training(CHURN, 36.9, MIRA, "stopped by hand", {"C": 1000.0}, killed=True),
    Training(CHURN, 35.3, MIRA, "second", {"C": 0.1}, "2", JONAS, "CHG-12"),
    Evaluation(CHURN, 34.8, PRIYA, "2"),
    Training(CHURN, 6.6, MIRA, "hot fix", {"C": 1.0}, "3"),
    Evaluation(CHURN, 6.3, MIRA, "3"),
    Training(TRIAGE, 120.4, PRIYA, "all queues", {"C": 1.0}, "1", JONAS, "CHG-13"),
    Evaluation(TRIAGE, 104.2, PRIYA, "1"),
)  # fmt: skip
