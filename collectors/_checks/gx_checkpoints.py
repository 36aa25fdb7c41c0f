"""Checkpoints run as part of a pull: what they should leave in the store, or why they did not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from collectors._checks.fields import count, loose, text
from collectors._checks.gx_results import RESULT
from collectors._checks.json_files import Origin
from collectors._text import clean
from collectors.base import system_of
from evidence.errors import InvalidItem
from evidence.model import EvidenceItem, Outcome
from evidence.times import parse, stamp

SCRIPT = Path(__file__).with_name("gx_run.py")


@dataclass(frozen=True, slots=True)
class Run:
    """One validation of a checkpoint: of which suite and table, when, and why it left no result.

    Without a suite it speaks of the whole checkpoint.
    """

    checkpoint: str
    definition: str = ""
    suite: str = ""
    asset: str = ""
    at: datetime | None = None
    why: str = ""

    @property
    def subject(self) -> str:
        """What its result would be called."""
        asked = "/".join(part for part in (self.suite, self.asset) if part)
        return asked or f"checkpoint {self.checkpoint}"

    def judged(self, found: set[tuple[str, str]]) -> Run:
        """With why it counts as failed, if it does: its result must be among those `found`."""
        if self.why or (self.at and (self.subject, stamp(self.at)) in found):
            return self
        return replace(self, why="ran, but left no result where results are read")

    def failed(self, origin: Origin, since: datetime) -> EvidenceItem:
        """That it left no result, as the latest word on its table."""
        payload = {
            "suite": self.suite, "asset": self.asset, "checkpoint": self.checkpoint,
            "definition": self.definition, "why": self.why,
        }  # fmt: skip
        return EvidenceItem(
            source=origin.source, kind=RESULT, subject=self.subject, observed_from=since,
            observed_to=max(since, origin.collected_at), collected_at=origin.collected_at,
            payload=payload,
            system=system_of(origin.systems, self.suite, self.asset, self.checkpoint),
            title=f"{clean(self.subject)}: {self.why}", outcome=Outcome.ERROR,
        )  # fmt: skip


def run(root: Path, names: Sequence[str], limit: timedelta) -> list[Run]:
    """Runs the checkpoints of the project at `root`; they end within `limit` or are ended."""
    seconds = max(1, int(limit.total_seconds()))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        command = [sys.executable, "-P", *map(str, (SCRIPT, root, seconds, report)), *names]
        child = subprocess.Popen(
            command, cwd=root.parent, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            child.wait(seconds)
            ended = "" if child.returncode == 0 else "its process was ended from outside or broke"
        except subprocess.TimeoutExpired:
            ended = f"it was ended after {seconds} seconds (`run_for`)"
        finally:
            _end(child)
        lines = report.read_bytes().splitlines() if report.exists() else []
    return _told(names, lines, ended)


def _end(child: subprocess.Popen[bytes]) -> None:
    """The whole session: a checkpoint may have started processes of its own."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def due(names: Sequence[str], ran: Mapping[str, str], every: timedelta, now: datetime) -> list[str]:
    """The checkpoints that did not run, or failed to, within `every`."""
    return [name for name in names if name not in ran or parse(ran[name]) + every <= now]


def _told(names: Sequence[str], lines: list[bytes], ended: str) -> list[Run]:
    """What the report says; whatever it does not say did not run."""
    runs: dict[tuple[str, str], Run] = {}
    whole: set[str] = set()
    why = ended or "its process said nothing of it"
    for told in _facts(lines):
        name, definition = text(told.get("checkpoint")), text(told.get("definition"))
        if "known" in told:
            known = clean(", ".join(map(str, told["known"]))) or "none"
            runs[name, ""] = Run(name, why=f"the project has no such checkpoint; it has {known}")
        elif "planned" in told:
            whole.add(name)
            if not count(told["planned"]):
                runs[name, ""] = Run(name, why="the checkpoint validates nothing")
        elif name:
            found = Run(name, definition, text(told.get("suite")), text(told.get("asset")), why=why)
            runs[name, definition] = replace(found, **_came(told))
        else:
            why = f"could not be run ({clean(text(told.get('raised')))})"
    for name in names:
        if name not in whole and (name, "") not in runs:
            runs[name, ""] = Run(name, why=why)
    return list(runs.values())


def _came(told: Mapping[str, Any]) -> dict[str, Any]:
    if "at" not in told:
        return {}
    raised = text(told.get("raised"))
    try:
        at = parse(text(told["at"]))
    except InvalidItem:
        return {}
    return {"at": at, "why": f"could not be run ({clean(raised)})" if raised else ""}


def _facts(lines: Iterable[bytes]) -> Iterable[Mapping[str, Any]]:
    for line in lines:
        try:
            yield loose(json.loads(line))
        except ValueError:
            # A process that was ended may leave half a line.
            return
