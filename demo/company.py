"""Brookside Lending: all its sources built in one folder, and what happens there next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from demo import cloud, cloud_store, jira_server, models, quality, registers
from evidence.times import parse, stamp

NAME = "Brookside Lending"
SYSTEMS = {
    "credit-*": "credit-scoring",
    "churn*": "churn-predictor",
    "triage*": "ticket-triage",
    "ticket-triage*": "ticket-triage",
}
NOWHERE = "http://127.0.0.1:9"
"""Port 9 of this machine, where nobody listens: the source that is down."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Company:
    """Where each source lies. `built_at` is the moment the company's past was written for."""

    folder: Path
    built_at: datetime
    models: models.DemoModels
    quality: Path
    cloud: cloud.DemoCloud
    registers: Path

    @property
    def config(self) -> Path:
        """Its headwater.toml."""
        return self.folder / "headwater.toml"

    @property
    def tickets(self) -> Path:
        """The folder of the Jira server's state."""
        return self.folder / "sources" / "jira"


def build(folder: Path, now: datetime, say: Say) -> Company:
    """The company in `folder`: what is not there yet is built as of `now`; the rest stays."""
    sources = folder / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    at = _begun(sources / "built.json", now)
    say("git repository with registers, policies and minutes")
    registry = registers.build(sources / "governance", at)
    say("Jira with change requests, approvals and incidents")
    jira_server.build(sources / "jira", at)
    say("CloudTrail log files with their digest chain")
    trail = cloud.build(sources / "cloudtrail", at)
    say("Great Expectations runs over the companies' tables")
    checks = quality.build(sources / "quality", at)
    say("MLflow store with trained models")
    store = models.build(sources / "mlflow", at)
    return Company(folder, at, store, checks, trail, registry)


def later(company: Company, store: cloud_store.CloudStore, now: datetime) -> bool:
    """The second act, once: an alias moves, a tag is edited, tickets and logs go on.

    False if it has happened before.
    """
    done = company.folder / "sources" / "later.json"
    if done.exists():
        return False
    models.later(company.models)
    jira_server.later(company.tickets, now)
    cloud.later(company.cloud, now)
    store.refresh()
    registers.later(company.registers, now)
    done.write_text(json.dumps({"at": stamp(now)}))
    return True


@contextmanager
def serving(company: Company) -> Iterator[cloud_store.CloudStore]:
    """Serve S3 and Jira on loopback, with a headwater.toml that points to them; gives the S3."""
    with cloud.serve(company.cloud.folder) as s3, jira_server.serve(company.tickets) as jira:
        _secrets(company.folder)
        company.config.write_text(_config(company, s3.endpoint_url, jira), encoding="utf-8")
        yield s3


def _begun(file: Path, now: datetime) -> datetime:
    """When the company was first built, so that building on goes on with the same past."""
    if not file.exists():
        file.write_text(json.dumps({"at": stamp(now)}))
    return parse(json.loads(file.read_text())["at"])


def _secrets(folder: Path) -> None:
    """The demo's own keys, which open nothing but its servers on this machine."""
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    for name, text in (
        ("jira-token", jira_server.READER_TOKEN), ("aws-access-key", "demo"),
        ("aws-secret-key", "demo-secret"),
    ):  # fmt: skip
        (secrets / name).write_text(text)
        (secrets / name).chmod(0o600)


def _config(company: Company, s3: str, jira: str) -> str:
    """TOML text; JSON strings are TOML strings too."""
    systems = ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in SYSTEMS.items())
    text = (Path(__file__).parent / "headwater.toml.in").read_text(encoding="utf-8")
    words = {
        "name": NAME, "systems": "{ " + systems + " }", "s3": s3, "jira": jira, "dead": NOWHERE,
        "tracking_uri": company.models.tracking_uri, "quality": str(company.quality),
        "registers": str(company.registers), "public_keys": str(company.cloud.public_keys),
        "bucket": company.cloud.bucket, "account": company.cloud.account,
        "region": company.cloud.region, "trail": company.cloud.trail,
        "reader": jira_server.READER,
    }  # fmt: skip
    for word, value in words.items():
        text = text.replace(f"@{word}@", value if word == "systems" else json.dumps(value))
    return text
