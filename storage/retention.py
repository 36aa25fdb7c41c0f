"""How long items are kept, what holds them longer, and which of them are due to go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import duckdb

from evidence.canonical import digest
from evidence.errors import LakeError
from evidence.own import OWN_SOURCE
from evidence.runs import PULL_KIND
from evidence.times import stamp
from storage.engine import Connection, literal
from storage.holds import Hold, check_words, globs, holds_in_force, selects
from storage.living import bound, living


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """Items of `kinds` (globs) are kept for `keep`, then they may be disposed of.

    Counted from the later of when they were observed and when they landed. `basis` says by which
    law or rule a time below a known floor is right. No class: kept for ever. Raises ValueError.
    """

    name: str
    kinds: tuple[str, ...]
    keep: timedelta
    reason: str
    basis: str = ""

    def __post_init__(self) -> None:
        check_words(self.name, self.reason)
        if not self.kinds:
            raise ValueError("kinds is empty: name the kinds of items, such as jira.*")
        if self.keep < timedelta(days=1):
            raise ValueError("keep must be at least P1D: what lands today stays today")
        own = [glob for glob in self.kinds if glob.startswith(OWN_SOURCE) and glob != PULL_KIND]
        if own:
            raise ValueError(
                f"kinds: {', '.join(own)} are Headwater's own records; of these only {PULL_KIND} "
                "may have a class"
            )


@dataclass(frozen=True, slots=True)
class Due:
    """One item that is due: its leaf's place and its content's digest stay when it goes."""

    item_id: str
    leaf_index: int
    content_sha256: str
    month: str


@dataclass(frozen=True, slots=True)
class Planned:
    """One class of the plan: what is due, and what of it stays and why.

    `held` counts by hold; `living` are those that today's views and judgement rest on;
    `unsealed` are not sealed yet. `oldest` and `newest` are observed times of the due.
    """

    retention: RetentionClass
    due: tuple[Due, ...] = field(repr=False)
    held: Mapping[str, int]
    living: int
    unsealed: int
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is due at `at`, class by class, beside the holds in force: act (item id) → hold."""

    at: datetime
    classes: tuple[Planned, ...]
    holds: Mapping[str, Hold]

    @property
    def ids(self) -> frozenset[str]:
        """The items that are due."""
        return frozenset(due.item_id for planned in self.classes for due in planned.due)

    @property
    def digest(self) -> str:
        """SHA-256 over which items go under which class: what somebody looked at and confirms."""
        return digest({p.retention.name: sorted(d.item_id for d in p.due) for p in self.classes})

    def only(self, ids: frozenset[str]) -> Plan:
        """Of this plan what is in `ids`."""
        return replace(self, classes=tuple(
            replace(planned, due=tuple(due for due in planned.due if due.item_id in ids))
            for planned in self.classes
        ))  # fmt: skip


def plan(
    connection: Connection,
    classes: Sequence[RetentionClass],
    *,
    now: datetime,
    sealed: int,
    needed: frozenset[str] = frozenset(),
) -> Plan:
    """What is due at `now` in the views of `connection`; `sealed` is the last checkpoint's size.

    Where several classes name a kind, the longest time counts. `needed` are items on which the
    judgement of today rests: they stay. Raises LakeError when an act of hold, or a file of the
    lake, cannot be read.
    """
    longest = sorted(classes, key=lambda kept: -kept.keep)
    holds = holds_in_force(connection, now=now)
    connection.register("living", living(connection, needed, now))
    try:
        planned = tuple(
            _planned(connection, kept, longest[:place], list(holds.values()), now, sealed)
            for place, kept in enumerate(longest)
        )
    except duckdb.Error as error:
        told = f"the lake cannot be read, so nothing is due: {error}"
        raise LakeError(f"{told}; run `headwater verify`") from error
    finally:
        connection.unregister("living")
    return Plan(now, planned, holds)


def _planned(
    connection: Connection, kept: RetentionClass, longer: Sequence[RetentionClass],
    holds: Sequence[Hold], now: datetime, sealed: int,
) -> Planned:  # fmt: skip
    held = [f"WHEN {selects(hold)} THEN {literal(hold.name)}" for hold in holds]
    elsewhere = " OR ".join(globs("kind", other.kinds) for other in longer) or "false"
    # A pull's record is named by its own kind only: a glob such as * means what it tells of.
    own = f"kind = '{PULL_KIND}'" if PULL_KIND in kept.kinds else "false"
    sql = f"""
        SELECT e.item_id, e.month, e.observed_to, e.content_sha256, l.leaf_index,
            {"CASE " + " ".join(held) + " ELSE '' END" if held else "''"} AS held,
            e.item_id IN (FROM living) AS alive
        FROM evidence e LEFT JOIN leaves l ON e.item_id = l.item_id AND l.leaf_index < {sealed}
        WHERE {globs("kind", kept.kinds)} AND NOT ({elsewhere})
            AND (kind NOT LIKE '{OWN_SOURCE}.%' OR {own})
            AND greatest(observed_to, landed_at) <= TIMESTAMPTZ {literal(stamp(now - kept.keep))}
        ORDER BY l.leaf_index"""  # noqa: S608  names are checked, texts are literals
    rows = connection.execute(sql).to_arrow_table().to_pylist()
    counts: dict[str, int] = {}
    for row in rows:
        if row["held"]:
            counts[row["held"]] = counts.get(row["held"], 0) + 1
    free = [row for row in rows if not row["held"]]
    loose = [row for row in free if not row["alive"] and row["leaf_index"] is not None]
    stay = bound(connection, [row["item_id"] for row in loose])
    go = [row for row in loose if row["item_id"] not in stay]
    times = [row["observed_to"] for row in go]
    still = sum(row["alive"] for row in free) + len(stay)
    return Planned(
        kept,
        tuple(
            Due(row["item_id"], row["leaf_index"], row["content_sha256"], row["month"])
            for row in go
        ),
        counts, still, len(free) - still - len(go),
        min(times, default=None), max(times, default=None),
    )  # fmt: skip
