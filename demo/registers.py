"""The git repository in which Brookside Lending keeps its registers and documents."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

ANN, BEN = "Ann Okafor", "Ben Lindqvist"
_MAIL = "brookside.example"
_DONE = "demo-built"
_DAYS = re.compile(r"@(-?\d+)")


@dataclass(frozen=True)
class _Register:
    """A register as it stood `days` ago; `@n` in its records means n days ago."""

    name: str
    days: int
    owner: str
    note: str
    records: list[dict[str, Any]]

    @property
    def label(self) -> str:
        return f"{self.name} {self.note}"


@dataclass(frozen=True)
class _Document:
    """A document as approved `days` ago."""

    doc_type: str
    title: str
    days: int
    owner: str
    text: str
    system: str = ""
    version: str = "1.0"
    name: str = ""
    controls: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        stem = self.name or self.doc_type.replace("_", "-")
        return f"documents/{self.system or 'aims'}/{stem}.md"

    @property
    def label(self) -> str:
        return f"{self.title} {self.version}"


def build(folder: Path, now: datetime) -> Path:
    """The repository in `folder`, its commits dated by the story; builds it unless it is there.

    Needs git on the PATH. Raises subprocess.CalledProcessError where git refuses.
    """
    if (folder / ".git" / _DONE).exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    registers, documents = _story()
    for days in sorted({part.days for part in registers + documents}, reverse=True):
        _commit_day(
            folder,
            now - timedelta(days=days),
            [register for register in registers if register.days == days],
            [document for document in documents if document.days == days],
        )
    (folder / ".git" / _DONE).write_text("built whole\n", encoding="utf-8")
    return folder


def later(folder: Path, now: datetime) -> str:
    """One more commit: risk R-02 looked at again, the register reviewed. Returns its id."""
    path = folder / "registers" / "risk_register.yaml"
    register = yaml.safe_load(path.read_text(encoding="utf-8"))
    risk = next(record for record in register["records"] if record["id"] == "R-02")
    risk["residual"], risk["accepted_by"] = "low", ANN
    risk["revision"] = risk.get("revision", 1) + 1
    register["reviewed"] = now.date().isoformat()
    _write(path, _yaml(register))
    return _commit(folder, BEN, now, "Risk register: R-02 accepted after the alarm went live")


def _story() -> tuple[list[_Register], list[_Document]]:
    text = Path(__file__).with_name("registers_story.yaml").read_text(encoding="utf-8")
    story = yaml.safe_load(text)
    return [_Register(**r) for r in story["registers"]], [
        _Document(**d) for d in story["documents"]
    ]


def _commit_day(
    folder: Path, then: datetime, registers: list[_Register], documents: list[_Document]
) -> None:
    for register in registers:
        now = then + timedelta(days=register.days)
        if register.name == "access_review":
            _write(folder / "registers" / "access_review.csv", _table(register, now))
        else:
            text = _yaml(_mapping(register, now))
            _write(folder / "registers" / f"{register.name}.yaml", text)
    for document in documents:
        _write(folder / document.path, _markdown(document, then + timedelta(days=document.days)))
    labels = [r.label for r in registers] + [d.label for d in documents]
    owner = registers[0].owner if registers else documents[0].owner
    _commit(folder, owner, then, "; ".join(labels))


def _mapping(register: _Register, now: datetime) -> dict[str, Any]:
    return {
        "register": register.name,
        "owner": register.owner,
        "reviewed": _day(now, register.days),
        "approved_by": ANN,
        "records": [_dated(record, now) for record in register.records],
    }


def _table(register: _Register, now: datetime) -> str:
    out = io.StringIO(newline="")
    out.write(f"# owner: {register.owner}\n# reviewed: {_day(now, register.days)}\n")
    writer = csv.DictWriter(out, list(register.records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_dated(record, now) for record in register.records)
    return out.getvalue()


def _markdown(document: _Document, now: datetime) -> str:
    front: dict[str, Any] = {
        "title": document.title,
        "doc_type": document.doc_type,
        "owner": document.owner,
        "approver": ANN if document.owner != ANN else "The board",
        "version": document.version,
        "reviewed": _day(now, document.days),
        "next_review": _day(now, document.days - 365),
    }
    if document.system:
        front["system"] = document.system
    if document.controls:
        front["controls"] = document.controls
    return f"---\n{_yaml(front)}---\n# {document.title}\n\n{document.text}\n"


def _dated(record: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {key: _told(value, now) for key, value in record.items()}


def _told(value: Any, now: datetime) -> Any:
    if isinstance(value, list):
        return [_told(one, now) for one in value]
    if isinstance(value, dict):
        return _dated(value, now)
    found = _DAYS.fullmatch(value) if isinstance(value, str) else None
    return _day(now, int(found[1])) if found else value


def _day(now: datetime, days: int) -> str:
    return (now - timedelta(days=days)).date().isoformat()


def _yaml(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=100)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _commit(folder: Path, person: str, at: datetime, message: str) -> str:
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--no-verify", "-m", message, person=person, at=at)
    return _git(folder, "rev-parse", "HEAD").strip()


def _git(folder: Path, *words: str, person: str = ANN, at: datetime | None = None) -> str:
    mail = f"{person.lower().replace(' ', '.')}@{_MAIL}"
    env = {"PATH": os.environ.get("PATH", os.defpath), "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}  # fmt: skip
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": person, f"GIT_{role}_EMAIL": mail}
        if at is not None:
            env[f"GIT_{role}_DATE"] = at.isoformat()
    command: Sequence[str] = ("git", "-C", str(folder), "-c", "core.autocrlf=false", *words)
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    return done.stdout
