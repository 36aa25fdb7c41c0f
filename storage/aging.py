"""How old evidence may be, as it is asked about: each age limit a numbered row of a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from evidence.duration import Duration, Span, shortest
from storage.cuts import Cuts
from storage.engine import Connection
from storage.seen import ask_seen

ASKED = """asked AS (
    SELECT *, to_months(months) + to_days(days) + to_microseconds(rest) AS age,
        to_microseconds(lead) AS lead_time
    FROM (SELECT unnest($asked::STRUCT(number INT, control VARCHAR, evidence VARCHAR, months INT,
        days INT, rest BIGINT, width BIGINT, lead BIGINT, stale_on VARCHAR[], everywhere BOOLEAN,
        cuts INT)[], recursive := true))
)"""


def islands(spans: str, key: str) -> str:
    """The rest of a question: the stretches of each key, joined where they meet."""
    return f"""joined AS (
    SELECT *, coalesce(starts > max(ends) OVER (PARTITION BY {key} ORDER BY starts, ends
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS opens
    FROM {spans} WHERE ends > starts
), numbered AS (
    SELECT *, sum(opens::INT) OVER (PARTITION BY {key} ORDER BY starts, ends
        ROWS UNBOUNDED PRECEDING) AS island FROM joined
)
SELECT {key}, min(starts) AS starts, max(ends) AS ends FROM numbered
GROUP BY {key}, island ORDER BY ALL"""  # noqa: S608  ours


@dataclass(frozen=True, slots=True)
class Aging:
    """How old evidence of a kind may be, for a control: what events overtake it, unless they came
    `lead` after it at most, and whether those of all AI systems do (`everywhere`) or its own."""

    control: str
    evidence: str
    max_age: Span
    stale_on: tuple[str, ...] = ()
    lead: timedelta = timedelta(0)
    everywhere: bool = False

    def row(self, number: int) -> dict[str, object]:
        """As the engine takes it; times in microseconds."""
        age = self.max_age
        rest = age.rest if isinstance(age, Duration) else age
        return {
            "number": number, "control": self.control, "evidence": self.evidence,
            "months": age.months if isinstance(age, Duration) else 0, "days": rest.days,
            "rest": _micros(rest - timedelta(days=rest.days)),
            "width": _micros(shortest(age)), "lead": _micros(self.lead),
            "stale_on": list(self.stale_on), "everywhere": self.everywhere,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asking:
    """Questions about some ages, each by its number."""

    connection: Connection
    now: datetime
    ages: Sequence[Aging]
    cuts: Cuts

    def rows(self, sql: str, **more: Any) -> list[tuple[Any, ...]]:
        """What is answered, times in UTC."""
        asked = [one.row(n) | {"cuts": self.cuts.number(one)} for n, one in enumerate(self.ages)]
        values = {"asked": asked, **more}
        rows = ask_seen(
            self.connection, sql.replace("{cuts}", self.cuts.table), self.now, values
        ).fetchall()
        return [tuple(_utc(value) for value in row) for row in rows]


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
