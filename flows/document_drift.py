"""Where documents no longer say what is done: found, landed while it lasts, and shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from flows.document_text import text_drifts
from mappings.documents import load_templates
from mappings.rendering import render
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
    def what(self) -> str:
        """The first of what is not so, and how many more there are; empty if all is so."""
        more = f" (+{len(self.drifts) - 1} more)" if len(self.drifts) > 1 else ""
        return f"{self.drifts[0].sentence}{more}" if self.drifts else ""

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.title} ({self.path}) is outdated: {self.what}."


def rendered_documents(connection: Connection, config: Config) -> list[Drifted]:
    """Each document that stands and was rendered, with its drifts; most have none.

    Facts or templates that cannot be read are a drift of every document; so is that one was
    rendered once and no longer says from what, unless it says `rendered: false`: people keep it by
    hand. Raises LakeError.
    """
    found = [row for row in documents(connection) if row["template"]]
    then = [(row, Rendered.read(row["fields"].get("rendered"))) for row in found]
    silent = [
        _one(row, row["template"], (Drift("rendered", row["template"], ""),))
        for row, made in then
        if made is None and row["fields"].get("rendered") is not False
    ]
    compared = [(row, made) for row, made in then if made is not None]
    if not compared:
        return silent
    try:
        now = _Now(load_templates(config.own_documents), facts(connection, config))
    except (ConfigError, MappingError) as error:
        lost = (Drift(UNTOLD, "as rendered", f"not to be told: {error}"),)
        return [*silent, *(_one(row, made.template, lost) for row, made in compared)]
    return [*silent, *(_one(row, made.template, now.drifts(made, row)) for row, made in compared)]


def _one(row: Mapping[str, Any], template: str, found: Sequence[Drift]) -> Drifted:
    return Drifted(
        item_id=row["item_id"], source=row["source"], path=row["path"], system=row["system"],
        title=str(row["fields"].get("title") or row["title"]), template=template,
        drifts=tuple(found),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Now:
    templates: Mapping[str, Any]
    facts: Facts

    def drifts(self, then: Rendered, row: Mapping[str, Any]) -> Sequence[Drift]:
        """What a document says that is not so: of its facts first, and of its text once they
        agree."""
        template = self.templates.get(then.template)
        if template is None:
            return tuple(drifted(then, None))
        system = row["system"] if template.each else ""
        if template.each and system not in self.facts["systems"]:
            return (Drift(f"AI system {system}", "registered", ""),)
        try:
            now = render(template, self.facts, system)
        except MappingError as error:
            return (Drift(TEMPLATE, then.template, str(error)),)
        told = tuple(drifted(then, now.made))
        return told or tuple(text_drifts(row, template, now, system))


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
        "document": one.path, "title": one.title, "of": one.source, "item": one.item_id,
        "template": one.template, "drifts": _told(one.drifts), "since": since or stamp(at),
    }  # fmt: skip
    title = one.sentence if one.drifts else f"{one.title} ({one.path}) says what is done again"
    return _landed(one.subject, one.system, payload, title, at)


def _over(record: Mapping[str, Any], at: datetime) -> EvidenceItem:
    payload = {key: record[key] for key in ("document", "title", "of", "item", "template", "since")}
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


def outdated(found: Iterable[Drifted]) -> Iterator[Attention]:
    """A sentence for each document that does not say what is done."""
    for one in found:
        if one.drifts:
            yield Attention(
                "stale", one.sentence, AGAIN.format(template=one.template), system=one.system,
                item_id=one.item_id, cause=f"document {one.subject}",
            )  # fmt: skip


def told_documents(connection: Connection) -> list[Drifted]:
    """What had landed of documents' drifts by the moment that the connection shows.

    Raises LakeError.
    """
    return [
        Drifted(
            item_id=record["item"], source=record["of"], path=record["document"],
            system=record["system"], title=record.get("title") or record["document"],
            template=record["template"], drifts=tuple(Drift(**one) for one in record["drifts"]),
        )
        for record in drifts_told(connection).values()
    ]  # fmt: skip
