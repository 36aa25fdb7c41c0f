"""What Soda Core 3 wrote of one scan: its checks by table, and whether it examined all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from collectors._checks.fields import count, loose, moment, number, text
from collectors._checks.json_files import Unreadable
from collectors._checks.results import Criterion, Ran, Results, Said, Stock, Suite
from collectors._text import clean
from evidence.canonical import digest

TOOL = "soda"
_KEYS = {"definitionName", "scanStartTimestamp", "scanEndTimestamp", "hasErrors", "checks"}
_SAID = {"pass": Said.HELD, "warn": Said.FAILED, "fail": Said.FAILED}
_VERSION = re.compile(r"Soda (?:Core|Library) ([\w.]+)")
# The file leaves out checks that came to nothing; only the log's summary counts them.
_OF_ALL = re.compile(r"\d+/(\d+) checks? (?:PASSED|WARNED|FAILED|NOT EVALUATED)\b")
_NOTHING = re.compile(r"(\d+) checks not evaluated\.")
_NO_TABLE = "no-table"

Check = Mapping[str, Any]


def is_scan(document: Any) -> bool:
    """Whether these are the results of a scan."""
    return isinstance(document, Mapping) and set(document) >= _KEYS


def scan(document: Any) -> tuple[tuple[Results, ...], tuple[Stock, ...]]:
    """A result for each table, and the suites as this scan asked them. Raises Unreadable.

    A scan that broke names neither all of its checks nor all of its tables: it passes for none of
    them, and is no word on the suites.
    """
    ended = moment(document, "scanEndTimestamp")
    started = min(moment(document, "scanStartTimestamp"), ended)
    name = clean(text(document.get("definitionName")) or text(document.get("defaultDataSource")))
    # Subjects of one scan begin alike, and no other's so.
    name = name.replace("%", "%25").replace("/", "%2F")
    if not name:
        raise Unreadable("names no scan (`definitionName`): give each scan a name of its own")
    tables = _tables(document)
    doubt = _doubt(document)
    stock = _stock(document, name, ended)
    suites = {suite.subject: suite for suite in stock.suites}
    results = [
        Results(
            run_id=f"{name} {text(document.get('scanStartTimestamp'))}", started=started,
            ended=ended, suite=suites[_subject(name, table)], version=_version(document),
            ran=tuple(_ran(named, check) for named, check in _named(checks)), doubt=doubt,
            siblings=stock.prefix if doubt else "",
        )
        for table, checks in tables.items()
    ]  # fmt: skip
    return tuple(results), () if doubt else (stock,)


def _stock(document: Check, name: str, at: datetime) -> Stock:
    suites = tuple(
        Suite(
            TOOL, _subject(name, table), table, tuple(_criterion(n, c) for n, c in _named(checks))
        )
        for table, checks in _tables(document).items()
    )
    return Stock(TOOL, name, at, suites, {}, prefix=f"{TOOL}/{name}/")


def _subject(name: str, table: str) -> str:
    return f"{TOOL}/{name}/{table}"


def _tables(document: Check) -> dict[str, list[Check]]:
    """Checks by table; a broken scan has tables that only its queries name."""
    home = text(document.get("defaultDataSource"))
    found: dict[str, list[Check]] = {}
    for check in _checks(document):
        found.setdefault(_table(check, home), []).append(check)
    if document.get("hasErrors") is not False:
        for query in document.get("queries") or ():
            if text(loose(query).get("table")):
                found.setdefault(_table(loose(query), home), [])
    return found or {_NO_TABLE: []}


def _checks(document: Check) -> list[Check]:
    checks = document.get("checks")
    if not isinstance(checks, list) or not all(isinstance(one, Mapping) for one in checks):
        raise Unreadable("has no list of `checks`")
    monitors = document.get("automatedMonitoringChecks") or []
    return checks + [one for one in monitors if isinstance(one, Mapping)]


def _table(told: Check, home: str) -> str:
    """The table as its data source has it; of another source than the scan's own, with its name."""
    table, source = text(told.get("table")) or _NO_TABLE, text(told.get("dataSource"))
    return clean(f"{source}.{table}" if source and source != home else table)


