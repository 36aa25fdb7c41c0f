"""Where registers contradict themselves, each other or the evidence: one sentence each.

A finding names the record. Nothing here is a judgement of conformity: it says what does not fit.
What the life of an AI system lacks is told by `evidence/broken.py`, what audits lack by
`evidence/audits.py`; neither is told again here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from evidence.fields import like, unread_fields, wrong_fields
from evidence.held import Finding, Held, Record, Used, Whole, finding_of
from evidence.incidents import grave
from evidence.overdue import days, reviews
from evidence.people import accounts, same_account
from evidence.references import dangling, unowned
from evidence.registers import register_called

_TOLD_ELSEWHERE = {
    ("risks", "system"), ("treatment_plan", "risk"), ("findings", "audit"),
    ("corrective_actions", "finding"),
}  # fmt: skip
_SIGNED = {"attestations", "waivers"}
"""Registers whose records count for nothing, and are told so, where a field is wrong."""
_NOT_RUNNING = {"retired", "withdrawn", "planned", "idea", "design", "development",
                "decommissioned"}  # fmt: skip
LONGEST = 500
_USED_TOGETHER = timedelta(days=7)
"""Versions that evidence shows within so long of the newest are in use beside it."""


Check = Callable[[Held], Iterator[Finding]]


def findings(held: Held) -> list[Finding]:
    """Everything that does not fit, by check and record; no sentence fills a page."""
    cut = (replace(one, about=one.about[:LONGEST], why=one.why[:LONGEST])
           for check in CHECKS for one in check(held))  # fmt: skip
    found = dict.fromkeys(cut)
    return sorted(found, key=lambda one: (one.check, one.group, one.about))


def _fields(held: Held) -> Iterator[Finding]:
    """Fields that were read before Headwater knew them: with others the record is an error."""
    for record in held.records:
        known = register_called(record.register)
        if known is None or record.fields.get("problems") or record.register in _SIGNED:
            continue
        for name, told in wrong_fields(known.of_record, record.fields):
            yield finding_of(
                "wrong-field", "judgement", record, f"{record.called}: {told}", part=name
            )


def _unread(held: Held) -> Iterator[Finding]:
    for record in held.records:
        known = register_called(record.register)
        for name, told in unread_fields(known.of_record, record.fields) if known else ():
            why = f"{record.called}: {told}"
            yield finding_of("unread-field", "judgement", record, why, part=name)


def _references(held: Held) -> Iterator[Finding]:
    for one in dangling(held):
        part = f"{one.field} {one.key}"
        if isinstance(one.by, Whole):
            ids = (one.by.item_id,) if one.by.item_id else ()
            about = f"document {one.by.name} {part}"
            yield Finding("unknown-reference", "missing", about, one.why, "documents", item_ids=ids)
        elif (one.by.register, one.field) not in _TOLD_ELSEWHERE:
            yield finding_of("unknown-reference", "missing", one.by, one.why, part=part)


def _models(held: Held) -> Iterator[Finding]:
    """Models that are called, and those of registries that `evidence/broken.py` does not know."""
    systems = held.of("ai_systems")
    if not systems:  # without an inventory its absence is one other finding
        return
    listed = {name for one in systems for name in (one.text("model"), *one.texts("models"))}
    listed |= {str(m.get("name")) for one in held.of("suppliers") for m in one.entries("models")}
    told = set()
    for used in held.used:
        known = held.holds(("ai_systems",), used.system) or any(_is(used, n) for n in listed)
        if used.where and not known and used.name not in told:
            told.add(used.name)
            why = (
                f"{used.where} has the model {used.name}, which no AI system of the inventory names"
            )
            yield Finding("model-not-registered", "missing", f"model {used.name}", why, used.where,
                          item_ids=(used.item_id,) if used.item_id else ())  # fmt: skip


def _is(used: Used, name: str) -> bool:
    return bool(name) and bool(used.name == name or _version_of(used, name))


def _version_of(used: Used, name: str) -> str:
    """The version of the model `name` that was used; empty where it was another model.

    A version stands beside the name, or behind it as in `anthropic.claude-3-haiku-20240307-v1:0`.
    """
    if not name:
        return ""
    if used.name == name:
        return used.version
    rest = used.name.removeprefix(name)
    return rest[1:] if rest != used.name and rest[:1] in {"-", ":", "/", "@"} else ""


def _systems(held: Held) -> Iterator[Finding]:
    for one in held.of("ai_systems"):
        if one.text("stage").lower() in _NOT_RUNNING or one.id in held.systems:
            continue
        why = f"the inventory holds {one.id}, and nothing that was collected speaks of it"
        yield finding_of("system-without-evidence", "missing", one, why)


def _owners(held: Held) -> Iterator[Finding]:
    """Who owns what and has left, or was never there."""
    for one in unowned(held):
        names = ", ".join(thing.called for thing in one.things[:6])
        more = f" and {len(one.things) - 6} more" if len(one.things) > 6 else ""
        ids = tuple(thing.item_id for thing in one.things if thing.item_id)
        if one.left is not None:
            why = f"{one.owner} left on {one.left:%Y-%m-%d} and still owns {names}{more}"
            yield Finding("owner-left", "judgement", one.owner, why, one.owner, item_ids=ids)
        else:
            why = f"{one.owner} owns {names}{more} and stands in no record of roles"
            why += like(one.near)
            yield Finding("owner-unknown", "judgement", one.owner, why, one.owner, item_ids=ids)


def _applicability(held: Held) -> Iterator[Finding]:
    records = {_number(one.id): one for one in held.of("soa")}
    if not records:
        return
    if missing := [number for number in held.controls if number not in records]:
        shown = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if missing[8:] else "")
        why = f"the Statement of Applicability says nothing of {shown}"
        yield Finding("soa-incomplete", "missing", "soa", why, "soa")
    for number, one in records.items():
        if number not in {*held.controls, *held.clauses}:
            why = f"the Statement of Applicability has {number}, which the catalogue does not know"
            yield finding_of("soa-unknown-control", "judgement", one, why)
        elif one.fields.get("applicable") is False:
            yield from _excluded(held, number, one)


def _number(control: str) -> str:
    return control.rpartition(":")[2]


def _excluded(held: Held, number: str, one: Record) -> Iterator[Finding]:
    if number in held.clauses:
        why = f"{number} is left out, and no clause can be: it counts as it did"
        yield finding_of("clause-left-out", "judgement", one, why)
    elif not one.text("reason"):
        why = f"{number} is left out without a reason, so it is not left out"
        yield finding_of("exclusion-without-reason", "judgement", one, why)
    elif spoken := held.speaking.get(number):
        why = (
            f"{number} is left out ({one.text('reason')}), and {spoken.items} items speak to it "
            f"alone, the newest: {spoken.title}"
        )
        yield finding_of("exclusion-contradicted", "judgement", one, why, spoken.item_id)


def _acceptance(held: Held) -> Iterator[Finding]:
    whose = accounts(one.fields for one in held.of("roles"))
    for one in held.of("risks"):
        accepted = one.text("accepted_by")
        if same_account(accepted, one.written_by, whose):
            why = f"risk {one.id} was accepted by {accepted}, who wrote it"
            yield finding_of("risk-accepted-by-its-author", "judgement", one, why)


def _suppliers(held: Held) -> Iterator[Finding]:
    for one in held.of("suppliers"):
        for model in one.entries("models"):
            name = str(model.get("name") or "")
            given = model.get("last_seen")
            seen = {
                str(v) for v in (given if isinstance(given, list) else [given]) if v is not None
            }
            for used in _of_supplier(held, name):
                version = _version_of(used, name)
                if version in seen:
                    continue
                seen_last = ", ".join(sorted(seen))
                last = f"the version looked at last is {seen_last}" if seen else \
                    "nobody says which version was looked at"  # fmt: skip
                shows = "offers" if used.offered else "shows"
                why = (
                    f"{one.text('name') or one.id} supplies {name}: evidence of {used.at:%Y-%m-%d} "
                    f"{shows} {version}, and {last}"
                )
                part = f"{name} {version}"
                yield finding_of(
                    "supplier-model-changed", "judgement", one, why, used.item_id, part=part
                )


def _of_supplier(held: Held, name: str) -> list[Used]:
    """Each version of its model once: those in use, then those that can be called beside them."""
    found = [*_newest(held, name), *(one for one in held.used if one.offered)]
    first: dict[str, Used] = {}
    for one in found:
        if version := _version_of(one, name):
            first.setdefault(version, one)
    return list(first.values())


def _newest(held: Held, name: str) -> list[Used]:
    """The versions in use: the newest that evidence shows, and those shown shortly before."""
    found = [one for one in held.used if not one.offered and _version_of(one, name)]
    last = max((one.at for one in found), default=None)
    return [one for one in found if last is not None and one.at >= last - _USED_TOGETHER]


def _objectives(held: Held) -> Iterator[Finding]:
    for one in held.of("objectives"):
        lacks = [name for name in ("measure", "target") if not one.text(name)]
        if lacks:
            why = f"objective {one.id} has no {' and no '.join(lacks)}: nobody can say if it is met"
            yield finding_of("objective-without-measure", "missing", one, why)


def _incidents(held: Held) -> Iterator[Finding]:
    fields = (("corrective_actions", "incident"), ("changes", "incidents"))
    named = {k for register, name in fields for one in held.of(register) for k in one.texts(name)}
    for one in held.of("incidents"):
        follows = one.texts("corrective_actions") or one.texts("changes") or one.id in named
        if not follows and not one.text("action") and not grave(one.text("severity")):
            why = f"incident {one.id} has no action, and no corrective action or change names it"
            yield finding_of("incident-without-follow-up", "missing", one, why)


CHECKS: tuple[Check, ...] = (
    _fields, _unread, _references, _models, _systems, _owners, _applicability, _acceptance,
    _suppliers, _objectives, _incidents, days, reviews,
)  # fmt: skip
