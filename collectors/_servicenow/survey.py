"""What a pull of ServiceNow asks for, as whom, and how many rows the instance says there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from collectors._marks import Marks
from collectors._servicenow.changes import APPROVAL, APPROVER_FIELDS, TASK_FIELDS
from collectors._servicenow.records import CHANGES, DELETED_FIELDS, FIELDS, kind_of
from collectors._servicenow.table import API, Listing, Row, Tables, withheld
from collectors.base import Clock, Window
from collectors.http import Http, Reply, clean
from evidence.errors import SourceBroken, SourceRefused
from evidence.runs import Gap

APPROVERS, TASKS, DELETED = "sysapproval_approver", "change_task", "sys_audit_delete"
_ME = ("sys_id", "user_name", "name", "time_zone")


@dataclass(frozen=True, slots=True)
class Asked:
    """One list of this pull: from when it is read, and how many rows the instance counts there."""

    of: Listing
    since: datetime | None
    counted: int | None


@dataclass(frozen=True, slots=True)
class Survey:
    """What is settled before the first page."""

    identity: str
    started: datetime
    collected_at: datetime
    lists: tuple[Asked, ...]
    gaps: tuple[Gap, ...]

    def listing(self, table: str) -> Listing | None:
        """The list of a table, where it is readable."""
        return next((one.of for one in self.lists if one.of.table == table), None)

    def told(self) -> str:
        """In words, for the pull's record."""
        asked = (
            f"{one.of.table}{f'^{one.of.query}' if one.of.query else ''} since "
            f"{one.since or 'the beginning'} ({one.counted} counted)"
            for one in self.lists
        )
        untold = "" if self.listing(DELETED) else "; not told: deletions"
        return "; ".join(asked) + untold


@dataclass(frozen=True)
class Surveyor:
    """`tables` of an instance, each narrowed by its query in `queries`; `more` are further columns.

    `lookback` is how long before the newest row that was read is read again.
    """

    http: Http
    page_size: int
    tables: Sequence[str]
    queries: Mapping[str, str]
    more: Sequence[str]
    lookback: timedelta
    window: Window | None
    clock: Clock = field(repr=False)

    def survey(self, before: Marks) -> Survey:
        """Raises SourceRefused where none of the tables is readable."""
        collected_at = self.clock()
        identity, reply = self._identity()
        lists, gaps = self._readable(before, identity, self._listings())
        if not any(asked.of.table in self.tables for asked in lists):
            names = ", ".join(self.tables)
            raise SourceRefused(f"{identity} may read none of {names}: grant it read access")
        gone, _ = self._readable(before, identity, [self._deletions()])
        return Survey(
            identity, reply.date or collected_at, collected_at, (*lists, *gone), tuple(gaps)
        )

    def kinds(self) -> dict[str, str]:
        """The evidence kind that a record of each table is told by."""
        kinds = {table: kind_of(table) for table in self.tables}
        return kinds | ({APPROVERS: APPROVAL} if CHANGES in self.tables else {})

    def _identity(self) -> tuple[str, Reply]:
        params = {
            "sysparm_query": "sys_id=javascript:gs.getUserID()", "sysparm_fields": ",".join(_ME),
            "sysparm_display_value": "all", "sysparm_exclude_reference_link": "true",
            "sysparm_limit": 1,
        }  # fmt: skip
        reply = self.http.get(f"{API}/sys_user", params)
        rows = reply.data.get("result") if isinstance(reply.data, dict) else None
        if not isinstance(rows, list):
            raise SourceBroken("ServiceNow's answer holds no result", what="sys_user")
        if not rows:
            return "an account that the instance does not show to itself", reply
        me = Row("sys_user", rows[0])
        zone = me.shown("time_zone") or "of the instance"
        return clean(f"{me.needed('user_name')} ({me.id}, time zone {zone})"), reply

    def _listings(self) -> list[Listing]:
        fields = tuple(dict.fromkeys((*FIELDS, *self.more)))
        tables = dict.fromkeys(self.tables)
        found = [Listing(table, fields, self.queries.get(table, "")) for table in tables]
        if CHANGES in self.tables:
            approvals = f"sysapproval.sys_class_name={CHANGES}"
            found += [Listing(APPROVERS, APPROVER_FIELDS, approvals), Listing(TASKS, TASK_FIELDS)]
        return found

    def _deletions(self) -> Listing:
        return Listing(
            DELETED, DELETED_FIELDS, f"tablenameIN{','.join(self.kinds())}", "sys_created_on"
        )

    def _readable(
        self, before: Marks, identity: str, wanted: Sequence[Listing]
    ) -> tuple[list[Asked], list[Gap]]:
        found, gaps = list[Asked](), list[Gap]()
        for of in wanted:
            since = self._since(before, of)
            try:
                counted = Tables(self.http, self.page_size).count(of, since)
            except SourceRefused as error:
                if not withheld(error):
                    raise
                gaps.append(Gap(f"table {of.table}", f"not readable by {identity}: {error}"))
                continue
            found.append(Asked(of, since, counted))
            if counted is None:
                why = "the instance does not count it, so rows that it hides would not show"
                gaps.append(Gap(f"table {of.table}", why))
        return found, gaps

    def _since(self, before: Marks, of: Listing) -> datetime | None:
        if self.window is not None:
            return self.window.since
        mark = before.read.get(of.table)
        return None if mark is None else mark - self.lookback
