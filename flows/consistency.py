"""How registers fit themselves, each other and the evidence: shown, told to people, landed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Column

from dashboards.model import Attention
from dashboards.text import many
from evidence.canonical import plain
from evidence.consistency import findings
from evidence.errors import InvalidItem
from evidence.held import Finding, Held, Record, Speaking, Used, Whole
from evidence.model import EvidenceItem, Outcome
from evidence.own import CONSISTENCY_KIND, OWN_SOURCE
from evidence.registers import REGISTERS, register_called
from evidence.times import day_or_time, stamp
from flows.config import load, now
from flows.moment import Asked, Moment, answered
from flows.statements import number_of
from flows.terminal import Screen, Table, for_machines, printable
from mappings.in_force import InForce
from storage.actions import land_own
from storage.engine import ample
from storage.held import (
    first_authors,
    models_offered,
    models_used,
    open_findings,
    register_files,
    speaking,
)
from storage.lake import Lake
from storage.own_records import Open
from storage.pages import Connection, records
from storage.population import systems_seen

SEE = "`headwater consistency` shows each with its records: mend the register, or what it is about."
_CALLED = {name: one.name for one in REGISTERS for name in (one.name, *one.also)}
_WHERE = {"aws.sagemaker.model_package": "SageMaker", "aws.bedrock.invocations": "Bedrock"}


def inconsistent(connection: Connection, mapping: InForce, at: datetime) -> Iterator[Attention]:
    """What does not fit among what the connection shows, as of `at`: one sentence for findings
    alike of one register. Raises LakeError."""
    groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for one in found(connection, mapping, at):
        groups[one.check, one.group].append(one)
    for (check, group), alike in groups.items():
        first = alike[0]
        more = f" (+{len(alike) - 1} more)" if len(alike) > 1 else ""
        yield Attention(
            first.severity, f"{first.why[:1].upper()}{first.why[1:]}{more}.", SEE,
            system=first.system if len({one.system for one in alike}) == 1 else "",
            item_id=next(iter(first.item_ids), ""), cause=f"consistency {check} {group}".strip(),
        )  # fmt: skip


def found(connection: Connection, mapping: InForce, at: datetime) -> list[Finding]:
    """Every finding among what the connection shows. Raises LakeError."""
    return findings(held(connection, mapping, at))


def held(connection: Connection, mapping: InForce, at: datetime) -> Held:
    """Registers, documents and what evidence shows beside them. Raises LakeError."""
    authors = first_authors(connection, ("risks", "risk_register"))
    told = [record_of(row, authors) for row in records(connection, *_CALLED)]
    left_out = [one.id for one in told if one.register == "soa"
                and one.fields.get("applicable") is False]  # fmt: skip
    wholes = (whole_of(row) for row in register_files(connection))
    annex = [one for one in mapping.catalogue.controls if one.kind != "clause"]
    out = {one.id for one in annex if one.number in {number_of(key) for key in left_out}}
    return Held(
        at, told, [one for one in wholes if one is not None],
        [Used(_name(row["name"]), str(row["version"]), row["at"], row["item_id"], row["system"],
              _WHERE.get(row["kind"], "")) for row in models_used(connection)]
        + [Used(_name(row["name"]), "", row["at"], row["item_id"], offered=True)
           for row in models_offered(connection)],
        frozenset(name for name, row in systems_seen(connection).items() if row["uncorrected"]),
        {row["control"].rpartition(":")[2]: Speaking(row["items"], row["title"], row["item_id"])
         for row in speaking(connection, out, {one.id for one in annex} - out)},
        [one.number for one in annex],
        [one.number for one in mapping.catalogue.controls if one.kind == "clause"],
        frameworks_known(mapping),
    )  # fmt: skip


def frameworks_known(mapping: InForce) -> list[str]:
    """The ids that an obligation may name; none where the mapping is of before there were any."""
    own = {one.id.partition(":")[0] for one in mapping.catalogue.controls}
    return sorted({*mapping.frameworks, *own}) if mapping.frameworks else []


def record_of(row: Mapping[str, Any], authors: Mapping[str, str]) -> Record:
    """Of a row of `storage.pages.records`, by the name that Headwater knows the register by; an
    inventory's record names no system."""
    key, name = str(row.get("id", "")), _CALLED[row["register"]]
    author = authors.get(f"{row['register']}/{key}", "")
    fields = dict(row) | ({"system": ""} if name == "ai_systems" else {})
    return Record(name, key, fields, row["item_id"], author)


