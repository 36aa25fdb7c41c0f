"""What one file stored by Great Expectations (1.x or 0.x) says, without the raw values in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._checks.fields import loose, shortened, text
from collectors._checks.json_files import Origin, Unreadable
from collectors._checks.results import Criterion, Suite, words
from collectors._checks.weakened import Strict, finding
from collectors.base import system_of
from evidence.canonical import digest, plain
from evidence.errors import InvalidItem
from evidence.freshness import CLOCK_SKEW
from evidence.model import EvidenceItem, Nature, Outcome
from evidence.times import parse, stamp

RESULT, SUITE = "gx.validation_result", "gx.expectation_suite"
# Counts say how bad it is; every other key of a result may hold cells of the table.
_COUNTS = (
    "element_count", "unexpected_count", "unexpected_percent", "missing_count", "missing_percent",
    "unexpected_percent_total", "unexpected_percent_nonmissing",
)  # fmt: skip
_STATISTICS = (
    "evaluated_expectations", "successful_expectations", "unsuccessful_expectations",
    "success_percent",
)  # fmt: skip
_NOT_CRITERIA = {"batch_id", "result_format", "include_config", "catch_exceptions"}
_MISSING_COLUMN = re.compile(r'(?:Error: )?The column "(.*)" in BatchData does not exist\.')
_ERROR_CLASS = re.compile(r"^(?:\w+\.)*([A-Z]\w*(?:Error|Exception))\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation of a result: its criteria, whether it held, what was raised instead."""

    config: dict[str, Any]
    held: bool
    raised: str | None
    counts: dict[str, Any]

    def named(self, **more: object) -> dict[str, Any]:
        """The criteria with what is told beside them."""
        short = {k: shortened(v) for k, v in self.config["kwargs"].items() if k != "column"}
        return {
            "type": self.config["type"], "column": self.config["kwargs"].get("column"),
            "kwargs": short, "severity": self.config["severity"], **more,
        }  # fmt: skip


def result_item(document: Any, file: str, file_sha256: str, origin: Origin) -> EvidenceItem:
    """The item of one stored validation result. Raises Unreadable."""
    doc, meta = _mapping(document, "the file"), _mapping(_get(document, "meta"), "meta")
    if not isinstance(doc.get("success"), bool) or not isinstance(doc.get("results"), list):
        raise Unreadable("no stored validation result: `success` and `results` are expected")
    suite = text(doc.get("suite_name") or meta.get("expectation_suite_name"))
    if not suite:
        raise Unreadable("names no expectation suite (`suite_name`)")
    at = _run_time(meta, origin.collected_at)
    checks = [_check(entry, number) for number, entry in enumerate(doc["results"], start=1)]
    payload = _payload(doc, meta, suite, checks) | {"run_time": stamp(at)}
    outcome, title = _judged(payload, checks)
    subject = "/".join(part for part in (suite, payload["asset"]) if part)
    return EvidenceItem(
        source=origin.source, kind=RESULT, subject=subject, observed_from=at, observed_to=at,
        collected_at=origin.collected_at, payload=payload | {"file_sha256": file_sha256},
        system=system_of(origin.systems, suite, payload["asset"]), title=f"{subject}: {title}",
        outcome=outcome, locator=file,
    )  # fmt: skip


def suite_item(
    document: Any, file: str, origin: Origin, strict: Strict, answers: Mapping[str, str]
) -> tuple[EvidenceItem, Strict]:
    """The state of one expectation suite, and what to hold it to next time. Raises Unreadable.

    `strict` holds, by suite, what each once asked; a weakening that nobody answers for has failed.
    """
    doc = _mapping(document, "the file")
    suite = text(doc.get("name") or doc.get("expectation_suite_name"))
    if not suite or not isinstance(doc.get("expectations"), list):
        raise Unreadable("no expectation suite: `name` and `expectations` are expected")
    configs = [_config(entry, n) for n, entry in enumerate(doc["expectations"], start=1)]
    payload = {
        "suite": suite, "expectations": configs, "expectation_count": len(configs),
        "suite_sha256": suite_digest(configs),
    }  # fmt: skip
    held = Suite("gx", suite, suite, _criteria(configs))
    weaker, after = finding(strict.get(suite, {}), held, answers)
    item = EvidenceItem(
        source=origin.source, kind=SUITE, subject=suite, observed_from=origin.collected_at,
        observed_to=origin.collected_at, collected_at=origin.collected_at,
        payload=payload | ({"weaker": weaker} if weaker else {}),
        nature=Nature.STATE, system=system_of(origin.systems, suite), locator=file,
        title=f"Expectation suite {suite}: {len(configs)} expectations{words(weaker)}",
        outcome=Outcome.FAILED if weaker and not weaker["answer"] else Outcome.RECORDED,
    )  # fmt: skip
    return item, {**strict, suite: after}


def _criteria(configs: list[dict[str, Any]]) -> tuple[Criterion, ...]:
    """Named by type, column and place among those of the same, as ids change with each save."""
    seen: Counter[str] = Counter()
    found = []
    for config in sorted(configs, key=lambda one: digest(plain(one["kwargs"]))):
        column = config["kwargs"].get("column")
        name = config["type"] + (f" of {column}" if column is not None else "")
        seen[name] += 1
        severity = "error" if config["severity"] == "critical" else config["severity"]
        found.append(Criterion(
            f"{name} #{seen[name]}", config["type"], str(column or ""), severity, config["kwargs"]
        ))  # fmt: skip
    return tuple(found)


