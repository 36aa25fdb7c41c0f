"""Every broken edge of a life cycle, each found by one small check and said in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from evidence.people import same_person as same
from evidence.trace import Broken, Graph, Node, Stage, newest

SILENT = timedelta(days=31)
"""How long monitoring of a live system may bring nothing, where nobody says otherwise."""

BY_OUTCOME = {Stage.APPROVAL, Stage.CHECK, Stage.DEPLOYMENT, Stage.CHANGE}
"""Where a node is asked whether it failed, whomever it names."""
_DONE = {"done", "closed", "complete", "completed", "implemented", "finished"}
_NOT_TREATED = {"accept", "accepted", "tolerate", "retain", "none", ""}
_NOT_RUNNING = {
    "retired",
    "withdrawn",
    "planned",
    "idea",
    "design",
    "development",
    "decommissioned",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at, as of when, and how long monitoring may be silent."""

    graph: Graph
    now: datetime
    silent: timedelta = SILENT


Check = Callable[[Look], Iterator[Broken]]


def broken_edges(look: Look) -> list[Broken]:
    """Every broken edge as of `look.now` (zone-aware), by system and stage of the life cycle."""
    found = {one: None for check in CHECKS for one in check(look)}
    order = list(Stage)
    return sorted(found, key=lambda b: (b.system, order.index(b.stage), b.about, b.check))


def _of(check: str, node: Node, missing: Stage, why: str, *more: Node) -> Broken:
    ids = tuple(dict.fromkeys(one.item_id for one in (node, *more) if one.item_id))
    return Broken(check, node.stage, node.key, node.system, missing, why, ids)


def _risks(look: Look) -> Iterator[Broken]:
    for risk in look.graph.at(Stage.RISK):
        plan = risk.facts.get("treatment", "").lower()
        treated = look.graph.naming(risk, Stage.TREATMENT)
        if plan not in _NOT_TREATED and not treated:
            why = f"risk {risk.key} is to be treated ({plan}), but no treatment names it"
            yield _of("risk-without-treatment", risk, Stage.TREATMENT, why)
        accepted, owner = risk.facts.get("accepted_by", ""), risk.facts.get("owner", "")
        if not accepted:
            why = f"nobody accepted what remains of risk {risk.key}"
            yield _of("risk-not-accepted", risk, Stage.RISK, why)
        elif _same(accepted, owner):
            why = f"risk {risk.key} was accepted by its own owner, {owner}"
            yield _of("risk-accepted-by-its-owner", risk, Stage.RISK, why)
        if risk.system and not look.graph.of(risk.system, Stage.SYSTEM):
            why = f"risk {risk.key} is about {risk.system}, which the inventory does not hold"
            yield _of("risk-of-an-unknown-system", risk, Stage.SYSTEM, why)


def _treatments(look: Look) -> Iterator[Broken]:
    for one in look.graph.at(Stage.TREATMENT):
        due = _day(one.facts.get("due", ""))
        if due and due < look.now.date() and one.facts.get("status", "").lower() not in _DONE:
            why = f"treatment {one.key} was due on {due} and is {one.facts.get('status') or 'open'}"
            yield _of("treatment-overdue", one, Stage.TREATMENT, why)


def _systems(look: Look) -> Iterator[Broken]:
    if not any(look.graph.at(Stage.SYSTEM)):  # an empty graph must not look whole
        why = "no AI system of an inventory landed: whose life this would be is not known"
        yield Broken("no-system-registered", Stage.SYSTEM, "", "", Stage.SYSTEM, why)
    for system in look.graph.at(Stage.SYSTEM):
        for stage, check in (
            (Stage.RISK, "system-without-risk"), (Stage.IMPACT, "system-without-impact-assessment"),
        ):  # fmt: skip
            if not look.graph.of(system.system, stage):
                yield _of(check, system, stage, f"no {stage.value} for {system.key} landed")
        if not system.facts.get("owner"):
            why = f"the inventory names no owner of {system.key}"
            yield _of("system-without-owner", system, Stage.SYSTEM, why)


def _models(look: Look) -> Iterator[Broken]:
    if not any(
        look.graph.at(Stage.SYSTEM)
    ):  # without an inventory its absence is one other finding
        return
    for model in look.graph.at(Stage.MODEL):
        listed = look.graph.of(model.system, Stage.SYSTEM) if model.system else ()
        if not listed and not look.graph.naming(model, Stage.SYSTEM):
            why = f"the model {model.key} belongs to no AI system of the inventory"
            yield _of("model-not-in-inventory", model, Stage.SYSTEM, why)


