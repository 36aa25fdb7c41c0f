"""Reading all that is known of some changes of ServiceNow, so that they can be judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collectors._servicenow.changes import (
    APPROVER_FIELDS,
    AUDIT_FIELDS,
    AUDITED,
    TASK_FIELDS,
    Dossier,
    Rule,
)
from collectors._servicenow.records import CHANGES
from collectors._servicenow.survey import APPROVERS, TASKS, Survey
from collectors._servicenow.table import Row, Tables, withheld
from evidence.errors import SourceRefused

AUDIT = "sys_audit"
BESIDE = {APPROVERS: ("sysapproval", APPROVER_FIELDS), TASKS: ("change_request", TASK_FIELDS)}
"""The tables that tell more of a change: the field that refers to it, and what is read of them."""
_CHUNK = 50


@dataclass(frozen=True, slots=True)
class Judge:
    """Asks `tables` for what belongs to a change, as far as the survey found it readable."""

    tables: Tables
    survey: Survey
    rule: Rule

    def dossiers(self, ids: Sequence[str], known: Sequence[Row] = ()) -> Iterator[Dossier]:
        """Of each change in `ids` that is there and asked for; `known` are rows read already."""
        of = self.survey.listing(CHANGES)
        if of is None or not ids:
            return
        rows = [row for row in known if row.id in set(ids)]
        if not known:
            narrowed = f"{of.query}^" if of.query else ""
            rows, _ = self.tables.every(CHANGES, f"{narrowed}sys_idIN{','.join(ids)}", of.fields)
        yield from self._whole(rows)

    def _whole(self, rows: Sequence[Row]) -> Iterator[Dossier]:
        ids = [row.id for row in rows]
        approvers, why = self._beside(APPROVERS, ids)
        tasks, more = self._beside(TASKS, ids)
        if (why or more) and len(rows) > 1:  # which of them it is, only asking for each one tells
            for row in rows:
                yield from self._whole([row])
            return
        history = self._history([*ids, *(row.id for row in approvers)])
        for row in rows:
            yield Dossier(
                row, _of(row, approvers, APPROVERS), _of(row, tasks, TASKS), history, self.rule,
                why or more,
            )  # fmt: skip

    def _beside(self, table: str, ids: Sequence[str]) -> tuple[list[Row], str]:
        """The rows of a table that belong to changes, and what of them is not known."""
        if not ids:
            return [], ""
        if self.survey.listing(table) is None:
            return [], f"{table} is not readable"
        name, fields = BESIDE[table]
        found, hidden = self.tables.every(table, f"{name}IN{','.join(ids)}", fields)
        return found, f"{hidden} of its rows in {table} are hidden" if hidden else ""

    def _history(self, ids: Sequence[str]) -> tuple[Row, ...] | None:
        """The audit of changes and approvals; None where the account may not see all of it."""
        rows: list[Row] = []
        for n in range(0, len(ids), _CHUNK):
            keys, fields = ",".join(ids[n : n + _CHUNK]), ",".join(AUDITED)
            query = f"tablenameIN{CHANGES},{APPROVERS}^documentkeyIN{keys}^fieldnameIN{fields}"
            try:
                found, hidden = self.tables.every(AUDIT, query, AUDIT_FIELDS)
            except SourceRefused as error:
                if not withheld(error):
                    raise
                return None
            if hidden:
                return None
            rows += found
        return tuple(rows)


def _of(change: Row, rows: Sequence[Row], table: str) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.value(BESIDE[table][0]) == change.id)