def suite_digest(configs: list[dict[str, Any]]) -> str:
    """SHA-256 over type, criteria and severity, whatever their order, ids and notes.

    The same suite has the same digest in its own file and in the results that it judged.
    """
    return digest(sorted(digest(plain(config)) for config in configs))


def _payload(
    doc: Mapping[str, Any], meta: Mapping[str, Any], suite: str, checks: list[Check]
) -> dict[str, Any]:
    given = loose(doc.get("statistics"))
    batch, spec = loose(meta.get("active_batch_definition")), loose(meta.get("batch_kwargs"))
    statistics = {key: given[key] for key in _STATISTICS if key in given}
    return {
        "suite": suite,
        "asset": text(batch.get("data_asset_name") or spec.get("data_asset_name")),
        "datasource": text(batch.get("datasource_name") or spec.get("datasource")),
        "run_name": text(loose(meta.get("run_id")).get("run_name")),
        "success": doc["success"],
        "statistics": statistics,
        "expectation_count": _evaluated(statistics, checks),
        "failed": [c.named(**c.counts) for c in checks if not c.held and c.raised is None],
        "errors": [c.named(raised=c.raised) for c in checks if c.raised is not None],
        "suite_sha256": suite_digest([check.config for check in checks]),
        "gx_version": text(
            meta.get("great_expectations_version") or meta.get("great_expectations.__version__")
        ),
        "batch_id": _batch_id(doc, spec),
        "loaded_at": text(loose(meta.get("batch_markers")).get("ge_load_time")),
    }


def _evaluated(statistics: Mapping[str, Any], checks: list[Check]) -> int:
    told = statistics.get("evaluated_expectations")
    return told if isinstance(told, int) and not isinstance(told, bool) else len(checks)


def _judged(payload: Mapping[str, Any], checks: list[Check]) -> tuple[Outcome, str]:
    """An error outweighs a failure: what could not be examined says nothing about the rest."""
    count, errors = payload["expectation_count"], len(payload["errors"])
    if errors:
        return Outcome.ERROR, f"{errors} of {count} checks could not run"
    if count < 1:
        return Outcome.ERROR, "no check was evaluated"
    failed = len(payload["failed"]) or payload["statistics"].get("unsuccessful_expectations") or 0
    if failed or not payload["success"]:
        return Outcome.FAILED, f"{failed} of {count} checks failed"
    if not checks:
        return Outcome.ERROR, f"{count} checks claimed, none kept in the file"
    return Outcome.PASSED, f"{count} checks passed"


def _check(entry: Any, number: int) -> Check:
    entry = _mapping(entry, f"result {number}")
    if not isinstance(entry.get("success"), bool):
        raise Unreadable(f"result {number} does not say whether it held (`success`)")
    config = _config(entry.get("expectation_config"), number)
    counts = loose(entry.get("result"))
    return Check(
        config=config,
        held=entry["success"],
        raised=_raised(entry.get("exception_info"), config["kwargs"].get("column")),
        counts={key: counts[key] for key in _COUNTS if isinstance(counts.get(key), int | float)},
    )


def _config(entry: Any, number: int) -> dict[str, Any]:
    config = _mapping(entry, f"expectation {number}")
    name = text(config.get("type") or config.get("expectation_type"))
    if not name:
        raise Unreadable(f"expectation {number} has no type")
    kwargs = {k: v for k, v in loose(config.get("kwargs")).items() if k not in _NOT_CRITERIA}
    # 0.x knows no severity; 1.x writes its default into every file.
    return {"type": name, "kwargs": kwargs, "severity": text(config.get("severity")) or "critical"}


def _raised(info: Any, column: object) -> str | None:
    """What was raised, in either shape: told directly, or keyed by metric id."""
    told = loose(info)
    for one in (told, *told.values()):
        if isinstance(one, Mapping) and one.get("raised_exception") is True:
            return _reason(text(one.get("exception_message")), one, column)
    return None


def _reason(message: str, raised: Mapping[str, Any], column: object) -> str:
    """Only what cannot hold a cell: a missing column, else the classes of what was raised."""
    missing = _MISSING_COLUMN.fullmatch(message.strip())
    if missing and missing[1] == column:
        return f"column {column} does not exist"
    told = f"{text(raised.get('exception_traceback'))}\n{message}"
    return ", ".join(dict.fromkeys(_ERROR_CLASS.findall(told))) or "an error without a class"


def _run_time(meta: Mapping[str, Any], now: datetime) -> datetime:
    told = loose(meta.get("run_id")).get("run_time") or meta.get("validation_time")
    try:
        at = parse(text(told), what="run_time")
    except InvalidItem as error:
        raise Unreadable(f"{error}: no time is guessed") from error
    if at > now + CLOCK_SKEW:
        raise Unreadable(f"its run_time {stamp(at)} lies in the future: not believed")
    return at


def _batch_id(doc: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    for entry in doc["results"]:
        config = loose(loose(entry).get("expectation_config"))
        if found := text(loose(config.get("kwargs")).get("batch_id")):
            return found
    return text(spec.get("ge_batch_id"))


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Unreadable(f"{what} is no JSON object")
    return value


def _get(value: Any, key: str) -> Any:
    return _mapping(value, "the file").get(key)