def _approvals(look: Look) -> Iterator[Broken]:
    for one in look.graph.at(Stage.APPROVAL):
        if one.failed:
            yield _of("approval-does-not-hold", one, Stage.APPROVAL, one.title, one)
    for live, version in look.graph.live():
        approvals = [
            *look.graph.naming(version, Stage.APPROVAL), *look.graph.naming(live, Stage.APPROVAL),
            *look.graph.named(live, Stage.APPROVAL),
            *(a for change in look.graph.named(version, Stage.CHANGE)
              for a in look.graph.naming(change, Stage.APPROVAL)),
        ]  # fmt: skip
        good = [one for one in approvals if not one.failed]
        if not good:
            if not approvals:  # a failed one has been named already
                why = f"{version.key} is live ({live.title}) and no approval of it landed"
                yield _of("live-without-approval", live, Stage.APPROVAL, why, version)
            continue
        yield from _order(live, version, good)
        for one in good:
            if one.who and _same(one.who, version.who):
                why = f"{version.key} was approved by {one.who}, who made it"
                yield _of("approved-by-its-author", version, Stage.APPROVAL, why, one)


def _order(live: Node, version: Node, approvals: list[Node]) -> Iterator[Broken]:
    dated = [one.at for one in approvals if one.at is not None]
    began = _time(live.facts.get("began", "")) or live.at
    if dated and began and min(dated) > began:
        why = (
            f"{version.key} went live on {began.date()}, before its first approval on "
            f"{min(dated).date()}"
        )
        yield _of("deployed-before-approval", live, Stage.APPROVAL, why, *approvals)


def _versions(look: Look) -> Iterator[Broken]:
    for version in dict.fromkeys(version for _, version in look.graph.live()):
        runs = look.graph.named(version, Stage.TRAINING)
        if not runs:
            why = f"{version.key} is live and the run that trained it did not land"
            yield _of("live-without-training", version, Stage.TRAINING, why)
        data = [d for run in runs for d in look.graph.naming(run, Stage.DATA)]
        data = [d for d in data if d.facts.get("context", "") != "evaluation"]
        if runs and not data:
            why = f"no data set that {version.key} was trained on landed"
            yield _of("training-without-data", version, Stage.DATA, why, *runs)
        yield from _evaluations(look, version)
        yield from _checks(look, version, data)


def _evaluations(look: Look, version: Node) -> Iterator[Broken]:
    named = look.graph.naming(version, Stage.EVALUATION)
    if named:
        return
    last = newest(look.graph.of(version.system, Stage.EVALUATION)) if version.system else None
    if last is None:
        why = f"{version.key} is live and no evaluation of it landed"
        yield _of("live-without-evaluation", version, Stage.EVALUATION, why)
    elif last.at and version.at and last.at < version.at:
        why = (
            f"the last evaluation for {version.system} ({last.day}) is older than {version.key} "
            f"({version.day})"
        )
        yield _of("evaluation-older-than-version", version, Stage.EVALUATION, why, last)


def _checks(look: Look, version: Node, data: list[Node]) -> Iterator[Broken]:
    checks = look.graph.of(version.system, Stage.CHECK) if version.system else ()
    last = newest(checks)
    if last is None:
        why = f"{version.key} is live and no check of its data landed"
        yield _of("data-without-check", version, Stage.CHECK, why, *data)
        return
    for one in checks:
        if one.failed:
            yield _of("data-check-failed", one, Stage.CHECK, one.title, version)
    read = newest(data)
    if read and read.at and last.at and last.at < read.at:
        why = f"{read.title} was read on {read.day}, after the last check of data on {last.day}"
        yield _of("data-changed-after-check", version, Stage.CHECK, why, read, last)


def _monitoring(look: Look) -> Iterator[Broken]:
    live = {version.system for _, version in look.graph.live()}
    for system in look.graph.at(Stage.SYSTEM):
        running = system.facts.get("stage", "").lower() not in _NOT_RUNNING
        if not running or system.system not in live:
            continue
        last = newest(look.graph.of(system.system, Stage.MONITORING))
        if last is None or last.at is None:
            why = f"{system.key} is live and nothing that monitors it landed"
            yield _of("live-without-monitoring", system, Stage.MONITORING, why)
        elif look.now - last.at > look.silent:
            why = f"monitoring of {system.key} is silent since {last.day}"
            yield _of("monitoring-silent", system, Stage.MONITORING, why, last)


def _changes(look: Look) -> Iterator[Broken]:
    for stage in (Stage.CHANGE, Stage.DEPLOYMENT):
        for one in look.graph.at(stage):
            if one.failed:
                yield _of(f"{stage.value}-does-not-hold", one, Stage.APPROVAL, one.title)


def _dangling(look: Look) -> Iterator[Broken]:
    for node in look.graph.nodes:
        for one in look.graph.dangling(node):
            why = f"{node.stage.value} {node.key} names the {one.stage.value} {one.key}, which "
            yield _of("dangling-reference", node, one.stage, f"{why}did not land")


CHECKS: tuple[Check, ...] = (
    _risks, _treatments, _systems, _models, _approvals, _versions, _monitoring, _changes, _dangling,
)  # fmt: skip


def _same(one: str, two: str) -> bool:
    """Whether two names that are there are one person's, as far as the names tell."""
    return bool(one.strip() and two.strip()) and same(one, two)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
