"""The part of JQL that the demo's Jira understands; anything else is refused, never ignored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import eq, ge, gt, le, lt
from typing import Any
from zoneinfo import ZoneInfo

from demo.jira_state import ms

Record = Mapping[str, Any]
Test = Callable[[Record], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<op>>=|<=|!=|[=<>(),])
    |(?P<word>[^\s"'=<>!(),]+))""",
    re.X,
)
_NAMES = {
    "project": "project", "issuetype": "type", "type": "type", "status": "status",
    "labels": "labels", "key": "key", "issuekey": "key", "id": "id",
}  # fmt: skip
_TIMES = {"updated", "created"}
_COMPARE = {">=": ge, "<=": le, ">": gt, "<": lt, "=": eq}
_DATE = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})(?: (\d{2}):(\d{2}))?")


class JqlError(Exception):
    """The query was not understood; the message is what Jira would answer with 400."""


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: all tests hold, then the order (field, descending)."""

    tests: tuple[Test, ...]
    order: tuple[tuple[str, bool], ...]

    def run(self, records: list[Record]) -> list[Record]:
        """The records that match, in order (by descending id where none is asked for)."""
        found = [record for record in records if all(test(record) for test in self.tests)]
        found.sort(key=lambda record: -int(record["id"]))
        for name, descending in reversed(self.order):
            found.sort(key=lambda record: _rank(record, name), reverse=descending)
        return found


def parse(jql: str, *, projects: set[str], zone: str) -> Query:
    """Read a query for a user who sees `projects` and lives in `zone`. Raises JqlError."""
    return _Parser(_split(jql), projects, ZoneInfo(zone)).query()


def _rank(record: Record, name: str) -> Any:
    if name == "key":
        project, _, number = record["key"].rpartition("-")
        return project, int(number)
    return int(record[name]) if name == "id" else record[name]


def _split(jql: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    jql = jql.strip()
    while at < len(jql):
        match = _TOKEN.match(jql, at)
        if not match or not match.lastgroup:
            raise JqlError(f"Error in the JQL Query: unexpected character at {at + 1}.")
        text = match.group(match.lastgroup)
        if match.lastgroup == "text":
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        tokens.append((match.lastgroup, text))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], projects: set[str], zone: ZoneInfo) -> None:
        self.tokens, self.projects, self.zone = tokens, projects, zone

    def query(self) -> Query:
        if not self.tokens or self._word("order"):
            raise JqlError("Unbounded JQL queries are not allowed here. Add a search restriction.")
        tests = [self._clause()]
        while self._word("and", take=True):
            tests.append(self._clause())
        order = self._order() if self._word("order", take=True) else ()
        if self.tokens:
            raise JqlError(f"Error in the JQL Query: '{self.tokens[0][1]}' is not understood here.")
        return Query(tuple(tests), order)

    def _order(self) -> tuple[tuple[str, bool], ...]:
        if not self._word("by", take=True):
            raise JqlError("Error in the JQL Query: expecting 'BY' after 'ORDER'.")
        order = []
        while True:
            name = self._next("word").lower()
            name = "key" if name == "issuekey" else name
            if name not in {"updated", "created", "key", "id"}:
                raise JqlError(f"Not able to sort using field '{name}'.")
            descending = self._word("desc", take=True)
            if not descending:
                self._word("asc", take=True)
            order.append((name, descending))
            if not self._op(","):
                break
        if len(order) > 7:
            raise JqlError("The orderBy clause may contain at most 7 fields.")
        return tuple(order)

    def _clause(self) -> Test:
        name = self._next("word").lower()
        if name in _TIMES:
            return self._time_test(name)
        if name not in _NAMES:
            raise JqlError(f"Field '{name}' does not exist or you do not have permission.")
        wanted = {self._known(name, value) for value in self._values()}
        field = _NAMES[name]
        if field == "labels":
            return lambda record: bool(wanted & set(record["labels"]))
        return lambda record: str(record[field]).lower() in {w.lower() for w in wanted}

    def _time_test(self, name: str) -> Test:
        compare = _COMPARE.get(self._next("op"))
        if compare is None:
            raise JqlError(f"The operator is not supported by the '{name}' field.")
        kind, value = self._take()
        moment = self._moment(name, kind, value)
        return lambda record: bool(compare(record[name], moment))

    def _moment(self, name: str, kind: str, value: str) -> int:
        if kind == "word" and value.isdigit():
            return int(value)
        match = _DATE.fullmatch(value)
        try:
            parts = [int(part or 0) for part in match.groups()] if match else []
            year, month, day, hour, minute = parts
            # No seconds exist here, and the zone is the one of the asking user's profile.
            return ms(datetime(year, month, day, hour, minute, tzinfo=self.zone))
        except ValueError as error:
            raise JqlError(
                f"Date value '{value}' for field '{name}' is invalid. Valid formats include: "
                "'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd'."
            ) from error

    def _values(self) -> list[str]:
        if self._word("in", take=True):
            if not self._op("("):
                raise JqlError("Error in the JQL Query: expecting '(' after 'in'.")
            values = [self._take()[1]]
            while self._op(","):
                values.append(self._take()[1])
            if not self._op(")"):
                raise JqlError("Error in the JQL Query: expecting ')'.")
            return values
        if not self._op("="):
            raise JqlError("Error in the JQL Query: only '=' and 'in' are understood here.")
        return [self._take()[1]]

    def _known(self, name: str, value: str) -> str:
        if name == "project" and value.upper() not in self.projects:
            raise JqlError(f"The value '{value}' does not exist for the field 'project'.")
        return value

    def _take(self) -> tuple[str, str]:
        if not self.tokens:
            raise JqlError("Error in the JQL Query: it ends too early.")
        if self.tokens[0][0] == "op":
            raise JqlError(f"Error in the JQL Query: unexpected '{self.tokens[0][1]}'.")
        return self.tokens.pop(0)

    def _next(self, kind: str) -> str:
        if not self.tokens or self.tokens[0][0] != kind:
            raise JqlError(f"Error in the JQL Query: expecting a {kind}.")
        return self.tokens.pop(0)[1]

    def _word(self, word: str, *, take: bool = False) -> bool:
        found = bool(self.tokens) and self.tokens[0] in {("word", word), ("word", word.upper())}
        if found and take:
            self.tokens.pop(0)
        return found

    def _op(self, op: str) -> bool:
        found = bool(self.tokens) and self.tokens[0] == ("op", op)
        if found:
            self.tokens.pop(0)
        return found
