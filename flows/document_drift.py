"""Where documents no longer say what is done: found, landed while it lasts, and shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboards.model import Attention
from evidence.canonical import plain
from evidence.documents import TEMPLATE, UNTOLD, Drift, Facts, Rendered, drifted
from evidence.errors import ConfigError, MappingError
from evidence.model import EvidenceItem, Outcome
from evidence.own import DRIFT_KIND, OWN_SOURCE
from evidence.times import stamp
from flows.config import Config
from flows.document_facts import facts
from mappings.documents import load_templates, render
from storage.actions import land_own
from storage.documents import documents, drifts_told
from storage.engine import Connection
from storage.lake import Lake
from storage.views import connect

AGAIN = (
    "Render it again (`headwater documents render FOLDER --only {template} --again`) and let its "
    "approvers read it, or take back what changed."
)


@dataclass(frozen=True, slots=True)
class Drifted:
    """A document, by its item, its source and its path there, with what it says that is not so."""

    item_id: str
    source: str
    path: str
    system: str
    title: str
    template: str
    drifts: tuple[Drift, ...]

    @property
    def subject(self) -> str:
        """By which its records are told from those of other documents."""
        return f"{self.source}/{self.path}"

    @property
    def sentence(self) -> str:
        """For people: the first of what is not so, and how many more there are."""
        more = f" (+{len(self.drifts) - 1} more)" if len(self.drifts) > 1 else ""
        return f"{self.title} ({self.path}) is outdated: {self.drifts[0].sentence}{more}."


def rendered_documents(connection: Connection, config: Config) -> list[Drifted]:
    """Each document that stands and was rendered, with its drifts; most have none.

    Facts or templates that cannot be read are a drift of every document. Raises LakeError.
    """
    found = [(row, Rendered.read(row["fields"].get("rendered"))) for row in documents(connection)]
    then = [(row, made) for row, made in found if made is not None]
    if not then:
        return []
    try:
        now = _Now(load_templates(config.own_documents), facts(connection, config))
    except (ConfigError, MappingError) as error:
        lost = (Drift(UNTOLD, "as rendered", f"not to be told: {error}"),)
        return [_one(row, made, lost) for row, made in then]
    return [_one(row, made, now.drifts(made, row["system"])) for row, made in then]


def _one(row: Mapping[str, Any], made: Rendered, found: Sequence[Drift]) -> Drifted:
    return Drifted(
        item_id=row["item_id"], source=row["source"], path=row["path"], system=row["system"],
        title=row["title"], template=made.template, drifts=tuple(found),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Now:
    templates: Mapping[str, Any]
    facts: Facts

    def drifts(self, then: Rendered, system: str) -> Sequence[Drift]:
        template = self.templates.get(then.template)
        if template is None:
            return tuple(drifted(then, None))
        if template.each and system not in self.facts["systems"]:
            return (Drift(f"AI system {system}", "registered", ""),)
        try:
            _, now = render(template, self.facts, system if template.each else "")
        except MappingError as error:
            return (Drift(TEMPLATE, then.template, str(error)),)
        return tuple(drifted(then, now))


def land_drift(lake: Lake, config: Config) -> int:
    """Land what is outdated now and was not, or otherwise, and what is no more; how many items.

    A document that is gone, or is no draft of ours any more, says nothing: its finding ends.
    Raises LakeError.
    """
    at = lake.clock()
    with connect(lake) as connection:
        found = {one.subject: one for one in rendered_documents(connection, config)}
        told = drifts_told(connection)
    items = [
        _item(one, told.get(subject, {}), at)
        for subject, one in found.items()
        if _told(one.drifts) != told.get(subject, {}).get("drifts", [])
    ]
    items += [_over(record, at) for subject, record in told.items()
              if record["drifts"] and subject not in found]  # fmt: skip
    if items:
        land_own(lake, lambda _: (tuple(items), None))
    return len(items)


def _told(drifts: Sequence[Drift]) -> list[dict[str, str]]:
    return [{"fact": one.fact, "then": one.then, "now": one.now} for one in drifts]


def _item(one: Drifted, before: Mapping[str, Any], at: datetime) -> EvidenceItem:
    since = before.get("since") if before.get("drifts") else None
    payload = {
        "document": one.path, "of": one.source, "item": one.item_id, "template": one.template,
        "drifts": _told(one.drifts), "since": since or stamp(at),
    }  # fmt: skip
    title = one.sentence if one.drifts else f"{one.title} ({one.path}) says what is done again"
    return _landed(one.subject, one.system, payload, title, at)


def _over(record: Mapping[str, Any], at: datetime) -> EvidenceItem:
    payload = {key: record[key] for key in ("document", "of", "item", "template", "since")}
    title = f"{record['document']} is no rendered document any more"
    subject = f"{record['of']}/{record['document']}"
    return _landed(subject, record["system"], payload | {"drifts": []}, title, at)


def _landed(
    subject: str, system: str, payload: Mapping[str, Any], title: str, at: datetime
) -> EvidenceItem:
    outcome = Outcome.FAILED if payload["drifts"] else Outcome.PASSED
    return EvidenceItem(
        source=OWN_SOURCE, kind=DRIFT_KIND, subject=subject, observed_from=at, observed_to=at,
        collected_at=at, payload=plain(dict(payload)), system=system, outcome=outcome, title=title,
        actor=OWN_SOURCE,
    )  # fmt: skip


def outdated(connection: Connection, config: Config) -> Iterator[Attention]:
    """A sentence for each document that does not say what is done now. Raises LakeError."""
    for one in rendered_documents(connection, config):
        if one.drifts:
            yield _attention(one.sentence, one.template, one.system, one.item_id, one.subject)


def was_outdated(connection: Connection) -> Iterator[Attention]:
    """The same as it had landed by the moment that the connection shows. Raises LakeError."""
    for subject, record in drifts_told(connection).items():
        if record["drifts"]:
            yield _attention(
                record["title"], record["template"], record["system"], record["item"], subject
            )


def _attention(sentence: str, template: str, system: str, item_id: str, subject: str) -> Attention:
    return Attention(
        "stale", sentence, AGAIN.format(template=template), system=system, item_id=item_id,
        cause=f"document {subject}",
    )  # fmt: skip
