"""What registers and documents name that is not there: one rule, before a commit and after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from evidence.fields import TO_FILL_IN, Field, Form, like, nearest
from evidence.held import Held, Record, Whole
from evidence.people import folded
from evidence.registers import register_called

_TEXTS = {("management_reviews", "minutes"), ("approvals", "of")}
"""Fields that name a document by its path, or a record as REGISTER/ID."""
_DOCUMENTS = (".md", ".markdown")
_INVENTORY = ("ai_systems",)


@dataclass(frozen=True, slots=True)
class Dangling:
    """That a record or document names `key` in `field`, which none of these registers holds (none
    named: `is_no` is what it is not); `near` is the known one that it is most like."""

    by: Record | Whole
    field: str
    key: str
    registers: tuple[str, ...]
    near: str
    is_no: str = "document that stands"

    @property
    def why(self) -> str:
        """For people."""
        held = f"no register {' or '.join(self.registers)} holds"
        where = held if self.registers else f"is no {self.is_no}"
        return (
            f"{self.by.called} names {self.key} in `{self.field}`, which {where}{like(self.near)}"
        )


def dangling(held: Held) -> Iterator[Dangling]:
    """Each reference to what is not there, by record and field; what is still to be filled in is
    told as such."""
    for record in held.records:
        known = register_called(record.register)
        for one in known.of_record if known else ():
            for key in _named(record, one):
                if _said(key) and not held.holds(one.names, key):
                    yield Dangling(record, one.name, key, one.names, held.near(one.names, key))
            if (record.register, one.name) in _TEXTS and not record.text("withdrawn"):
                yield from _texts(held, record, one.name)
    yield from _frameworks(held)
    for whole in held.wholes:
        key = whole.system
        if _said(key) and not held.holds(_INVENTORY, key):
            yield Dangling(whole, "system", key, _INVENTORY, held.near(_INVENTORY, key))


def _named(record: Record, field: Field) -> Sequence[str]:
    if not field.names:
        return ()
    if field.form is Form.LIST:
        return record.texts(field.name)
    text = record.text(field.name)
    return (text,) if text else ()


def _texts(held: Held, record: Record, name: str) -> Iterator[Dangling]:
    """Minutes may lie anywhere; what ends as a document here does must be one."""
    key = record.text(name)
    papers = [one.name for one in held.wholes if one.document]
    if key.endswith(_DOCUMENTS):
        if key not in papers:
            yield Dangling(record, name, key, (), nearest(key, papers))
        return
    register, slash, of = key.partition("/")
    known = register_called(register)
    if slash and known and not held.holds((known.name,), of):
        near = held.near((known.name,), of)
        yield Dangling(record, name, key, (known.name,), f"{register}/{near}" if near else "")


def _frameworks(held: Held) -> Iterator[Dangling]:
    """Of which laws bind: one that is misspelt would leave its deadlines out."""
    for one in held.of("obligations") if held.frameworks else ():
        key = one.text("framework")
        if _said(key) and key not in held.frameworks:
            near = nearest(key, held.frameworks)
            yield Dangling(one, "framework", key, (), near, "framework that Headwater knows")


@dataclass(frozen=True, slots=True)
class Unowned:
    """Who owns these records, registers and documents and is not there: who left on that day, or
    stands in no record of roles (None); `near` is a person of the roles whom the name is like."""

    owner: str
    left: datetime | None
    things: tuple[Record | Whole, ...]
    near: str


def unowned(held: Held) -> Iterator[Unowned]:
    """By owner. Without a register of roles nobody can be missed in it."""
    roles = [one for one in held.of("roles") if one.text("person")]
    if not roles:
        return
    named = [(folded(one.text("person")), one.day("left")) for one in roles]
    left = {name: day for name, day in named if day is not None}
    here = {name for name, day in named if day is None or day > held.at}
    owned: dict[str, list[Record | Whole]] = {}
    for owner, thing in _owned(held):
        if folded(owner) not in here:
            owned.setdefault(owner, []).append(thing)
    people = [one.text("person") for one in roles]
    for owner, things in sorted(owned.items()):
        gone = left.get(folded(owner))
        yield Unowned(owner, gone, tuple(things), "" if gone else nearest(owner, people))


def _owned(held: Held) -> Iterator[tuple[str, Record | Whole]]:
    for one in held.records:
        if _said(one.text("owner")) and not one.over(held.at):
            yield one.text("owner"), one
    for whole in held.wholes:
        if _said(whole.owner):
            yield whole.owner, whole


def _said(text: str) -> bool:
    return bool(text) and TO_FILL_IN not in text