def _named(checks: list[Check]) -> Iterator[tuple[str, Check]]:
    """By name and place among those of one name: identities change with what is asked.

    No two have one name, whatever they are called: a result would hide behind another's.
    """
    used: set[str] = set()
    for check in sorted(checks, key=lambda one: text(one.get("identity"))):
        given = name = clean(text(check.get("name"))) or "unnamed"
        place = 1
        while name in used:
            place += 1
            name = f"{given} #{place}"
        used.add(name)
        yield name, check


def _criterion(name: str, check: Check) -> Criterion:
    limits = loose(check.get("diagnostics"))
    return Criterion(
        name=name,
        type=text(check.get("type")) or "generic",
        column=clean(text(check.get("column"))),
        severity="warn" if limits.get("warn") and not limits.get("fail") else "error",
        criteria={
            **{key: _numbers(limits.get(key)) for key in ("warn", "fail")},
            # Its text may hold values of the data, or SQL.
            "definition_sha256": digest(text(check.get("definition"))),
            "filter_sha256": digest(text(check.get("filter"))) if check.get("filter") else "",
        },
    )


def _numbers(limits: Any) -> dict[str, int | float]:
    """Limits of a check of another kind (of a schema, say) are in its definition."""
    return {str(k): v for k, v in loose(limits).items() if number(v)}


def _ran(name: str, check: Check) -> Ran:
    said = _SAID.get(text(check.get("outcome")))
    if said is None:
        return Ran(name, Said.ERROR, why=f"outcome {clean(repr(check.get('outcome')), 40)}")
    if said is Said.HELD and _beyond(loose(check.get("diagnostics"))):
        return Ran(name, Said.FAILED, _rows(check), "says pass beyond its limit")
    return Ran(name, said, _rows(check), "warned" if check.get("outcome") == "warn" else "")


def _beyond(diagnostics: Check) -> bool:
    """Whether a lone limit denies the pass; of two, Soda does not tell whether both must hold."""
    value, limits = diagnostics.get("value"), _numbers(diagnostics.get("fail"))
    if len(limits) != 1 or not number(value):
        return False
    ((how, limit),) = limits.items()
    return bool({
        "lessThan": value < limit, "lessThanOrEqual": value <= limit,
        "greaterThan": value > limit, "greaterThanOrEqual": value >= limit,
    }.get(how))  # fmt: skip


def _rows(check: Check) -> int | None:
    """How many rows failed, where Soda looked for them."""
    for block in loose(check.get("diagnostics")).get("blocks") or ():
        found = count(loose(block).get("totalFailingRows"))
        if found is not None:
            return found
    return None


def _doubt(document: Check) -> str:
    """Why the checks in the file are not all that were asked; empty if they are."""
    if document.get("hasErrors") is not False:
        return "the scan had errors"
    checks = _checks(document)
    outcomes = {text(one.get("outcome")) for one in checks}
    for key, outcome in (("hasFailures", "fail"), ("hasWarnings", "warn")):
        if bool(document.get(key)) and outcome not in outcomes:
            return f"the scan says {key}, and none of its checks does"
    lines = _log(document)
    if any(text(line.get("level")).upper() == "ERROR" for line in lines):
        return "the scan logged errors"
    for line in lines:
        told = text(line.get("message"))
        if (match := _NOTHING.match(told)) and int(match[1]):
            return f"{match[1]} checks of the scan came to nothing"
        if (match := _OF_ALL.match(told)) and int(match[1]) != len(checks):
            return f"the scan had {match[1]} checks and its file holds {len(checks)}"
    return ""


def _version(document: Check) -> str:
    found = (_VERSION.match(text(line.get("message"))) for line in _log(document))
    return next((match[1] for match in found if match), "")


def _log(document: Check) -> list[Check]:
    lines = document.get("logs")
    return [loose(line) for line in lines] if isinstance(lines, list) else []
