"""Drafts that wait for somebody's decision: since when, and who is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboards.model import Attention, cause_of_draft
from evidence.people import folded
from evidence.requests import REGISTERS as REQUESTS
from flows.judgement import INVENTORIES
from flows.statements import number_of
from storage.drafts import open_drafts
from storage.pages import Connection, records

_SOA = ("soa", "statement_of_applicability")
_DECIDE = (
    "Read it and what it rests on: headwater draft show {id}, then accept or reject it by --by "
    "NAME --why TEXT."
)
_OUTDATED = "Reject it, and draft anew: headwater draft reject {id} --by NAME --why TEXT."
SHOWN = 20


@dataclass(frozen=True, slots=True)
class WaitingDraft:
    """A draft that nobody decided. `asked` are, by the registers, the owner of the request that it
    answers, else those of its AI systems, else those of its controls; nobody: it was drafted by the
    account `account`."""

    draft: str
    about: str
    since: datetime
    outdated: bool
    asked: tuple[str, ...]
    account: str
    controls: tuple[str, ...]
    system: str

    def days(self, at: datetime) -> int:
        """Since how many whole days it waits."""
        return max((at - self.since).days, 0)

    def told(self, at: datetime) -> str:
        """For people: since when, for whom."""
        days = self.days(at)
        since = f"since {self.since:%Y-%m-%d} ({days} day{'' if days == 1 else 's'})"
        nobody = f"nobody by name: {self.account or 'an account not known'} had it drafted"
        return f"{since} for {' or '.join(self.asked) or nobody}"


def waiting(connection: Connection) -> list[WaitingDraft]:
    """Every open draft, the oldest first. Raises LakeError."""
    rows = open_drafts(connection)
    if not rows:
        return []
    owners = {
        "request": _owners(records(connection, *REQUESTS)),
        "systems": _owners(records(connection, *INVENTORIES)),
        "controls": _owners(records(connection, *_SOA)),
    }
    return [_waiting(row, owners) for row in rows]


def _owners(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {number_of(row.get("id")): " ".join(str(row.get("owner") or "").split()) for row in rows}


def _waiting(row: Mapping[str, Any], owners: Mapping[str, Mapping[str, str]]) -> WaitingDraft:
    told = row["told"]
    named = {
        "request": [str(told.get("request") or "")],
        "systems": [str(one) for one in told.get("systems") or ()],
        "controls": [str(one) for one in told.get("controls") or ()],
    }
    asked = (_people(owners[what], names) for what, names in named.items())
    systems = named["systems"]
    return WaitingDraft(
        row["draft"], row["about"], row["drafted_at"], row["outdated"],
        next(filter(None, asked), ()), str(told.get("account") or ""), tuple(named["controls"]),
        systems[0] if len(systems) == 1 else "",
    )  # fmt: skip


def _people(owners: Mapping[str, str], names: Sequence[str]) -> tuple[str, ...]:
    """Each once, in the order of what they own."""
    found = (owners.get(number_of(name), "") for name in names)
    return tuple({folded(one): one for one in found if one}.values())


def undecided(connection: Connection, at: datetime) -> Iterator[Attention]:
    """A sentence for each draft that waits for a decision. Raises LakeError."""
    found = waiting(connection)
    for one in found[:SHOWN]:
        changed = "; what it rests on has changed since" if one.outdated else ""
        action = _OUTDATED if one.outdated else _DECIDE
        yield Attention(
            "judgement", f"The draft “{one.about}” waits for a decision {one.told(at)}{changed}.",
            action.format(id=one.draft[:16]), system=one.system, item_id=one.draft,
            cause=cause_of_draft(one.draft), controls=one.controls,
        )  # fmt: skip
    if len(found) > SHOWN:
        yield Attention(
            "judgement", f"{len(found) - SHOWN} more drafts wait for a decision.",
            "headwater draft list", cause=cause_of_draft("more"),
        )  # fmt: skip
