"""What an organisation changes about what the catalogue expects, and how that is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from evidence.deadline import Clock
from evidence.duration import Duration, Span, span, told_span
from evidence.times import parse, stamp
from evidence.workdays import Workdays
from mappings.deadlines import CronDeadline


@dataclass(frozen=True, slots=True)
class Override:
    """What an organisation changes about one expectation, and why (`reason` is shown).

    `control` `*` stands for every control that asks for this evidence. With `system` or
    `risk_class` it changes what is asked of that AI system, or of all of that class, only. A
    `deadline` takes the place of the age limit; with a `max_age` beside it, what ends first counts.
    """

    control: str
    evidence: str
    reason: str
    applies: bool = True
    max_age: Span | None = None
    deadline: CronDeadline | None = None
    warn_before: timedelta | None = None
    system: str = ""
    risk_class: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it changes; no two overrides may change the same."""
        return self.control, self.evidence, self.system, self.risk_class

    @property
    def told(self) -> str:
        """For people: what it changes, for whom and why."""
        parts = [] if self.applies else ["not asked"]
        parts += [f"age limit {self.max_age}"] if self.max_age is not None else []
        parts += [f"deadline {self.deadline}"] if self.deadline is not None else []
        parts += [f"warning {self.warn_before} before"] if self.warn_before else []
        whom = f" of {self.system}" if self.system else ""
        whom = f" of systems of risk class {self.risk_class}" if self.risk_class else whom
        return f"{', '.join(parts)}{whom}, because {self.reason}"

    def written(self) -> dict[str, Any]:
        """As JSON-like values. What came after the first form is there only where it is given, so
        that digests of older mappings stay what they were."""
        age = self.max_age
        made: dict[str, Any] = {
            "control": self.control, "evidence": self.evidence, "reason": self.reason,
            "applies": self.applies,
            "max_age_seconds": age.total_seconds() if isinstance(age, timedelta) else None,
        }  # fmt: skip
        later = {
            "max_age": str(age) if isinstance(age, Duration) else "",
            "deadline": _written(self.deadline) if self.deadline else {},
            "warn_before": told_span(self.warn_before) if self.warn_before is not None else "",
            "system": self.system, "risk_class": self.risk_class,
        }  # fmt: skip
        return made | {name: value for name, value in later.items() if value}


def read_override(written: Mapping[str, Any]) -> Override:
    """What `written` tells. Raises KeyError, TypeError, ValueError."""
    age, seconds = written.get("max_age", ""), written["max_age_seconds"]
    fixed = None if seconds is None else timedelta(seconds=seconds)
    warn = span(written["warn_before"]) if "warn_before" in written else None
    if isinstance(warn, Duration):
        raise ValueError("warn_before is written in days")
    return Override(
        written["control"], written["evidence"], written["reason"], written["applies"],
        span(age) if age else fixed,
        _deadline(written["deadline"]) if "deadline" in written else None,
        warn, written.get("system", ""), written.get("risk_class", ""),
    )  # fmt: skip


def _written(deadline: CronDeadline) -> dict[str, Any]:
    """With every day off: the holidays that another version of their library knows are others."""
    days = deadline.workdays
    return {
        "cron": deadline.cron, "zone": deadline.zone, "grace": told_span(deadline.grace),
        "since": stamp(deadline.since) if deadline.since else None, "clock": deadline.clock.value,
        "weekend": sorted(days.weekend), "off": sorted(day.isoformat() for day in days.off),
        "worked": sorted(day.isoformat() for day in days.worked),
    }  # fmt: skip


def _deadline(written: Mapping[str, Any]) -> CronDeadline:
    off, worked = (frozenset(map(date.fromisoformat, written[name])) for name in ("off", "worked"))
    since = written["since"]
    return CronDeadline(
        written["cron"], written["zone"], Workdays(frozenset(written["weekend"]), off, worked),
        span(written["grace"]), parse(since) if since else None, Clock(written["clock"]),
    )  # fmt: skip
