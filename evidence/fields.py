"""Fields of registers: what each may hold, and why one that holds something else is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache

from evidence.errors import InvalidItem
from evidence.times import day_or_time

TO_FILL_IN = "FILL IN"
"""What a starter leaves to people; a field that still holds it is told as such, not as wrong."""
_FLAGS = {"true", "false", "yes", "no"}
_SHOWN = 40
_ALIKE = 0.85
"""Of seven letters one may be another: `severty`."""
_NAMED = re.compile(r"`(\w+)`")


class Form(StrEnum):
    """What a field may hold."""

    TEXT = "text"
    PERSON = "a person's name"
    DAY = "YYYY-MM-DD, or a time with its zone"
    NUMBER = "a number"
    FLAG = "true or false"
    DECISION = "true or false, without quotes"
    WORD = "one word of a list"
    LIST = "a list, or texts with commas"
    MODELS = "a list of {name, last_seen}"
    ENTRIES = "a list of mappings"
    MAPPING = "a mapping"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, its form, and in a few words what belongs in it.

    `words` are those of a WORD, or stand in place of a day; `names` the registers of which it names
    a record (several: any).
    """

    name: str
    what: str
    form: Form = Form.TEXT
    words: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


HEADER = (
    Field("owner", "who keeps the register", Form.PERSON),
    Field("approved_by", "who approved it as a whole", Form.PERSON),
    Field("reviewed", "when it was last read as a whole", Form.DAY),
    Field("approved", "when it was approved as a whole", Form.DAY),
    Field("next_review", "by when it is to be read again", Form.DAY),
)
"""What a register says of itself, before its records."""
EVERYWHERE = (
    Field("system", "the AI system that the record speaks of", names=("ai_systems",)),
    Field("reviewed", "of this record alone", Form.DAY),
    Field("approved", "of this record alone", Form.DAY),
    Field("approvers", "who must approve this text, none of them its owner", Form.LIST),
    Field("quorum", "how many of them must", Form.NUMBER),
)
"""Fields that a record of any register may have."""


@dataclass(frozen=True, slots=True)
class Register:
    """What a register of one name holds beside the `id` of each record; `also`: its other names."""

    name: str
    what: str
    fields: tuple[Field, ...]
    also: tuple[str, ...] = ()

    @property
    def of_record(self) -> tuple[Field, ...]:
        """All known fields of a record, its own first."""
        own = {one.name for one in self.fields}
        return (*self.fields, *(one for one in EVERYWHERE if one.name not in own))

    def field(self, name: str) -> Field | None:
        """The field of that name, None if it is not known."""
        return next((one for one in self.of_record if one.name == name), None)


def listed(value: object) -> tuple[str, ...]:
    """A list's entries as text, or the texts between commas, as a CSV has them."""
    given = value if isinstance(value, list) else str(value if value is not None else "").split(",")
    return tuple(text for one in given if (text := str(one).strip()))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known one that a word is most like, whatever its case; empty where none is like it."""
    folded = {one.casefold(): one for one in known}
    return folded.get(next(iter(get_close_matches(word.casefold(), folded, n=1)), ""), "")


def meant(word: str, known: Iterable[str]) -> str:
    """Which known one a wrong word may have been meant for, as the end of a sentence."""
    return like(nearest(word, known))


def like(near: str) -> str:
    """That a known word may be meant, as the end of a sentence."""
    return f": is {near} meant?" if near else ""


def wrong_fields(
    known: tuple[Field, ...], fields: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    """Each known field that holds what it may not, with the sentence why.

    Fields that are not known, that are empty or still to fill in are not looked at.
    """
    for one in known:
        value = fields.get(one.name)
        if value is None or value == "" or TO_FILL_IN in str(value):
            continue
        if why := _wrong(one, value):
            yield one.name, f"`{one.name}` {why}"


def unread_fields(
    known: tuple[Field, ...], fields: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    """Each field whose name is nearly that of a known one which is not there, with the sentence:
    what it says is kept, and read by nobody."""
    names = tuple(one.name for one in known)
    for name in fields:
        near = "" if name in names else _nearly(name, names)
        if near and fields.get(near) in (None, ""):
            yield name, f"`{name[:_SHOWN]}` is read by nobody{like(near)}"


@lru_cache(maxsize=4096)
def _nearly(name: str, names: tuple[str, ...]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
    return next(iter(get_close_matches(plain, names, n=1, cutoff=_ALIKE)), "")


def named_fields(why: str) -> tuple[str, ...]:
    """The fields that a sentence of ours names in backticks."""
    return tuple(_NAMED.findall(why))


def told_once(collected: Iterable[object] | None, found: Iterable[str]) -> tuple[str, ...]:
    """What the collector told of a record, then what is found of other fields than those."""
    told = [str(one) for one in collected or ()]
    named = {name for one in told for name in named_fields(one)}
    return (*told, *(one for one in found if not named.intersection(named_fields(one))))


def _wrong(field: Field, value: object) -> str:
    held = str(value)[:_SHOWN]
    nested = isinstance(value, list | Mapping)
    match field.form:
        case Form.LIST:
            flat = isinstance(value, list) and not any(isinstance(v, list | Mapping) for v in value)
            return "" if flat or not nested else f"is no list of texts: write {field.form}"
        case Form.MODELS | Form.ENTRIES:
            return "" if _entries(field.form, value) else f"is {held!r}: write {field.form}"
        case Form.MAPPING:
            return "" if isinstance(value, Mapping) else f"is {held!r}: write {field.form}"
        case _ if nested:
            return f"holds a list or a mapping: write {field.form}"
        case Form.DAY:
            fits = _is_day(str(value)) or _in_words(field, value)
            also = "".join(f", or {word}" for word in field.words)
            return "" if fits else f"is {held!r}: write {field.form}{also}"
        case Form.NUMBER:
            return "" if _is_number(value) else f"is {held!r}: write {field.form}"
        case Form.FLAG:
            fits = str(value).strip().lower() in _FLAGS
            return "" if fits else f"is {held!r}: write {field.form}"
        case Form.DECISION:
            return "" if isinstance(value, bool) else f"is the text {held!r}: write {field.form}"
        case Form.WORD:
            told = f"is {held!r}: write one of {', '.join(field.words)}{meant(held, field.words)}"
            return "" if _in_words(field, value) else told
    return ""


def _in_words(field: Field, value: object) -> bool:
    """YAML reads `yes` and `no` without quotes as true and false."""
    word = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    return word.strip().lower() in field.words


def _entries(form: Form, value: object) -> bool:
    given = value if isinstance(value, list) else [value]
    entries = [one for one in given if isinstance(one, Mapping)]
    named = form is Form.ENTRIES or all(one.get("name") for one in entries)
    return named and len(entries) == len(given)


def _is_day(text: str) -> bool:
    try:
        day_or_time(text)
    except InvalidItem:
        return False
    return True


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return not isinstance(value, bool)
