"""Verdicts and standings as OSCAL assessment results: each with when it was collected, and until
when it holds.

As in `mappings.oscal`, every word of an enumeration stands here, and uuids are made from what they
name: the same judgement gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from evidence.freshness import ControlStanding, Standing, Verdict
from evidence.times import stamp
from mappings.controls import Control
from mappings.oscal import CATALOG, NS, OSCAL_VERSION, control_id, own_prop

SATISFIED = frozenset({Standing.PROVED, Standing.ATTESTED})
REASONS: Mapping[Standing, str] = {
    Standing.PROVED: "pass", Standing.ATTESTED: "pass", Standing.FAILED: "fail",
}  # fmt: skip
"""`pass`, `fail`, else `other`: what is stale, missing, waived or unsigned is neither."""
TITLE = "Assessment results from continuously collected evidence"
NO_PLAN = (
    "There is no assessment plan in OSCAL. What is asked for, of whom and by when stands in "
    "mapping.json of the pack."
)


def assessment_results(
    standings: Sequence[tuple[Control, ControlStanding]],
    at: datetime,
    result: str,
    begin: datetime | None = None,
) -> dict[str, Any]:
    """OSCAL assessment results of these controls as judged at `at`.

    `result` is the digest of the judgement; `begin` is where the period begins that was looked at.
    What is left out as not applicable was not assessed, and the remarks say why.
    """
    asked = [pair for pair in standings if pair[1].standing is not Standing.NOT_APPLICABLE]
    left = [(c, s) for c, s in standings if s.standing is Standing.NOT_APPLICABLE]
    told: dict[str, Any] = {
        "uuid": _uuid(result, "result"), "title": TITLE,
        "description": "Where each control stands by the evidence in date, and why.",
        "start": stamp(begin or at), "end": stamp(at), "props": [own_prop("result-sha256", result)],
        "reviewed-controls": _reviewed([control for control, _ in asked]),
        "remarks": "\n\n".join(f"Not applicable: {c.number}: {s.why}" for c, s in left) or "None.",
    }  # fmt: skip
    observed = [_observation(result, v) for _, s in asked for v in s.verdicts]
    if observed:
        told["observations"] = observed
    if findings := [_finding(result, control, stands) for control, stands in asked]:
        told["findings"] = findings
    plan = _uuid(result, "plan")
    body = {
        "uuid": _uuid(result, "assessment-results"),
        "metadata": {
            "title": TITLE, "last-modified": stamp(at), "version": result[:16],
            "oscal-version": OSCAL_VERSION,
        },
        "import-ap": {"href": f"#{plan}", "remarks": NO_PLAN},
        "results": [told],
        "back-matter": {"resources": [{"uuid": plan, "description": NO_PLAN}]},
    }  # fmt: skip
    return {"assessment-results": body}


def _reviewed(controls: Iterable[Control]) -> dict[str, Any]:
    chosen = [{"control-id": control_id(control)} for control in controls]
    if not chosen:
        return {"control-selections": [{"description": "No control was assessed."}]}
    return {"control-selections": [{
        "description": f"Controls of {CATALOG} (ISO/IEC 42001:2023).", "include-controls": chosen,
    }]}  # fmt: skip


def _observation(result: str, verdict: Verdict) -> dict[str, Any]:
    about = verdict.system or "the organisation"
    told: dict[str, Any] = {
        "uuid": _verdict_uuid(result, verdict),
        "title": f"{verdict.evidence.replace('_', ' ')} · {about}",
        "description": verdict.why, "methods": ["EXAMINE"],
        "props": list(_props(verdict)),
        "collected": stamp(verdict.newest or verdict.judged_at),
    }  # fmt: skip
    if verdict.newest is None:
        told["remarks"] = "Nothing was collected; the time is that of the judgement."
    if verdict.fresh_until is not None:
        told["expires"] = stamp(verdict.fresh_until)
    if verdict.item_id:
        item = {"description": f"Item {verdict.item_id} of the lake."}
        told["relevant-evidence"] = [item | {"props": [own_prop("item-id", verdict.item_id)]}]
    return told


def _props(verdict: Verdict) -> Iterator[dict[str, str]]:
    yield own_prop("state", "failed" if verdict.failed else verdict.state.value)
    yield own_prop("evidence-kind", verdict.evidence)
    if verdict.system:
        yield own_prop("system", verdict.system)


def _finding(result: str, control: Control, stands: ControlStanding) -> dict[str, Any]:
    state = "satisfied" if stands.standing in SATISFIED else "not-satisfied"
    target = {
        "type": "statement-id", "target-id": f"{control_id(control)}_ovw",
        "status": {"state": state, "reason": REASONS.get(stands.standing, "other")},
    }  # fmt: skip
    told: dict[str, Any] = {
        "uuid": _uuid(result, "finding", control.id), "title": f"{control.number} {control.title}",
        "description": stands.why, "target": target,
        "props": [own_prop("standing", stands.standing.value)],
    }  # fmt: skip
    if stands.verdicts:
        told["related-observations"] = [
            {"observation-uuid": _verdict_uuid(result, verdict)} for verdict in stands.verdicts
        ]
    return told


def _verdict_uuid(result: str, verdict: Verdict) -> str:
    return _uuid(result, "observation", verdict.control, verdict.evidence, verdict.system)


def _uuid(result: str, *what: str) -> str:
    return str(uuid5(NAMESPACE_URL, "\n".join((NS, result, *what))))
