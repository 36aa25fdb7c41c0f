"""The histories of tests/collectors/test_cursor.py, had by a ServiceNow's table of incidents."""

from __future__ import annotations

from typing import Any

from collectors._rest.settings import Paging, Since
from evidence.secret import Secret
from tests.collectors.cursor_world import Row, Style, Tracker
from tests.collectors.rest_server import Asked
from tests.collectors.servicenow_server import PASSWORD, READER, ServiceNowServer, sys_id, written

_LIST = "/api/now/table/incident"


class Instance(Tracker):
    """What shows lies in the instance's tables; what was deleted lies in its audit."""

    kind = "servicenow.incident"
    uses = "collectors.servicenow:ServiceNow"

    def __init__(self) -> None:
        super().__init__(Style(Paging(), Since("sys_updated_on"), more={"gone": "audited"}))
        self.tables = ServiceNowServer()
        self.tables.close()  # its answers are given by the server of all histories

    def write(
        self, number: int | None = None, *, late: bool = False, deleted: bool = False
    ) -> None:
        """A new record, or a new version of one; nobody writes to one that was deleted."""
        gone = number is not None and number in self.rows and self.rows[number].deleted
        super().write(None if gone else number, late=late, deleted=deleted)

    def show(self, row: Row) -> None:
        """From now on the table has it."""
        super().show(row)
        held, key = self.tables.tables["incident"], sys_id(str(row.id))
        held[:] = [one for one in held if one["sys_id"] != key]
        at = written(self.moment(row))
        held.append({
            "sys_id": key, "number": f"INC{row.id:07}", "state": "1", "priority": "3",
            "short_description": f"version {row.version}", "opened_by": "",
            "sys_class_name": "incident", "sys_created_on": at, "sys_updated_on": at,
            "sys_updated_by": "ada",
        })  # fmt: skip

    def delete(self, number: int) -> None:
        """The row goes away, and the audit says so."""
        if self.rows[number].deleted:
            return
        self.commit([row for row in self.late if row.id == number])
        self.tables.delete("incident", sys_id(str(number)), "ada", self.now)
        self.rows[number] = Row(number, 0, 0, 0, deleted=True)
        self.ever.add(self.rows[number])

    def settings(self, url: str, *, reread: bool) -> dict[str, Any]:
        """The source as `headwater.toml` would describe it."""
        return {
            "url": url, "user": READER, "password": Secret(PASSWORD), "attempts": 1,
            "tables": ("incident",), "page_size": 3, "lookback": 1,
            "systems": {"nobody": "x"} if reread else {},
        }  # fmt: skip

    def read(self, subject: str, payload: dict[str, Any]) -> Row:
        """The record that an item was made of."""
        number = next(row.id for row in self.ever if sys_id(str(row.id)) == subject)
        told = str(payload.get("summary", ""))
        version = int(told.removeprefix("version ")) if told.startswith("version ") else 0
        return next(r for r in self.ever if (r.id, r.version) == (number, version))

    def say(self, asked: Asked) -> Any:
        """The answer to one request."""
        if asked.path == _LIST:
            self.pages += 1
            happens = self.plan.pop(self.pages, None)
            if happens and (answer := happens()) is not None:
                return answer
        return self.tables.say(asked)
