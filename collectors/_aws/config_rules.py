"""The rules of AWS Config in one region, each with what it came to and on how many resources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from collectors._aws.asking import Absent
from collectors._aws.config_recorder import blind
from collectors._aws.source import Place
from collectors._text import clean
from collectors.base import system_of
from evidence.model import EvidenceItem, Outcome
from evidence.times import utc

KIND = "aws.config.rule"
NAMED = 100
# The vendor's words for what a rule says of a resource.
HOLDS, VIOLATED, UNJUDGED = "COMPLIANT", "NON_COMPLIANT", "INSUFFICIENT_DATA"
_EVERY = {
    "One_Hour": timedelta(hours=1),
    "Three_Hours": timedelta(hours=3),
    "Six_Hours": timedelta(hours=6),
    "Twelve_Hours": timedelta(hours=12),
    "TwentyFour_Hours": timedelta(hours=24),
}
# A run may be late; one that was left out altogether is overdue.
_GRACE = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as the four calls describe it; `blind` says why nobody would see a change."""

    told: Mapping[str, Any]
    status: Mapping[str, Any]
    summary: str
    results: Sequence[Mapping[str, Any]]
    blind: str
    now: datetime

    @property
    def name(self) -> str:
        return str(self.told["ConfigRuleName"])

    @property
    def last(self) -> datetime | None:
        """When it was last evaluated with success."""
        found = self.status.get("LastSuccessfulEvaluationTime")
        return utc(found) if isinstance(found, datetime) else None

    def trouble(self) -> str:
        """Why what it says cannot be relied on, empty if it can."""
        failed = self.status.get("LastFailedEvaluationTime")
        every = _EVERY.get(str(self.told.get("MaximumExecutionFrequency", "")))
        if self.last is None:
            return "it was never evaluated"
        if isinstance(failed, datetime) and utc(failed) > self.last:
            return f"its last evaluation failed ({self.status.get('LastErrorCode', 'no code')})"
        if every and self.now - self.last > every * _GRACE:
            hours = int(every / timedelta(hours=1))
            return f"it was last evaluated on {self.last:%Y-%m-%d}, though due every {hours} h"
        return "" if every else self.blind


def rules(place: Place, wanted: Callable[[str], bool]) -> Iterator[EvidenceItem]:
    """A state a rule, and one more for each AI system among its resources."""
    listed = place.every("config", "describe_config_rules", "ConfigRules")
    states = _by_name(place.every(
        "config", "describe_config_rule_evaluation_status", "ConfigRulesEvaluationStatus"
    ))  # fmt: skip
    summaries = _by_name(
        place.every("config", "describe_compliance_by_config_rule", "ComplianceByConfigRules")
    )
    unseen = blind(place)
    for told in listed:
        name = str(told["ConfigRuleName"])
        if not wanted(name):
            continue
        try:
            results = place.every(
                "config", "get_compliance_details_by_config_rule", "EvaluationResults",
                ConfigRuleName=name,
            )  # fmt: skip
        except Absent:
            place.asking.gap(place.subject(name), "the rule was deleted while it was read")
            continue
        summary = str(summaries.get(name, {}).get("Compliance", {}).get("ComplianceType", ""))
        rule = Rule(told, states.get(name, {}), summary, results, unseen, place.asking.now)
        yield from _items(place, rule)


def _by_name(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {str(row["ConfigRuleName"]): row for row in rows}


def _items(place: Place, rule: Rule) -> Iterator[EvidenceItem]:
    own = system_of(place.source.systems, rule.name)
    yield _item(place, rule, rule.results, own)
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for result in rule.results:
        system = system_of(place.source.systems, _resource(result)[1])
        if system and system != own:
            parts.setdefault(system, []).append(result)
    for system, results in sorted(parts.items()):
        yield _item(place, rule, results, system, whole=False)


def _item(
    place: Place, rule: Rule, results: Sequence[Mapping[str, Any]], system: str, *,
    whole: bool = True,
) -> EvidenceItem:  # fmt: skip
    counts = Counter(str(result.get("ComplianceType", "")) for result in results)
    outcome, said = _judged(rule, counts, rule.summary if whole else "")
    violating = sorted(_violating(results), key=lambda one: (one["type"], one["id"]))
    told = {
        **_definition(rule.told),
        "resources": dict(sorted(counts.items())),
        "violating": violating[:NAMED],
        "violating_count": len(violating),
        # The day only: a rule that runs each hour and finds the same is one state.
        "last_evaluated": f"{rule.last:%Y-%m-%d}" if rule.last else "",
        "trouble": rule.trouble(),
    }
    return place.state(
        KIND, rule.name, told, f"AWS Config rule {rule.name} in {place.region}: {said}", outcome,
        system=system, locator=str(rule.told.get("ConfigRuleArn", "")),
    )  # fmt: skip


def _judged(rule: Rule, counts: Counter[str], summary: str) -> tuple[Outcome, str]:
    """A violation is one however old; anything else must be known to hold today."""
    total = counts.total()
    if counts[VIOLATED] or summary == VIOLATED:
        return Outcome.FAILED, f"{counts[VIOLATED]} of {total} resources violate it"
    if rule.trouble():
        return Outcome.ERROR, rule.trouble()
    if counts[UNJUDGED] or (not counts[HOLDS] and summary in {UNJUDGED, ""}):
        return Outcome.ERROR, f"{counts[UNJUDGED]} of {total} resources could not be judged"
    if not counts[HOLDS]:
        return Outcome.RECORDED, "it applies to no resource"
    return Outcome.PASSED, f"none of {total} resources violates it"


def _definition(told: Mapping[str, Any]) -> dict[str, Any]:
    owner = told.get("Source", {})
    return {
        "name": told["ConfigRuleName"],
        "rule_id": told.get("ConfigRuleId", ""),
        "description": clean(str(told.get("Description", "")), 500),
        "owner": owner.get("Owner", ""),
        "identifier": owner.get("SourceIdentifier", ""),
        "parameters": told.get("InputParameters", ""),
        "scope": sorted(told.get("Scope", {}).get("ComplianceResourceTypes", [])),
        "frequency": told.get("MaximumExecutionFrequency", ""),
        "state": told.get("ConfigRuleState", ""),
    }


def _resource(result: Mapping[str, Any]) -> tuple[str, str]:
    named = result.get("EvaluationResultIdentifier", {}).get("EvaluationResultQualifier", {})
    return str(named.get("ResourceType", "")), str(named.get("ResourceId", ""))


def _violating(results: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    for result in results:
        if result.get("ComplianceType") == VIOLATED:
            kind, name = _resource(result)
            yield {"type": kind, "id": name, "why": clean(str(result.get("Annotation", "")))}
