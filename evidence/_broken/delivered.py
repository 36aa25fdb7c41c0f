"""From a version to its service: approval, training, evaluation, data and monitoring."""

from __future__ import annotations

from collections.abc import Iterator

from evidence._broken.look import Check, Look, broken, running, time
from evidence.people import same_account
from evidence.trace import Broken, Node, Stage, newest


def _approvals(look: Look) -> Iterator[Broken]:
    for one in look.graph.at(Stage.APPROVAL):
        if one.failed:
            yield broken("approval-does-not-hold", one, Stage.APPROVAL, one.title, one)
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
                yield broken("live-without-approval", live, Stage.APPROVAL, why, version)
            continue
        yield from _order(live, version, good)
        for one in good:
            if one.who and same_account(one.who, version.who, look.graph.accounts):
                why = f"{version.key} was approved by {one.who}, who made it"
                yield broken("approved-by-its-author", version, Stage.APPROVAL, why, one)


def _order(live: Node, version: Node, approvals: list[Node]) -> Iterator[Broken]:
    dated = [one.at for one in approvals if one.at is not None]
    began = time(live.facts.get("began", "")) or live.at
    if dated and began and min(dated) > began:
        why = (
            f"{version.key} went live on {began.date()}, before its first approval on "
            f"{min(dated).date()}"
        )
        yield broken("deployed-before-approval", live, Stage.APPROVAL, why, *approvals)


def _versions(look: Look) -> Iterator[Broken]:
    for version in dict.fromkeys(version for _, version in look.graph.live()):
        runs = look.graph.named(version, Stage.TRAINING)
        if not runs:
            why = f"{version.key} is live and the run that trained it did not land"
            yield broken("live-without-training", version, Stage.TRAINING, why)
        data = [d for run in runs for d in look.graph.naming(run, Stage.DATA)]
        data = [d for d in data if d.facts.get("context", "") != "evaluation"]
        if runs and not data:
            why = f"no data set that {version.key} was trained on landed"
            yield broken("training-without-data", version, Stage.DATA, why, *runs)
        yield from _evaluations(look, version)
        yield from _checks(look, version, data)


def _evaluations(look: Look, version: Node) -> Iterator[Broken]:
    named = look.graph.naming(version, Stage.EVALUATION)
    if named:
        return
    last = newest(look.graph.of(version.system, Stage.EVALUATION)) if version.system else None
    if last is None:
        why = f"{version.key} is live and no evaluation of it landed"
        yield broken("live-without-evaluation", version, Stage.EVALUATION, why)
    elif last.at and version.at and last.at < version.at:
        why = (
            f"the last evaluation for {version.system} ({last.day}) is older than {version.key} "
            f"({version.day})"
        )
        yield broken("evaluation-older-than-version", version, Stage.EVALUATION, why, last)


def _checks(look: Look, version: Node, data: list[Node]) -> Iterator[Broken]:
    checks = look.graph.of(version.system, Stage.CHECK) if version.system else ()
    last = newest(checks)
    if last is None:
        why = f"{version.key} is live and no check of its data landed"
        yield broken("data-without-check", version, Stage.CHECK, why, *data)
        return
    for one in checks:
        if one.failed:
            yield broken("data-check-failed", one, Stage.CHECK, one.title, version)
    read = newest(data)
    if read and read.at and last.at and last.at < read.at:
        why = f"{read.title} was read on {read.day}, after the last check of data on {last.day}"
        yield broken("data-changed-after-check", version, Stage.CHECK, why, read, last)


def _monitoring(look: Look) -> Iterator[Broken]:
    live = {version.system for _, version in look.graph.live()}
    for system in look.graph.at(Stage.SYSTEM):
        if not running(system) or system.system not in live:
            continue
        last = newest(look.graph.of(system.system, Stage.MONITORING))
        if last is None or last.at is None:
            why = f"{system.key} is live and nothing that monitors it landed"
            yield broken("live-without-monitoring", system, Stage.MONITORING, why)
        elif look.now - last.at > look.silent:
            why = f"monitoring of {system.key} is silent since {last.day}"
            yield broken("monitoring-silent", system, Stage.MONITORING, why, last)


CHECKS: tuple[Check, ...] = (_approvals, _versions, _monitoring)
