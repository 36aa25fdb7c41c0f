"""What happened in Brookside Lending's Jira during the last weeks: changes, incidents, risks."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from demo.jira_state import State, Store, blank, edit, move, raise_issue, reindex

READER = "headwater.reader@brookside.example"
READER_TOKEN = "demo-jira-token"  # noqa: S105 opens nothing but the demo's own loopback server
MIRA, JONAS = "mira.osei@brookside.example", "jonas.frey@brookside.example"
PRIYA, TOMAS = "priya.nair@brookside.example", "tomas.lind@brookside.example"


def _user(account: str, name: str, zone: str, token: str) -> dict[str, str]:
    return {"accountId": account, "displayName": name, "timeZone": zone, "token": token}


USERS = {
    READER: _user(
        "712020:b7d1c0de-headwater", "Headwater Reader", "America/New_York", READER_TOKEN
    ),
    MIRA: _user("712020:5f0a-mira", "Mira Osei", "Europe/Berlin", "demo-token-mira"),
    JONAS: _user("712020:61bc-jonas", "Jonas Frey", "Europe/Berlin", "demo-token-jonas"),
    PRIYA: _user("712020:77e2-priya", "Priya Nair", "Asia/Kolkata", "demo-token-priya"),
    TOMAS: _user("712020:8a41-tomas", "Tomas Lind", "Europe/Stockholm", "demo-token-tomas"),
}
PROJECTS = {
    "CHG": ("AI changes", 11),
    "INC": ("AI incidents", 31),
    "RSK": ("AI risks and concerns", 21),
}


def _adf(text: str) -> dict[str, Any]:
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": text}]}
    return {"type": "doc", "version": 1, "content": [paragraph]}


class _Story:
    """Tells the past relative to `now`: `days` before it."""

    def __init__(self, state: State, now: datetime) -> None:
        self.state, self.now = state, now

    def at(self, days: float) -> datetime:
        return self.now - timedelta(days=days)

    def day(self, days: float) -> str:
        """The moment so many days ago, as a label may hold it."""
        return f"{self.at(days):%Y-%m-%dT%H:%M:%SZ}"

    def tell(
        self, project: str, kind: str, summary: str, days: float, by: str, component: str,
        *steps: tuple[float, str, str], labels: tuple[str, ...] = (), **more: Any,
    ) -> None:  # fmt: skip
        """An issue raised `days` ago and its steps (days ago, status, by whom)."""
        more.setdefault("description", _adf(summary + "."))
        key = raise_issue(
            self.state, project, kind, summary, by=by, at=self.at(days),
            components=[component] if component else [], labels=list(labels), **more,
        )  # fmt: skip
        for ago, status, who in steps:
            move(self.state, key, status, by=who, at=self.at(ago))


def build(folder: Path, now: datetime) -> State:
    """The Jira as of `now` (zone-aware) in `folder`; one that is there already is left alone."""
    store = Store(folder)
    if not store.file.exists():
        state = blank(USERS, PROJECTS)
        story = _Story(state, now)
        _changes(story)
        _incidents(story)
        _risks(story)
        reindex(state)
        store.create(state)
    return store.read()


def _changes(story: _Story) -> None:
    tell = story.tell
    tell("CHG", "Change", "Deploy credit-risk v2", 41.3, MIRA, "credit-scoring",
         (40.9, "In Review", MIRA), (40.2, "Approved", JONAS), (40.0, "Done", MIRA),
         labels=("model:credit-risk:2",), priority="High", assignee=MIRA)  # fmt: skip
    tell("CHG", "Change", "Deploy churn v2", 33.4, MIRA, "churn-predictor",
         (33.1, "In Review", MIRA), (32.6, "Approved", JONAS), (32.5, "Done", MIRA),
         labels=("model:churn:2",), assignee=MIRA)  # fmt: skip
    tell("CHG", "Change", "Deploy triage v1", 29.2, PRIYA, "ticket-triage",
         (28.9, "In Review", PRIYA), (28.1, "Rejected", JONAS),
         (26.8, "In Review", PRIYA), (26.2, "Approved", JONAS), (26.0, "Done", PRIYA),
         labels=("model:triage:1",), assignee=PRIYA)  # fmt: skip
    tell("CHG", "Change", "Raise credit threshold", 12.6, MIRA, "credit-scoring",
         (12.5, "In Review", MIRA), (12.4, "Approved", MIRA), (12.3, "Done", MIRA),
         priority="High", assignee=TOMAS)  # fmt: skip
    tell("CHG", "Change", "Weekly retraining for ticket triage", 3.2, PRIYA, "ticket-triage",
         (2.7, "In Review", PRIYA), labels=("model:triage:2",), assignee=PRIYA)  # fmt: skip


def _incidents(story: _Story) -> None:
    tell = story.tell
    tell("INC", "Incident", "Declines doubled for applicants over 60 for six hours", 21.7, TOMAS,
         "credit-scoring", (21.6, "In Progress", JONAS), (20.4, "Resolved", JONAS),
         labels=("ai-incident", "severity-2", "serious-incident", f"aware:{story.day(21.6)}",
                 f"told:market-surveillance-authority:{story.day(12.0)}"),
         priority="High", assignee=JONAS)  # fmt: skip
    tell("INC", "Incident", "Fraud reports routed to the wrong queue", 1.4, PRIYA,
         "ticket-triage", (1.3, "In Progress", PRIYA),
         labels=("ai-incident", "severity-3", "personal-data-breach", f"aware:{story.day(1.3)}"),
         assignee=PRIYA)  # fmt: skip
    tell("INC", "Incident", "Churn scores missing for one nightly run", 16.1, TOMAS,
         "churn-predictor", (15.9, "In Progress", TOMAS), (15.2, "Resolved", TOMAS),
         labels=("ai-incident", "severity-4"), priority="Low", assignee=TOMAS)  # fmt: skip


def _risks(story: _Story) -> None:
    tell, due = story.tell, (story.now + timedelta(days=45)).date().isoformat()
    tell("RSK", "Risk", "Proxy discrimination through postcode", 44.2, TOMAS, "credit-scoring",
         (43.0, "In Progress", MIRA), (30.5, "Accepted", JONAS),
         labels=("ai-risk",), priority="High", assignee=MIRA, due=due)  # fmt: skip
    tell("RSK", "Risk", "Drift after the new tariff goes unnoticed", 27.3, TOMAS,
         "churn-predictor", (25.8, "In Progress", PRIYA),
         labels=("ai-risk",), assignee=PRIYA, due=due)  # fmt: skip
    tell("RSK", "Concern", "Reasons for a decline are not understandable", 18.4, PRIYA,
         "credit-scoring", (17.9, "In Progress", JONAS), (11.2, "Resolved", JONAS),
         labels=("ai-concern", "confidential"), assignee=JONAS)  # fmt: skip
    tell("RSK", "Concern", "Customer disputes an automated decline", 9.3, PRIYA,
         "credit-scoring", (8.8, "In Progress", TOMAS),
         labels=("ai-feedback",), assignee=TOMAS)  # fmt: skip
    tell("RSK", "Risk", "Corrective action: second person for threshold changes", 7.6, TOMAS, "",
         (6.9, "In Progress", JONAS), labels=("capa",), assignee=JONAS, due=due)  # fmt: skip


def later(folder: Path, now: datetime) -> None:
    """What happens next: churn v3 gets a change request, too late, and an incident is resolved.

    Does nothing the second time.
    """
    with Store(folder).change() as state:
        if any(issue["summary"] == "Deploy churn v3" for issue in state["issues"].values()):
            return
        key = raise_issue(
            state, "CHG", "Change", "Deploy churn v3", by=MIRA, at=now - timedelta(minutes=30),
            components=["churn-predictor"], labels=["model:churn:3"], assignee=MIRA,
            description=_adf("Raised after the fact; the deployment itself was not asked for."),
        )  # fmt: skip
        move(state, key, "In Review", by=MIRA, at=now - timedelta(minutes=25))
        incident = next(i["key"] for i in state["issues"].values() if i["status"] == "In Progress"
                        and i["project"] == "INC")  # fmt: skip
        edit(state, incident, by=PRIYA, at=now - timedelta(minutes=4), priority="Low")
        move(state, incident, "Resolved", by=PRIYA, at=now - timedelta(minutes=2))
