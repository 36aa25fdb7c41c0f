"""Items as nodes of a life cycle, by what `trace.yaml` says of their kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from evidence.errors import InvalidItem
from evidence.fields import TO_FILL_IN
from evidence.times import day_or_time
from evidence.trace import Node, Reference, Stage
from mappings.conditions import All, Condition, Field
from mappings.nodes import Node as Entry
from mappings.nodes import read
from mappings.when import read_field, read_when

FILE = Path(__file__).with_name("trace.yaml")
TIMES = ("observed_from", "observed_to")
_LONGEST = 200
_MOST = 50


@dataclass(frozen=True, slots=True)
class Name:
    """Where names stand: places joined by "/", or every entry of a list (`of`: its fields), or of
    texts with commas; `after`: of entries that begin so, the rest."""

    places: tuple[Field, ...]
    each: bool = False
    of: tuple[str, ...] = ()
    after: str = ""

    def found(self, row: Mapping[str, Any]) -> Iterator[str]:
        """The names in a row whose payload is parsed; none where a part is absent."""
        if not self.each:
            yield from _joined(place.of(row) for place in self.places)
            return
        for entry in _entries(self.places[0].of(row))[:_MOST]:
            if not self.of:
                text = _text(entry)
                if text.startswith(self.after):
                    yield from _joined([text.removeprefix(self.after)])
            elif isinstance(entry, Mapping):
                yield from _joined(entry.get(name) for name in self.of)


def _entries(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return value.split(",") if isinstance(value, str) else []


def _joined(values: Any) -> Iterator[str]:
    parts = [_text(value) for value in values]
    if all(parts):
        yield "/".join(parts)


def _text(value: Any) -> str:
    """As one text; empty where it is none, or still what a starter left to fill in."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if TO_FILL_IN in str(value):
        return ""
    return str(value).strip()[:_LONGEST]


@dataclass(frozen=True, slots=True)
class KindOf:
    """What is known of items of a native kind; `stage` None: their tags say where they stand, or
    `nowhere`: they stand at no stage, whatever they are tagged as."""

    kinds: tuple[str, ...]
    when: Condition
    stage: Stage | None
    keys: tuple[Name, ...]
    names: Mapping[Stage, tuple[Name, ...]]
    firm: frozenset[Stage]
    facts: Mapping[str, Field]
    system: Field
    at: Field
    who: Field
    nowhere: bool = False


_ORDER = {stage: place for place, stage in enumerate(Stage)}


