"""A company: for each 5,000 items an AI system with a hundred records of registers and ten versions
of its model, and beside them what sources of many kinds say.

Usage: python -m benchmarks.company [ITEMS] (default 100,000; of a million: 200 systems, 2,000
versions, 20,000 records). Lands, tags, seals and maintains them as a collector's runs do, and
prints the configuration: the company is kept for all measurements, delete it to build it anew.
Some of what registers say does not fit, and some lives of systems are broken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.measure import SOURCE, now
from benchmarks.mixed import mixed
from benchmarks.records import SPAN, START, moment
from benchmarks.tagging import kept
from evidence.model import Batch, Cursor, EvidenceItem, Nature, Outcome
from evidence.runs import PullFacts
from flows.config import Source, load
from flows.follow import follow
from flows.pull import attempt
from flows.setup import initialise
from flows.upkeep import keep_lean
from mappings.in_force import mapping_in_force
from storage.lake import Lake

BATCH, PER_SYSTEM, VERSIONS = 20_000, 5_000, 10
PEOPLE = 40
MANY = {
    "risks": 30, "treatment_plan": 30, "obligations": 10, "incidents": 8, "changes": VERSIONS,
    "corrective_actions": 8, "objectives": 1, "impact_assessments": 1, "ai_systems": 1,
}  # fmt: skip
"""How many records each register has for one system."""
TOLD = ("git.", "human.", "mlflow.registered_model", "mlflow.model_", "mlflow.approval")
"""Kinds whose items the company tells by itself."""


@dataclass(frozen=True, slots=True)
class Company:
    """A source that has all of it: registers and models first, then everything else."""

    source: str
    clock: Callable[[], datetime]
    items: int

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Everything, in batches of 20,000; nothing the second time."""
        every = iter(()) if cursor else told(self.items)
        while batch := tuple(islice(every, BATCH)):
            yield Batch(batch, Cursor(batch[-1].item_id), PullFacts(1, len(batch)))


