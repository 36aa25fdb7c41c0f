"""Lives of AI systems in a real MLflow, a real git repository, scans of Soda and a local Jira.

One of them is whole. Each of the others lacks one thing, by which it is called.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from collectors.check_results import CheckResults
from collectors.git_registers import GitRegisters
from collectors.jira import Jira
from collectors.mlflow_registry import MlflowRegistry
from collectors.mlflow_runs import MlflowRuns
from demo.jira_server import READER, READER_TOKEN, serve
from demo.jira_state import Store as Tickets
from demo.jira_state import blank, move, raise_issue, reindex
from demo.jira_story import JONAS, MIRA, PROJECTS, TOMAS, USERS
from evidence.secret import Secret
from tests.collectors.mlflow_stores import Store
from tests.flows.test_docs_registers import commit

DAY = timedelta(days=1)
SOUND = "sound"
SODA = Path(__file__).parents[1] / "collectors" / "payloads" / "soda"
TRAINED = (
    SOUND, "no-data", "no-evaluation", "old-evaluation", "no-check", "failed-check", "old-check",
    "no-monitoring", "old-monitoring", "unapproved", "approved-late", "approved-by-author",
    "self-approved-change", "nameless-change", "old-impact", "no-training",
)  # fmt: skip
"""With a version in service."""
GOVERNED = (
    "no-requirement", "no-risk", "no-impact", "no-owner", "no-treatment", "not-accepted",
    "accepted-by-owner", "accepted-until", "residual", "overdue", "dangling", "bought",
)  # fmt: skip
SYSTEMS = {name: name for name in (*TRAINED, *GOVERNED, "released")}


def day(ago: int) -> str:
    """So many days before today."""
    return (datetime.now(UTC).date() - timedelta(days=ago)).isoformat()


@dataclass
class Lives:
    """The sources, and their collectors."""

    folder: Path
    url: str = ""
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        for name in ("mlflow", "checks", "jira"):
            (self.folder / name).mkdir(parents=True)
        self.store = Store(self.folder / "mlflow")
        for system in TRAINED:
            self._train(system)
            self._check(system)
        for model in ("shadow", "released"):
            self.store.version(model, self.store.run(model))
        commit(self.folder / "governance", {**_registers(), **_documents()})

    def collectors(self) -> Iterator[Any]:
        """One of each source."""
        yield GitRegisters("registers", self.folder / "governance", systems={})
        yield MlflowRuns("runs", self.store.uri, systems=SYSTEMS)
        yield MlflowRegistry("registry", self.store.uri, systems=SYSTEMS)
        yield CheckResults("checks", self.folder / "checks", SYSTEMS)
        yield Jira(
            source="jira", url=self.url, email=READER, token=Secret(READER_TOKEN),
            projects=tuple(PROJECTS), systems=SYSTEMS, attempts=1, change_types=("Change",),
        )  # fmt: skip

    def approve(self) -> None:
        """What had not been approved when it was collected first."""
        self.store.client.set_model_version_tag("approved-late", "1", "approved_by", "jonas.frey")

    def _train(self, system: str) -> None:
        user = "Mira Osei" if system == "approved-by-author" else "mira.osei"
        data = "" if system == "no-data" else f"{system}-data"
        run = self.store.run(system, ago=2 * DAY, dataset=data, user=user)
        tags = {} if system == "approved-late" else {"approved_by": "jonas.frey"}
        if system == "unapproved":
            tags["approved_by"] = user
        self.store.version(system, "" if system == "no-training" else run, **tags)
        self.store.client.set_registered_model_alias(system, "champion", "1")
        if system != "no-evaluation":
            ago = 3 * DAY if system == "old-evaluation" else timedelta(0)
            self.store.run(system, ago=ago, tags={"headwater.evaluation": "true"}, name="by group")

    def _check(self, system: str) -> None:
        if system == "no-check":
            return
        scan = (SODA / f"{'bad' if system == 'failed-check' else 'good'}.json").read_text()
        told = json.loads(scan.replace("loans", system))
        at = datetime.now(UTC) - (5 * DAY if system == "old-check" else DAY)
        for name in ("dataTimestamp", "scanStartTimestamp", "scanEndTimestamp"):
            told[name] = at.isoformat(timespec="seconds")
        (self.folder / "checks" / f"{system}.json").write_text(json.dumps(told))


@contextmanager
def lives(folder: Path) -> Iterator[Lives]:
    """All of it, with Jira listening."""
    made = Lives(folder)
    state = blank(USERS, PROJECTS)
    now = datetime.now(UTC)

    def change(system: str, by: str, approver: str, *labels: str) -> None:
        key = raise_issue(state, "CHG", "Change", f"Change of {system}", by=by, at=now - 3 * DAY,
                          components=[system], labels=list(labels))  # fmt: skip
        move(state, key, "Approved", by=approver, at=now - 2 * DAY)

    change("approved-by-author", TOMAS, MIRA, "model:approved-by-author:1")
    change("self-approved-change", MIRA, MIRA, "model:self-approved-change:1")
    change("nameless-change", MIRA, JONAS, "significant-change")
    change("old-impact", MIRA, JONAS, "significant-change", "model:old-impact:1")
    change(SOUND, MIRA, JONAS, "significant-change", f"model:{SOUND}:1", "incident:INC-1")
    reindex(state)
    Tickets(folder / "jira").create(state)
    with serve(folder / "jira") as made.url:
        yield made


Row = dict[str, Any]


def _registers() -> dict[str, str]:
    owner = "Ben Lindqvist"
    every = [*TRAINED, *GOVERNED]
    risks: list[Row] = [_risk(system, owner) for system in every if system != "no-risk"]
    risks.append(_risk("ghost", owner))
    treated = [row["id"] for row in risks if row["id"] != "R-no-treatment"]
    tables: Mapping[str, list[Row]] = {
        "ai_systems": [_system(system, owner) for system in every],
        "risks": risks,
        "treatment_plan": [
            {"id": f"T-{risk}", "system": risk.removeprefix("R-"), "owner": owner,
             "risk": "R-99" if risk == "R-dangling" else risk,
             "due": day(9), "status": "open" if risk == "R-overdue" else "done"}
            for risk in treated
        ],
        "impact_assessments": [
            {"id": f"IA-{system}", "system": system, "title": system,
             "reviewed": day(30 if system == "old-impact" else 0)}
            for system in every if system != "no-impact"
        ],
        "obligations": [
            {"id": "OB-1", "title": "Explain", "systems": [s for s in every
                                                          if s != "no-requirement"]},
            {"id": "OB-2", "title": "Nobody's"},
        ],
        "suppliers": [{"id": "S-1", "name": "Sortwell", "model_changed": day(5),
                       "models": [{"name": "sort-text", "last_seen": "7"}]}],
        "incidents": [
            {"id": "INC-1", "system": SOUND, "severity": "major", "became_aware": day(20)},
            {"id": "INC-2", "system": SOUND, "severity": "minor", "became_aware": day(20)},
            {"id": "INC-3", "system": "bought", "severity": "major", "became_aware": day(20)},
        ],
    }  # fmt: skip
    return {
        f"registers/{name}.yaml": json.dumps(
            {"register": name, "owner": owner, "reviewed": day(0), "records": rows}
        )
        for name, rows in tables.items()
    }


def _system(system: str, owner: str) -> Row:
    row: Row = {"id": system, "name": system, "stage": "operation", "owner": owner}
    if system == "no-owner":
        del row["owner"]
    if system in TRAINED:
        row["model"] = system
    return row | ({"model": "sort-text"} if system == "bought" else {})


def _risk(system: str, owner: str) -> Row:
    row: Row = {"id": f"R-{system}", "title": system, "system": system, "treatment": "reduce",
                "owner": owner, "residual": "low", "accepted_residual": "low",
                "accepted_by": "Ann Okafor", "accepted_until": day(-90)}  # fmt: skip
    told = {
        "not-accepted": {"accepted_by": ""}, "accepted-by-owner": {"accepted_by": owner},
        "accepted-until": {"accepted_until": day(2)}, "residual": {"residual": "high"},
        "dangling": {"treatment": "accept"},
    }  # fmt: skip
    return row | told.get(system, {})


def _documents() -> dict[str, str]:
    return {
        f"documents/{system}.md": (
            f"---\ntitle: Figures of {system}\ndoc_type: metrics_report\nowner: Ben Lindqvist\n"
            f"approver: Ann Okafor\nversion: '1'\nsystem: {system}\n"
            f"reviewed: {day(40 if system == 'old-monitoring' else 0)}\n---\nRead.\n"
        )
        for system in TRAINED if system != "no-monitoring"
    }  # fmt: skip