@dataclass(frozen=True, slots=True)
class TraceMap:
    """The whole of `trace.yaml`."""

    stages: Mapping[str, Stage]
    kinds: tuple[KindOf, ...] = field(repr=False)
    _of_kind: Mapping[str, Sequence[KindOf]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """A lake asks for millions of items which of many entries speak of their kind."""
        of_kind: dict[str, list[KindOf]] = {}
        for one in self.kinds:
            for kind in one.kinds:
                of_kind.setdefault(kind, []).append(one)
        object.__setattr__(self, "_of_kind", of_kind)

    @property
    def evidence(self) -> tuple[str, ...]:
        """The kinds of evidence whose items stand in a life cycle."""
        return tuple(self.stages)

    @property
    def native(self) -> tuple[str, ...]:
        """The native kinds that stand there whatever they are tagged as."""
        return tuple(sorted({kind for one in self.kinds if one.stage for kind in one.kinds}))

    def nodes(self, row: Mapping[str, Any], evidence: Sequence[str]) -> Iterator[Node]:
        """The nodes that one item is; `evidence` are the kinds that its tags take it for.

        `row` has the columns of the evidence table, payload parsed, and `events`, which its tags
        take it for as well.
        """
        own = [one for one in self._of_kind.get(row["kind"], ()) if one.when.holds(row)]
        if any(one.nowhere for one in own):
            return
        said = {one.stage for one in own if one.stage}
        tagged = {self.stages[name] for name in evidence if name in self.stages}
        for stage in sorted(said | tagged, key=_ORDER.__getitem__):
            about = [one for one in own if one.stage in (None, stage)]
            yield _node(row, stage, about)


def _node(row: Mapping[str, Any], stage: Stage, about: Sequence[KindOf]) -> Node:
    keys = [key for one in about for name in one.keys for key in name.found(row)]
    names = [
        Reference(target, key, target in one.firm)
        for one in about for target, places in one.names.items()
        for place in places for key in place.found(row)
    ]  # fmt: skip
    first = about[0] if about else None
    facts = {name: _text(place.of(row)) for one in about for name, place in one.facts.items()}
    return Node(
        stage=stage, keys=tuple(dict.fromkeys(keys)) or (str(row["subject"]),),
        title=str(row["title"] or row["subject"]),
        system=(_text(first.system.of(row)) if first else "") or str(row["system"]),
        at=_time(row, first.at if first else Field(TIMES[1])),
        who=(_text(first.who.of(row)) if first else "") or str(row["actor"]),
        outcome=str(row["outcome"]), item_id=str(row["item_id"]),
        names=tuple(dict.fromkeys(names)), facts=facts, events=tuple(row.get("events") or ()),
    )  # fmt: skip


def _time(row: Mapping[str, Any], place: Field) -> datetime | None:
    value = place.of(row)
    if isinstance(value, datetime):
        return value
    try:
        return day_or_time(str(value)) if value else None
    except InvalidItem:
        return None


@cache
def load_trace(file: Path = FILE) -> TraceMap:
    """The map in a file. Raises MappingError that names file and line."""
    fields = read(file).record("the file", "stages kinds")
    stages: dict[str, Stage] = {}
    for name, node in fields["stages"].items("stages").items():
        for entry in node.list(name):
            evidence = entry.text("a kind of evidence")
            if evidence in stages:
                raise entry.error(f"{evidence!r} stands at {stages[evidence].value!r} already")
            stages[evidence] = _stage(name, node)
    return TraceMap(stages, tuple(map(_kind, fields["kinds"].list("kinds"))))


def _kind(node: Entry) -> KindOf:
    fields = node.record(
        "a kind", "kind key", "when stage also names firm facts system at who nowhere"
    )
    names = {
        _stage(stage, entry): tuple(map(_name, entry.list(stage)))
        for stage, entry in (fields["names"].items("names") if "names" in fields else {}).items()
    }
    also = fields["also"].list("also") if "also" in fields else []
    firm = frozenset(
        _stage(entry.text("firm"), entry)
        for entry in (fields["firm"].list("firm") if "firm" in fields else [])
    )
    for stage in firm - names.keys():
        raise fields["firm"].error(f"{stage.value!r} is named nowhere in `names`")
    facts = fields["facts"].items("facts") if "facts" in fields else {}
    if "system" in fields and "stage" not in fields:  # items of a system are sought by their column
        raise fields["system"].error("a kind with a system of its own needs a `stage`, too")
    return KindOf(
        kinds=fields["kind"].texts("kind", one=True),
        when=read_when(fields["when"]) if "when" in fields else All(()),
        stage=_stage(fields["stage"].text("stage"), fields["stage"]) if "stage" in fields else None,
        keys=(_name(fields["key"]), *map(_name, also)), names=names, firm=firm,
        facts={name: _place(entry) for name, entry in facts.items()},
        system=_field(fields, "system", "system"), at=_field(fields, "at", TIMES[1]),
        who=_field(fields, "who", "actor"),
        nowhere="nowhere" in fields and fields["nowhere"].value is True,
    )  # fmt: skip


def _stage(text: str, node: Entry) -> Stage:
    try:
        return Stage(text)
    except ValueError as error:
        known = ", ".join(stage.value for stage in Stage)
        raise node.error(f"unknown stage {text!r}; known: {known}") from error


def _field(fields: Mapping[str, Entry], name: str, default: str) -> Field:
    return _place(fields[name]) if name in fields else Field(default)


def _place(node: Entry) -> Field:
    text = node.text("a place")
    return Field(text) if text in TIMES else read_field(text, node)


def _name(node: Entry) -> Name:
    if isinstance(node.value, str):
        return Name((_place(node),))
    fields = node.record("a name", "", "join each of after")
    if ("join" in fields) == ("each" in fields):
        raise node.error(
            "a name is a place, {join: [a, b]}, or {each: PATH} with or without `of` or `after`"
        )
    if "join" in fields:
        return Name(tuple(map(_place, fields["join"].list("join"))))
    of = fields["of"].texts("of") if "of" in fields else ()
    after = fields["after"].text("after") if "after" in fields else ""
    return Name((_place(fields["each"]),), each=True, of=of, after=after)
