"""What a manifest of dbt says: which tests and ages are asked of which table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from collectors._checks.fields import loose, moment, part, shortened, text
from collectors._checks.json_files import Unreadable
from collectors._checks.results import Criterion, Stock, Suite
from evidence.canonical import digest

TOOL = "dbt"
MANIFEST, TESTS, SOURCES = "manifest", "run-results", "sources"
LIMITS = ("warn_after", "error_after", "filter")
_FORM = re.compile(r"https://schemas\.getdbt\.com/dbt/([a-z-]+)/v(\d+)\.json")
# Earlier manifests name no table that a test is attached to; earlier results have other statuses.
_KNOWN = {MANIFEST: range(8, 13), TESTS: range(4, 7), SOURCES: range(3, 4)}
_TABLES = ("model", "seed", "snapshot", "source")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


def form(document: Any) -> str:
    """Which of dbt's artifacts it says it is, empty if none. Raises Unreadable for other forms."""
    said = loose(loose(document).get("metadata")).get("dbt_schema_version")
    match = _FORM.fullmatch(said) if isinstance(said, str) else None
    if match is None:
        return ""
    kind, version = match[1], int(match[2])
    if version not in _KNOWN.get(kind, range(version, version + 1)):
        known = _KNOWN[kind]
        raise Unreadable(f"is {kind} v{version}; v{known[0]} to v{known[-1]} are known")
    return kind


@dataclass(frozen=True, slots=True)
class Manifest:
    """One `manifest.json`: the invocation that parsed it, its tests by table, its sources."""

    project: str
    invocation: str
    at: datetime
    document: Mapping[str, Any]

    @classmethod
    def read(cls, document: Any) -> Manifest:
        """Raises Unreadable."""
        meta = part(document, "metadata")
        for name in ("nodes", "sources", "macros"):
            part(document, name)
        project = text(meta.get("project_name")) or text(meta.get("project_id"))
        return cls(project, invocation_of(meta), moment(meta, "generated_at"), document)

    def tests(self) -> dict[str, Mapping[str, Any]]:
        """Data tests that are switched on, by unique id."""
        nodes = {uid: loose(node) for uid, node in self.document["nodes"].items()}
        return {uid: node for uid, node in nodes.items() if node.get("resource_type") == "test"}

    def stock(self) -> Stock:
        """Every suite there is, of tests and of source freshness."""
        named = {**self.document["nodes"], **self.document["sources"]}
        tables = [uid for uid in named if uid.split(".")[0] in _TABLES]
        assets = {subject(uid): asset(uid) for uid in tables}
        assets |= {fresh_subject(uid): asset(uid) for uid in tables if uid.startswith("source.")}
        suites = (*self.suites().values(), *self.freshness().values())
        return Stock(TOOL, self.project, self.at, suites, assets)

    def suites(self) -> dict[str, Suite]:
        """The suite of each table that has tests, by the table's unique id."""
        found: dict[str, list[Criterion]] = {}
        for uid, node in self.tests().items():
            for table in tables(node):
                found.setdefault(table, []).append(self._criterion(uid, node))
        return {t: Suite(TOOL, subject(t), asset(t), tuple(c)) for t, c in found.items()}

    def freshness(self) -> dict[str, Suite]:
        """The suite of each source that must be fresh, by its unique id."""
        found = {}
        for uid, node in self.document["sources"].items():
            source = loose(node)
            limits = fresh_criteria(source.get("freshness"))
            if limits["warn_after"] or limits["error_after"]:
                how = {k: text(source.get(k)) for k in ("loaded_at_field", "loaded_at_query")}
                severity = "error" if limits["error_after"] else "warn"
                one = Criterion("freshness", "freshness", "", severity, limits | how)
                found[uid] = Suite(TOOL, fresh_subject(uid), asset(uid), (one,))
        return found

    def changed_after(self, table: str, at: datetime) -> bool:
        """Whether a test of the table, or the code of one, was parsed anew since then."""
        nodes = [node for node in self.tests().values() if table in tables(node)]
        nodes += [macro for node in nodes for macro in self._macros(node)]
        return any(_parsed(node) > at for node in nodes)

    def _criterion(self, uid: str, node: Mapping[str, Any]) -> Criterion:
        generic, config = loose(node.get("test_metadata")), loose(node.get("config"))
        given = loose(generic.get("kwargs"))
        values = {k: v for k, v in given.items() if k not in {"model", "column_name"}}
        limits = {k: config.get(k) for k in ("where", "limit", "fail_calc", "warn_if", "error_if")}
        code = sorted(text(macro.get("macro_sql")) for macro in self._macros(node))
        return Criterion(
            name=short(uid),
            type=text(generic.get("name")) or "sql",
            column=text(node.get("column_name")) or text(given.get("column_name")),
            severity="warn" if text(config.get("severity")).lower() == "warn" else "error",
            criteria={
                "arguments": {k: shortened(v) for k, v in values.items()},
                **limits,
                "code_sha256": digest(code or [text(node.get("raw_code"))]),
            },
        )

    def _macros(self, node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The macro of a generic test and whatever the project or an adapter puts in its place."""
        name = text(loose(node.get("test_metadata")).get("name"))
        for macro in self.document["macros"].values() if name else ():
            called = text(loose(macro).get("name"))
            if called == f"test_{name}" or called.endswith(f"__test_{name}"):
                yield macro


def tables(node: Mapping[str, Any]) -> tuple[str, ...]:
    """The tables that a test speaks of: the one it is attached to, or else all that it reads."""
    if attached := text(node.get("attached_node")):
        return (attached,)
    reads = loose(node.get("depends_on")).get("nodes")
    named = dict.fromkeys(n for n in reads or () if isinstance(n, str))
    return tuple(named) or (f"none.{text(node.get('package_name'))}.no-table",)


def subject(uid: str) -> str:
    """`model.lending.loans` as `lending/loans`."""
    return "/".join(uid.split(".", 2)[1:]) or f"unnamed/{uid}"


def fresh_subject(uid: str) -> str:
    """What the freshness of a source is called."""
    return f"{subject(uid)}/freshness"


def asset(uid: str) -> str:
    """`model.lending.loans` as `loans`, `source.lending.raw.loans` as `raw.loans`."""
    return uid.split(".", 2)[-1]


def short(uid: str) -> str:
    """A test's unique id without its type."""
    return uid.split(".", 1)[-1]


def fresh_criteria(given: Any) -> dict[str, Any]:
    """The ages in seconds after which a source warns and fails, and the rows that are asked."""
    limits = loose(given)
    told: dict[str, Any] = {"filter": text(limits.get("filter"))}
    for name in ("warn_after", "error_after"):
        span = loose(limits.get(name))
        count, unit = span.get("count"), _SECONDS.get(text(span.get("period")))
        told[name] = count * unit if isinstance(count, int) and unit else None
    return told


def invocation_of(meta: Mapping[str, Any]) -> str:
    if not (told := text(meta.get("invocation_id"))):
        raise Unreadable("names no invocation (`invocation_id`)")
    return told


def _parsed(node: Mapping[str, Any]) -> datetime:
    at = node.get("created_at")
    if not isinstance(at, int | float) or isinstance(at, bool) or not 0 < at < 2**33:
        return datetime.max.replace(tzinfo=UTC)
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=at)