def whole_of(row: Mapping[str, Any]) -> Whole | None:
    """Of a row of `storage.held.register_files`: a register that Headwater knows, or a document."""
    told, document = row["payload"], row["kind"] == "git.document"
    known = None if document else register_called(str(told.get("register") or ""))
    if not document and known is None:
        return None
    days = [day for name in ("reviewed", "approved") if (day := _day(told.get(name)))]
    owner = str(told.get("owner") or "").strip()
    return Whole(
        known.name if known else str(row["subject"]), document, owner, max(days, default=None),
        _day(told.get("next_review")), row["item_id"],
        str(told.get("system") or "").strip() if document else "",
    )  # fmt: skip


def _day(value: object) -> datetime | None:
    try:
        return day_or_time(str(value)) if value else None
    except InvalidItem:
        return None


def _name(model: str) -> str:
    """Bedrock names a model by its id, an ARN, or a profile of a region: `us.` before the id."""
    name = model.rpartition("/")[2]
    region, dot, rest = name.partition(".")
    return rest if dot and region in {"us", "eu", "apac", "global", "us-gov"} else name


def land_findings(lake: Lake, shown: Moment) -> int:
    """Land each finding that is new, and each that is found no more; how many items that were.

    A finding of no AI system's: a sentence about a system is no evidence of it. Raises LakeError.
    """
    with shown.connect(lake, ample()) as connection:
        seen = found(connection, shown.mapping, shown.at)
        open_ = open_findings(connection)
    now_ = {f"{one.check}/{one.about}": one for one in seen}
    begun = [
        _began(subject, one, shown.at) for subject, one in now_.items() if subject not in open_
    ]
    ended = [_ended(one, shown.at) for subject, one in open_.items() if subject not in now_]
    if begun or ended:
        land_own(lake, lambda _: ((*begun, *ended), None))
    return len(begun) + len(ended)


def _began(subject: str, one: Finding, at: datetime) -> EvidenceItem:
    payload = {**_told(one), "about": [one.about], "since": stamp(at)}
    return _item(subject, payload, at, at, Outcome.FAILED, one.why)


def _ended(one: Open, at: datetime) -> EvidenceItem:
    since = min(one.since, at)
    payload = {"about": list(one.about), "why": one.sentence, "since": stamp(since),
               "until": stamp(at)}  # fmt: skip
    return _item(one.what, payload, since, at, Outcome.PASSED, f"found no more: {one.sentence}")


def _item(
    subject: str, payload: Mapping[str, object], since: datetime, at: datetime, outcome: Outcome,
    title: str,
) -> EvidenceItem:  # fmt: skip
    return EvidenceItem(
        source=OWN_SOURCE, kind=CONSISTENCY_KIND, subject=subject, observed_from=since,
        observed_to=at, collected_at=at, payload=plain(payload), outcome=outcome, title=title,
        actor=OWN_SOURCE,
    )  # fmt: skip


def _told(one: Finding) -> dict[str, Any]:
    return {"check": one.check, "about": one.about, "register": one.group, "system": one.system,
            "why": one.why, "item_ids": list(one.item_ids)}  # fmt: skip


def show(file: Path, asked: Asked | None, *, as_json: bool) -> int:
    """Print every finding; 3 if there is any, else 0. Raises ConfigError, LakeError."""
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    shown = answered(lake, config, asked)
    with shown.connect(lake, ample()) as connection:
        seen = found(connection, shown.mapping, shown.at)
    if as_json:
        told = {"as_of": shown.token, "findings": [_told(one) for one in seen]}
        print(for_machines(told))
    else:
        _print(seen, shown.token)
    return 3 if seen else 0


def _print(seen: list[Finding], token: str) -> None:
    console = Screen(highlight=False)
    console.print(f"as of {token}", soft_wrap=True)
    if not seen:
        console.print("nothing was found that does not fit, among what landed")
        return
    table = Table("finding", Column("why", overflow="fold"), "item")
    for one in seen:
        item = one.item_ids[0][:12] if one.item_ids else ""
        table.add_row(*(escape(printable(cell)) for cell in (one.check, one.why, item)))
    console.print(table)
    console.print(many(len(seen), "finding"))