def told(items: int) -> Iterator[EvidenceItem]:
    """So many items, the same for everybody who asks."""
    systems = max(1, items // PER_SYSTEM)
    done = 0
    for one in (*_registers(systems), *_models(systems)):
        yield one
        done += 1
    number = 0
    while done < items:
        one = mixed(number, moment(number, 0, items))
        number += 1
        if not one.kind.startswith(TOLD):
            own = {"run_id": f"run-{number}", "key": f"AI-{number}", "number": f"CHG{number}"}
            yield replace(one, payload=one.payload | own)
            done += 1


def _registers(systems: int) -> Iterator[EvidenceItem]:
    for register, many in MANY.items():
        yield _git(register, "", {"level": "register", "owner": "person-1", "records": many})
        for n in range(systems * many):
            yield _git(register, _key(register, n), _fields(register, n, n // many))
    people = ({"person": f"person-{n}", "left": "2026-01-31" if n % 17 == 5 else None}
              for n in range(PEOPLE))  # fmt: skip
    yield from (_git("roles", f"ROLE-{n}", fields) for n, fields in enumerate(people))
    for control in mapping_in_force().catalogue.controls:
        applies = control.number not in {"A.10.4", "A.8.4"}
        yield _git("soa", control.number, {"applicable": applies, "reason": "by the risks"})
    for n in range(systems // 4):
        yield _git("suppliers", f"SUP-{n}", {
            "systems": [_system(n)], "owner": "person-2", "next_review": "2027-01-31",
            "models": [{"name": f"bought-{n}", "last_seen": "1"}],
        })  # fmt: skip


def _key(register: str, n: int) -> str:
    return _system(n) if register == "ai_systems" else f"{register[:2].upper()}-{n}"


def _system(n: int) -> str:
    return f"system-{n}"


def _fields(register: str, n: int, system: int) -> dict[str, Any]:
    """What a record says; of some hundred one is wrong."""
    person, wrong = f"person-{n % PEOPLE}", n % 97 == 13
    common = {"system": _system(system), "owner": person, "title": f"{register} {n}"}
    day = f"2026-{1 + n % 12:02}-{1 + n % 28:02}"
    say: Mapping[str, Mapping[str, Any]] = {
        "ai_systems": {"stage": "production", "model": f"model-{n}", "system": None},
        "risks": {"treatment": "reduce", "accepted_by": person if wrong else "person-3",
                  "accepted": "2026-02-01", "accepted_until": "2027-02-01",
                  "obligations": [f"OB-{n // 3}"]},
        "treatment_plan": {"risk": f"RI-{n}", "due": day, "status": "open" if wrong else "done"},
        "obligations": {"systems": [_system(system if not wrong else 9_999)], "due": day,
                        "done": day},
        "incidents": {"severity": ("minor", "major")[n % 2], "became_aware": f"{day}T09:00:00Z",
                      "corrective_actions": [f"CO-{n if not wrong else 999_999}"]},
        "changes": {"versions": [f"model-{system}/{n % VERSIONS}"], "approved_by": "person-4",
                    "requested_by": person, "incidents": [f"IN-{n % (8 * (system + 1))}"]},
        "corrective_actions": {"incident": f"IN-{n}", "due": day, "done": None if wrong else day},
        "objectives": {"measure": "errors", "target": "" if wrong else "1 %"},
        "impact_assessments": {"assessor": "person-6", "next_review": "2027-03-01"},
    }  # fmt: skip
    return {k: v for k, v in (common | dict(say[register])).items() if v is not None}


def _git(register: str, key: str, fields: Mapping[str, Any]) -> EvidenceItem:
    at = START + SPAN / 2
    name = f"register/{register}/{key}" if key else f"register/{register}"
    payload = {
        "register": register, "level": "record", "id": key or None, "author": "person-7",
        "committed_at": at.isoformat(), "file": f"registers/{register}.yaml", **fields,
    }  # fmt: skip
    return _item("git.register", name, at, payload, str(fields.get("system", "")))


def _models(systems: int) -> Iterator[EvidenceItem]:
    for n in range(systems):
        name, system = f"model-{n}", _system(n)
        at = START + timedelta(days=n % 30)
        yield _item("mlflow.registered_model", name, at, {"name": name}, system, Nature.STATE)
        for number in range(VERSIONS):
            yield from _version(name, number, system, at + timedelta(days=60 * number))
        alias = {"model": name, "alias": "champion", "version": "9", "production": True}
        live = at + timedelta(days=60 * VERSIONS)
        yield _item("mlflow.model_alias", f"{name}@champion", live, alias, system, Nature.STATE)
        if n % 4 == 0:
            bought = {"model": f"bought-{n // 4}", "version": str(n % 3)}
            yield _item("aws.bedrock.invocations", f"bought-{n}", live, bought, system)


def _version(name: str, n: int, system: str, at: datetime) -> Iterator[EvidenceItem]:
    version, run = {"name": name, "version": str(n)}, f"run-of-{name}-{n}"
    own = version | {
        "run_id": run, "created": at.isoformat(), "user_id": "person-8",
        "tags": {"change_ticket": f"CH-{name.partition('-')[2]}{n}"},
    }  # fmt: skip
    finished = {"status": "FINISHED", "lifecycle_stage": "active", "run_id": run}
    checked = finished | {
        "run_id": f"check-{run}", "run_type": "evaluation", "metrics": {"auc": 0.8},
        "params": {"model": name, "version": str(n)},
    }  # fmt: skip
    yield _item("mlflow.run", run, at - timedelta(days=2), finished, system)
    data = {"name": "applications", "digest": f"d{n}", "run_id": run, "context": "training"}
    yield _item("mlflow.dataset", f"{run}/d", at - timedelta(days=2), data, system)
    yield _item("mlflow.model_version", f"{name}/{n}", at, own, system, Nature.STATE)
    yield _item("mlflow.run", f"check-{run}", at + timedelta(days=1), checked, system)
    if n % 7 != 3:
        said = {"model": name, "version": str(n), "approved_by": "person-9"}
        yield _item("mlflow.approval", f"{name}/{n}", at + timedelta(days=2), said, system)


def _item(
    kind: str, subject: str, at: datetime, payload: Mapping[str, Any], system: str,
    nature: Nature = Nature.EVENT,
) -> EvidenceItem:  # fmt: skip
    return EvidenceItem(
        source=SOURCE, kind=kind, subject=subject, system=system, observed_from=at,
        observed_to=at, collected_at=now(), title=subject, nature=nature, payload=payload,
        outcome=Outcome.RECORDED, actor="person-8", locator="https://source.example.com/company",
    )  # fmt: skip


def company_of(items: int) -> Path:
    """The configuration of the kept company of so many items, made if there is none."""
    return kept("company", build, items) / "headwater.toml"


def build(home: Path, items: int) -> None:
    """So many items landed in one pull, tagged, sealed, maintained."""
    list(initialise(home, "Bench"))
    config = load(home / "headwater.toml")
    lake = Lake.open(config.lake, clock=now)
    attempt(lake, Source(SOURCE, "benchmarks.company:Company", "", {"items": items}), now)
    follow(lake, config)
    keep_lean(config)
    follow(lake, config)
    if (held := lake.table("evidence").rows) < items:
        raise SystemExit(f"{held} rows landed, not {items}")


if __name__ == "__main__":
    print(company_of(int(sys.argv[1].replace(",", "")) if len(sys.argv) > 1 else 100_000))
