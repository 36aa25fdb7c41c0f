"""Before anything is built: requirements, risks, treatments, the inventory and its assessments."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from evidence._broken.look import Check, Look, broken, day, running
from evidence.attestation import EARLY
from evidence.people import same_account
from evidence.trace import Broken, Node, Stage, newest

_DONE = {"done", "closed", "complete", "completed", "implemented", "finished"}
_NOT_TREATED = {"accept", "accepted", "tolerate", "retain", "none", ""}
_SCALE = ("none", "very low", "low", "medium", "high", "very high", "critical")
_MAJOR = "event:significant_change"


def _requirements(look: Look) -> Iterator[Broken]:
    """What law, contract or people ask for must reach a risk or a system; a need may be met."""
    for one in look.graph.at(Stage.REQUIREMENT):
        reached = [
            *look.graph.naming(one, Stage.RISK, Stage.SYSTEM),
            *look.graph.named(one, Stage.RISK, Stage.SYSTEM, Stage.REQUIREMENT),
        ]
        if not reached and not one.system and not one.facts.get("met_by"):
            why = f"{one.key} ({one.title}) leads to no risk and to no AI system"
            yield broken("requirement-leads-nowhere", one, Stage.RISK, why)


def _risks(look: Look) -> Iterator[Broken]:
    for risk in look.graph.at(Stage.RISK):
        plan = risk.facts.get("treatment", "").lower()
        treated = look.graph.naming(risk, Stage.TREATMENT)
        if plan not in _NOT_TREATED and not treated:
            why = f"risk {risk.key} is to be treated ({plan}), but no treatment names it"
            yield broken("risk-without-treatment", risk, Stage.TREATMENT, why)
        accepted, owner = risk.facts.get("accepted_by", ""), risk.facts.get("owner", "")
        if not accepted:
            why = f"nobody accepted what remains of risk {risk.key}"
            yield broken("risk-not-accepted", risk, Stage.RISK, why)
        elif same_account(accepted, owner, look.graph.accounts):
            why = f"risk {risk.key} was accepted by its own owner, {owner}"
            yield broken("risk-accepted-by-its-owner", risk, Stage.RISK, why)
        else:
            yield from _acceptance(look, risk, accepted)
        if risk.system and not look.graph.of(risk.system, Stage.SYSTEM):
            why = f"risk {risk.key} is about {risk.system}, which the inventory does not hold"
            yield broken("risk-of-an-unknown-system", risk, Stage.SYSTEM, why)


def _acceptance(look: Look, risk: Node, accepted: str) -> Iterator[Broken]:
    since = day(risk.facts.get("accepted", ""))
    if since and since > (look.now + EARLY).date():
        why = f"{accepted} is said to accept risk {risk.key} on {since}, a day to come"
        yield broken("risk-not-accepted", risk, Stage.RISK, why)
    said = risk.facts.get("accepted_until", "")
    until = day(said)
    if said and until is None:
        why = f"{accepted} accepted risk {risk.key} until {said[:20]!r}, which is no day"
        yield broken("acceptance-expired", risk, Stage.RISK, why)
    if until and until < look.now.date():
        why = f"{accepted} accepted risk {risk.key} until {until}, and nobody did so anew"
        yield broken("acceptance-expired", risk, Stage.RISK, why)
    left, most = risk.facts.get("residual", ""), risk.facts.get("accepted_residual", "")
    if left and most and _above(left, most):
        why = f"what remains of risk {risk.key} is {left}, and {accepted} accepted {most}"
        yield broken("residual-above-accepted", risk, Stage.TREATMENT, why)


def _above(left: str, most: str) -> bool:
    """By number, or by the common words; of a scale of one's own only the same word is no more."""
    one, two = left.strip().casefold(), most.strip().casefold()
    if one in _SCALE and two in _SCALE:
        return _SCALE.index(one) > _SCALE.index(two)
    try:
        numbers = float(one), float(two)
    except ValueError:
        return one != two
    return numbers[0] > numbers[1] if all(map(isfinite, numbers)) else one != two


def _treatments(look: Look) -> Iterator[Broken]:
    for one in look.graph.at(Stage.TREATMENT):
        due = day(one.facts.get("due", ""))
        if due and due < look.now.date() and one.facts.get("status", "").lower() not in _DONE:
            why = f"treatment {one.key} was due on {due} and is {one.facts.get('status') or 'open'}"
            yield broken("treatment-overdue", one, Stage.TREATMENT, why)


def _systems(look: Look) -> Iterator[Broken]:
    if not any(look.graph.at(Stage.SYSTEM)):  # an empty graph must not look whole
        why = "no AI system of an inventory landed: whose life this would be is not known"
        yield Broken("no-system-registered", Stage.SYSTEM, "", "", Stage.SYSTEM, why)
    for system in look.graph.at(Stage.SYSTEM):
        for stage, check in (
            (Stage.REQUIREMENT, "system-without-requirement"), (Stage.RISK, "system-without-risk"),
            (Stage.IMPACT, "system-without-impact-assessment"),
        ):  # fmt: skip
            if not look.graph.of(system.system, stage) and not look.graph.naming(system, stage):
                yield broken(check, system, stage, f"no {stage.value} for {system.key} landed")
        yield from _impact(look, system)
        if not system.facts.get("owner"):
            why = f"the inventory names no owner of {system.key}"
            yield broken("system-without-owner", system, Stage.SYSTEM, why)


def _impact(look: Look, system: Node) -> Iterator[Broken]:
    last = newest(look.graph.of(system.system, Stage.IMPACT))
    changes = look.graph.of(system.system, Stage.CHANGE)
    changed = newest(one for one in changes if _MAJOR in one.events)
    if last and last.at and changed and changed.at and last.at < changed.at:
        why = (
            f"the impact assessment of {system.key} ({last.day}) is older than its last "
            f"significant change {changed.key} ({changed.day})"
        )
        yield broken("impact-older-than-change", system, Stage.IMPACT, why, last, changed)


def _models(look: Look) -> Iterator[Broken]:
    if not any(
        look.graph.at(Stage.SYSTEM)
    ):  # without an inventory its absence is one other finding
        return
    for model in look.graph.at(Stage.MODEL):
        listed = look.graph.of(model.system, Stage.SYSTEM) if model.system else ()
        tied = (*look.graph.naming(model, Stage.SYSTEM), *look.graph.named(model, Stage.SYSTEM))
        if not listed and not tied:
            why = f"the model {model.key} belongs to no AI system of the inventory"
            yield broken("model-not-in-inventory", model, Stage.SYSTEM, why)


def _bought(look: Look) -> Iterator[Broken]:
    """A model of a supplier that it changed must have been evaluated since."""
    for model in look.graph.at(Stage.MODEL):
        changed = day(model.facts.get("model_changed", ""))
        if changed is None or changed > look.now.date():
            continue
        systems = (*look.graph.naming(model, Stage.SYSTEM), *look.graph.named(model, Stage.SYSTEM))
        for system in dict.fromkeys(systems):
            last = newest(look.graph.of(system.system, Stage.EVALUATION))
            since = last is not None and last.at is not None and last.at.date() >= changed
            if running(system) and not since:
                why = (
                    f"{model.title} changed what {system.key} rests on on {changed}, and no "
                    "evaluation since landed"
                )
                yield broken(
                    "evaluation-older-than-supplier-change", system, Stage.EVALUATION, why, model,
                    *((last,) if last else ()),
                )  # fmt: skip


CHECKS: tuple[Check, ...] = (_requirements, _risks, _treatments, _systems, _models, _bought)
