"""What Evidently 0.7 wrote of one run of a report: its tests of the data, and those of drift."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from collectors._checks.fields import loose, number, shortened, text
from collectors._checks.json_files import Unreadable
from collectors._checks.results import DRIFT, RESULT, Criterion, Ran, Results, Said, Stock, Suite
from collectors._text import clean
from evidence.canonical import digest, plain

TOOL = "evidently"
_WHOLE = {"timestamp", "metric_results", "top_level_metrics"}
_SAID = {
    "SUCCESS": Said.HELD, "FAIL": Said.FAILED, "WARNING": Said.FAILED, "SKIPPED": Said.SKIPPED,
}  # fmt: skip
_HOLDS = {
    "LessThanMetricTest": operator.lt, "LessOrEqualMetricTest": operator.le,
    "GreaterThanMetricTest": operator.gt, "GreaterOrEqualMetricTest": operator.ge,
    "EqualMetricTest": operator.eq, "NotEqualMetricTest": operator.ne,
}  # fmt: skip
# Where none was given, Evidently chooses them by the data, and a report does not say which.
_CHOSEN = {"method", "threshold"}


def is_report(document: Any) -> bool:
    """Whether it is a run of a report. Raises Unreadable for one saved without its time."""
    if not isinstance(document, Mapping):
        return False
    if set(document) == {"metrics", "tests"}:
        raise Unreadable("a report without its time (`save_json`): keep what `dumps()` gives")
    return set(document) >= _WHOLE


def report(
    document: Mapping[str, Any], folder: str, zone: tzinfo | None
) -> tuple[tuple[Results, ...], tuple[Stock, ...]]:
    """A result of the tests of the data, one of those of drift, and the suites behind them.

    A report is called by its `name`, or else by the folder that it lies in. Raises Unreadable.
    """
    label = clean(text(document.get("name")) or folder.removesuffix("/snapshots")) or "report"
    at = _moment(document, zone)
    metrics = _metrics(document)
    tested = {kind: list(_tests(metrics, kind)) for kind in (RESULT, DRIFT)}
    if not any(tested.values()):
        tested = {DRIFT if any(one.drift for one in metrics) else RESULT: []}
    suites = {
        kind: Suite(TOOL, _subject(label, kind), label, tuple(test.criterion() for test in tests))
        for kind, tests in tested.items()
    }
    results = tuple(
        Results(
            run_id=text(document["timestamp"]), started=at, ended=at, suite=suites[kind],
            ran=tuple(test.ran() for test in tests), doubt=_doubt(metrics), kind=kind,
            facts={"drift": _scores(metrics)} if kind == DRIFT else None,
        )
        for kind, tests in tested.items()
        if tests or len(tested) == 1
    )  # fmt: skip
    assets = {_subject(label, kind): label for kind in (RESULT, DRIFT)}
    told = tuple(suite for suite in suites.values() if suite.criteria)
    return results, (Stock(TOOL, label, at, told, assets),)


@dataclass(frozen=True, slots=True)
class _Metric:
    """One metric of a report: the digest of its configuration, and what it came to."""

    config: str
    told: Mapping[str, Any]
    params: Mapping[str, Any]

    @property
    def type(self) -> str:
        return _short(self.params.get("type"))

    @property
    def drift(self) -> bool:
        return "Drift" in self.type

    def tests(self) -> list[Mapping[str, Any]]:
        tests = self.told.get("tests")
        return [loose(test) for test in tests] if isinstance(tests, list) else []

    def asked(self) -> int:
        """How many tests its configuration asks for by itself."""
        asked = (v for k, v in self.params.items() if k.endswith("tests") and isinstance(v, list))
        return sum(len(tests) for tests in asked)


@dataclass(frozen=True, slots=True)
class _Test:
    """One test of a metric, by a name that no other test of the report has."""

    name: str
    metric: _Metric
    told: Mapping[str, Any]

    def criterion(self) -> Criterion:
        bound = loose(loose(self.told.get("bound_test")).get("test"))
        params = {k: v for k, v in self.metric.params.items() if not k.endswith("tests")}
        dropped = {"type", "column"} | (_CHOSEN if self.metric.drift else set())
        return Criterion(
            name=self.name,
            type=f"{self.metric.type} {_short(bound.get('type'))}".strip(),
            column=clean(text(self.metric.params.get("column"))),
            severity="warn" if bound.get("is_critical") is False else "error",
            criteria={
                "config": self.metric.config,
                "asked": {k: shortened(v) for k, v in params.items() if k not in dropped},
                "limits": {
                    k: shortened(v) for k, v in bound.items()
                    if v is not None and k not in {"type", "is_critical"}
                },
            },
        )  # fmt: skip

    def ran(self) -> Ran:
        said = _SAID.get(text(self.told.get("status")))
        if said is None:
            status = clean(repr(self.told.get("status")), 40)
            return Ran(self.name, Said.ERROR, why=f"status {status}")
        if said is Said.HELD and self._denied():
            return Ran(self.name, Said.FAILED, why="says success beyond its limit")
        return Ran(self.name, said, why="warned" if self.told.get("status") == "WARNING" else "")

    def _denied(self) -> bool:
        """Whether the value that was measured denies the success."""
        bound = loose(self.told.get("bound_test"))
        test, value = loose(bound.get("test")), self.metric.told.get("value")
        limit, holds = test.get("threshold"), _HOLDS.get(_short(test.get("type")))
        if isinstance(bound.get("is_count"), bool):
            value = loose(self.metric.told.get("count" if bound["is_count"] else "share")).get(
                "value"
            )
        if "p_value" in text(self.metric.params.get("method")) and holds is None:
            limit, holds = self.metric.params.get("threshold"), operator.ge
        return bool(number(value) and number(limit) and holds and not holds(value, limit))


def _tests(metrics: list[_Metric], kind: str) -> Iterator[_Test]:
    seen: Counter[str] = Counter()
    for metric in metrics:
        for told in metric.tests() if metric.drift is (kind == DRIFT) else ():
            column = clean(text(metric.params.get("column")))
            test = _short(loose(loose(told.get("bound_test")).get("test")).get("type"))
            name = f"{metric.type}{f' of {column}' if column else ''}: {test or told.get('id')}"
            name = clean(name)
            seen[name] += 1
            yield _Test(f"{name} #{seen[name]}", metric, told)


def _metrics(document: Mapping[str, Any]) -> list[_Metric]:
    """In an order of their own: that of a file may be any."""
    results = document.get("metric_results")
    if not isinstance(results, Mapping):
        raise Unreadable("has no object `metric_results`")
    found = []
    for key, told in results.items():
        params = loose(
            loose(loose(loose(told).get("metric_value_location")).get("metric")).get("params")
        )
        found.append(_Metric(clean(str(key), 64), loose(told), params))
    return sorted(found, key=lambda one: (digest(plain(dict(one.params))), one.config))


def _doubt(metrics: list[_Metric]) -> str:
    missing = sum(max(0, one.asked() - len(one.tests())) for one in metrics)
    return f"{missing} tests that were asked for left no result" if missing else ""


def _scores(metrics: list[_Metric]) -> dict[str, Any]:
    """What was measured of drift, and by what: scores and shares, no value of the data."""
    told = {}
    for one in metrics:
        column = clean(text(one.params.get("column")))
        share = loose(one.told.get("share")).get("value")
        score = one.told.get("value") if column else share
        if one.drift and number(score):
            how = {k: one.params[k] for k in sorted(_CHOSEN) if k in one.params}
            told[column or one.type] = {"score": score, **how}
    return told


def _moment(document: Mapping[str, Any], zone: tzinfo | None) -> datetime:
    """Evidently writes the wall clock of its machine, without its zone."""
    try:
        at = datetime.fromisoformat(text(document.get("timestamp")))
    except ValueError as error:
        raise Unreadable("has no ISO 8601 `timestamp`: no time is guessed") from error
    if at.tzinfo is None and zone is None:
        raise Unreadable("its timestamp has no zone: give `zone`, that of the machine it ran on")
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _subject(label: str, kind: str) -> str:
    return f"{TOOL}/{label}" + ("/drift" if kind == DRIFT else "")


def _short(name: Any) -> str:
    """`evidently:metric_v2:ValueDrift` as `ValueDrift`."""
    return clean(text(name).rpartition(":")[2], 80)
