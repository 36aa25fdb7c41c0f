"""What follows: incidents, changes, and names that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from evidence._broken.look import FOLLOW_UP, Check, Look, broken
from evidence.incidents import grave
from evidence.trace import Broken, Node, Stage

_MAJOR, _SIGNIFICANT = "event:incident_major", "event:significant_change"


def _incidents(look: Look) -> Iterator[Broken]:
    for one in look.graph.at(Stage.INCIDENT):
        major = _MAJOR in one.events or grave(one.facts.get("severity", ""))
        if not major or (one.at is not None and look.now - one.at < FOLLOW_UP):
            continue
        if not (look.graph.naming(one, Stage.CHANGE) or look.graph.named(one, Stage.CHANGE)):
            why = f"incident {one.key} of {one.day} is major, and no change or action follows it"
            yield broken("incident-without-change", one, Stage.CHANGE, why)


def _unnamed(look: Look, change: Node) -> Iterator[Broken]:
    versions = (*look.graph.named(change, Stage.VERSION), *look.graph.naming(change, Stage.VERSION))
    said = any(one.stage is Stage.VERSION for one in change.names)
    if _SIGNIFICANT in change.events and change.system and not versions and not said:
        why = f"change {change.key} of {change.system} is significant and names no model version"
        yield broken("change-without-version", change, Stage.VERSION, why)


def _changes(look: Look) -> Iterator[Broken]:
    for one in look.graph.at(Stage.CHANGE):
        yield from _unnamed(look, one)
    for stage in (Stage.CHANGE, Stage.DEPLOYMENT):
        for one in look.graph.at(stage):
            if one.failed:
                yield broken(f"{stage.value}-does-not-hold", one, Stage.APPROVAL, one.title)


def _dangling(look: Look) -> Iterator[Broken]:
    for node in look.graph.nodes:
        for one in look.graph.dangling(node):
            why = f"{node.stage.value} {node.key} names the {one.stage.value} {one.key}, which "
            yield broken("dangling-reference", node, one.stage, f"{why}did not land")


CHECKS: tuple[Check, ...] = (_incidents, _changes, _dangling)
