"""A ServiceNow on loopback that answers as the real one does, as far as its tables are asked."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.collectors.rest_server import Answer, Asked, Refused, RestServer, demand, only

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
READER, PASSWORD, KEY = "evidence.reader", "word-of-the-reader", "now_key_of_the_reader"
CLIENT, SECRET = "client-of-headwater", "secret-of-the-client"
HOUR = timedelta(hours=1)
NAMES = {"ada": "Ada Ray", "ben": "Ben Okoro", "mira": "Mira Osei", "jonas": "Jonas Frey",
         READER: "Evidence Reader"}  # fmt: skip
STATES = {"-5": "New", "-4": "Assess", "-2": "Scheduled", "-1": "Implement", "0": "Review",
          "3": "Closed", "4": "Canceled"}  # fmt: skip
REFERS = {"requested_by", "opened_by", "assigned_to", "approver"}
TIMES = {"sys_updated_on", "sys_created_on", "work_start", "work_end", "opened_at", "closed_at"}
AUDITED = {"change_request": {"state", "assigned_to", "requested_by", "opened_by"},
           "sysapproval_approver": {"state"}}  # fmt: skip
CONDITION = re.compile(r"(?P<field>[a-z_.]+)(?P<op>>=|<=|>|<|=|IN)(?P<value>.*)")
Row = dict[str, Any]


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def sys_id(seed: str) -> str:
    return hashlib.md5(seed.encode(), usedforsecurity=False).hexdigest()


class ServiceNowServer:
    """Strict where the real one is. `hidden` rows are counted and never listed; `refused` tables
    answer 403; `uncounted` tables have no aggregates and no header."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = {
            name: [] for name in ("change_request", "incident", "change_task", "sys_audit_delete",
                                  "sysapproval_approver", "sys_audit", "sys_user")
        }  # fmt: skip
        self.hidden: set[str] = set()
        self.refused: set[str] = set()
        self.uncounted: set[str] = set()
        self.tokens: list[str] = []
        self.grants: list[str] = []
        self.before_page: list[Callable[[Asked], Any]] = []
        self.now = START + timedelta(days=20)
        for name in NAMES:
            self.tables["sys_user"].append({"sys_id": sys_id(name), "user_name": name,
                                            "name": NAMES[name], "time_zone": ""})  # fmt: skip
        self.server = RestServer(self.say, lambda: self.now)
        self.url = self.server.url

    # What people do.

    def insert(self, table: str, by: str, at: datetime, **fields: Any) -> str:
        made = sys_id(f"{table}{len(self.tables[table])}")
        common = {"sys_id": made, "sys_class_name": table, "sys_created_on": written(at),
                  "sys_updated_on": written(at), "sys_updated_by": by}  # fmt: skip
        self.tables[table].append(common | fields)
        return made

    def row(self, table: str, key: str) -> Row:
        return next(row for row in self.tables[table] if row["sys_id"] == key)

    def update(self, table: str, key: str, by: str, at: datetime, **fields: Any) -> None:
        row = self.row(table, key)
        for name in AUDITED.get(table, set()) & set(fields):
            self.insert("sys_audit", by, at, tablename=table, documentkey=key, fieldname=name,
                        oldvalue=row.get(name, ""), newvalue=fields[name], user=by)  # fmt: skip
        row |= fields | {"sys_updated_on": written(at), "sys_updated_by": by}

    def change(self, at: datetime, by: str = "mira", **fields: Any) -> str:
        number = f"CHG{len(self.tables['change_request']) + 30001:07}"
        usual = {"number": number, "type": "normal", "state": "-5", "approval": "not requested",
                 "short_description": f"Deploy {number}", "requested_by": sys_id(by),
                 "opened_by": sys_id(by), "assigned_to": sys_id("ada"), "cmdb_ci": "credit-api",
                 "priority": "3", "description": "a remark of its own"}  # fmt: skip
        return self.insert("change_request", by, at, **(usual | fields))

    def ask(self, change: str, of: str, at: datetime) -> str:
        return self.insert(
            "sysapproval_approver", "system", at, approver=sys_id(of), state="requested",
            sysapproval=change,
        )  # fmt: skip

    def approve(
        self, change: str, by: str, at: datetime, *, hand: str = "", whole: bool = True
    ) -> str:
        key = self.ask(change, by, at - HOUR / 2)
        self.update("sysapproval_approver", key, hand or by, at, state="approved")
        if whole:
            self.update("change_request", change, "system", at, approval="approved", state="-2")
        return key

    def begin(self, change: str, at: datetime, by: str = "ada") -> None:
        self.update("change_request", change, by, at, state="-1", work_start=written(at))

    def delete(self, table: str, key: str, by: str, at: datetime) -> None:
        row = self.row(table, key)
        self.tables[table].remove(row)
        self.insert("sys_audit_delete", by, at, tablename=table, documentkey=key,
                    display_value=row.get("number", ""), sys_created_by=by)  # fmt: skip

    # What it answers.

    def say(self, asked: Asked) -> Any:
        if asked.path == "/oauth_token.do":
            return self._token(asked)
        code = base64.b64encode(f"{READER}:{PASSWORD}".encode()).decode()
        good = {f"Basic {code}", *(f"Bearer {token}" for token in self.tokens)}
        if asked.headers.get("x-sn-apikey") != KEY and (
            asked.headers.get("Authorization") not in good
        ):
            raise Refused(401, {"error": {"message": "User Not Authenticated"}})
        demand(asked.method == "GET", "only GET")
        *way, table = asked.path.strip("/").split("/")
        if table not in self.tables:
            raise Refused(400, {"error": {"message": f"Invalid table {table}"}})
        if table in self.refused:
            raise Refused(403, {"error": {"message": "User Not Authorized"}})
        if way == ["api", "now", "stats"]:
            only(asked, "sysparm_count", "sysparm_query")
            if table in self.uncounted:
                raise Refused(403, {"error": {"message": "User Not Authorized"}})
            found, _ = self._found(table, asked.query["sysparm_query"])
            return {"result": {"stats": {"count": str(len(found))}}}
        demand(way == ["api", "now", "table"], "no such API")
        return self._list(table, asked)

    def _token(self, asked: Asked) -> Any:
        """One token for the client alone or with its user; each is good for half an hour."""
        given = asked.body
        good = {"client_id": CLIENT, "client_secret": SECRET}
        person = {"grant_type": "password", "username": READER, "password": PASSWORD}
        if given not in (good | {"grant_type": "client_credentials"}, good | person):
            raise Refused(401, {"error": "server_error", "error_description": "access_denied"})
        self.grants.append(given["grant_type"])
        self.tokens.append(f"token-{len(self.tokens)}")
        return {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 1799}

    def _list(self, table: str, asked: Asked) -> Answer:
        only(asked, "sysparm_query", "sysparm_fields", "sysparm_display_value",
             "sysparm_exclude_reference_link", "sysparm_limit", "sysparm_offset")  # fmt: skip
        demand(asked.query.get("sysparm_display_value") == "all", "all forms are wanted")
        for act in self.before_page:
            act(asked)
        found, order = self._found(table, asked.query["sysparm_query"])
        found.sort(key=lambda row: tuple(str(row[name]) for name in order))
        offset, limit = int(asked.query.get("sysparm_offset", 0)), int(asked.query["sysparm_limit"])
        page = [r for r in found[offset : offset + limit] if r["sys_id"] not in self.hidden]
        names = asked.query["sysparm_fields"].split(",")
        headers = {} if table in self.uncounted else {"X-Total-Count": str(len(found))}
        shown = [{n: self._shown(row, n) for n in names if n in row or "." in n} for row in page]
        return Answer({"result": shown}, headers=headers)

    def _found(self, table: str, query: str) -> tuple[list[Row], list[str]]:
        rows, order = list(self.tables[table]), []
        for part in query.split("^") if query else ():
            if part.startswith("ORDERBY"):
                order.append(part.removeprefix("ORDERBY"))
                continue
            match = CONDITION.fullmatch(part)
            demand(match, f"cannot read the condition {part!r}")
            assert match
            rows = [row for row in rows if self._fits(row, *match.group("field", "op", "value"))]
        return rows, order

    def _fits(self, row: Row, field: str, op: str, value: str) -> bool:
        if value == "javascript:gs.getUserID()":
            value = sys_id(READER)
        have = (
            "change_request" if field == "sysapproval.sys_class_name" else str(row.get(field, ""))
        )
        return {
            "=": have == value, ">": have > value, ">=": have >= value, "<": have < value,
            "<=": have <= value, "IN": have in value.split(","),
        }[op]  # fmt: skip

    def _shown(self, row: Row, name: str) -> Row:
        if name == "approver.user_name":
            value = next(u["user_name"] for u in self.tables["sys_user"]
                         if u["sys_id"] == row["approver"])  # fmt: skip
            return {"display_value": value, "value": value}
        value = row[name]
        told = {"display_value": value, "value": value}
        if name in REFERS and value:
            person = next(u for u in self.tables["sys_user"] if u["sys_id"] == value)
            told["display_value"] = person["name"]
        elif name == "state" and value in STATES:
            told = {"display_value": STATES[value], "value": float(value)}
        elif name in TIMES and value:  # the account sits in Lisbon, and reads days first
            told["display_value"] = "02/11/2026 10:00:00"
        elif name == "priority":
            told["display_value"] = {"1": "1 - Critical", "3": "3 - Moderate"}[value]
        return told

    def close(self) -> None:
        self.server.close()
