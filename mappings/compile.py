"""Rules as one set-based SELECT, built as a syntax tree: no text of a rule is pasted into SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from mappings import elsewhere
from mappings.asking import Asking, array, call, entries_of, is_list, number, text
from mappings.conditions import COLUMNS, Field, leaves
from mappings.sql import and_, or_

if TYPE_CHECKING:
    from mappings.rules import Rule, RuleSet, Target


def select(rules: RuleSet, dialect: str) -> str:
    """One row per item, control, evidence and rule, over the relation `items`.

    Raises MappingError for a dialect that no engine we know speaks.
    """
    if dialect != "duckdb":
        return elsewhere.select(rules, dialect)
    return _tags(rules).sql(dialect=dialect, copy=False)


def asked(rule: Rule) -> Iterator[Field]:
    """The columns and the places in the payload that a rule asks about."""
    if rule.named:
        yield rule.named
    yield from (leaf.field for leaf in leaves(rule.when))


def _tags(rules: RuleSet) -> exp.Expr:
    """The numbers of the claims that hold for an item, joined with what they say."""
    kinds, claims = _kinds(rules.rules), _Claims()
    columns = ("control", "evidence", "rule", "strength", "rationale")
    made = _claimed(kinds, claims).subquery("m", copy=False)
    says = _says(claims.rows, columns).subquery("t", copy=False)
    return (
        exp.select(_column("m", "item_id"), *(_column("t", name) for name in columns))
        .select(
            exp.alias_(_one_of(text(rules.digest), [rules.digest]), "mapping_digest"), copy=False
        )
        .from_(made, copy=False)
        .join(says, on=_meets(), copy=False)
    )


def _says(rows: list[list[exp.Expr]], columns: Sequence[str]) -> exp.Select:
    """What is claimed, its few different texts as members of enumerations: an item's tags are then
    numbers until somebody reads them, a tenth of the bytes."""
    said = (
        exp.alias_(_one_of(_column("s", name), [str(row[n].this) for row in rows]), name)
        for n, name in enumerate(columns, start=1)
    )
    values = _values(rows, "s", ("claim", *columns, "place", "names"))
    return exp.select("claim", "place", "names", *said).from_(values, copy=False)


def _one_of(value: exp.Expr, texts: Iterable[str]) -> exp.Expr:
    members = [text(member) for member in sorted(set(texts))]
    kind = exp.DataType(this=exp.DataType.Type.ENUM, expressions=members)
    return exp.Cast(this=value, to=kind)


def _claimed(kinds: Mapping[str, _Kind], claims: _Claims) -> exp.Select:
    """A row for each rule of an item's kind: the number of what it claims, NULL if it does not.

    Unnested where it is selected: as a join it costs twice the rest.
    """
    held = {kind: own.claims(claims) for kind, own in kinds.items()}
    each = exp.Explode(this=_by_kind(_column("i", "kind"), held))
    return (
        exp.select(_column("i", "item_id"), _column("i", "places"), exp.alias_(each, "claim"))
        .from_(_apart(kinds).subquery("i", copy=False), copy=False)
    )  # fmt: skip


def _meets() -> exp.Expr:
    """A claim is met by its number, and where an item has to name the control also by that."""
    place = call("LIST_EXTRACT", _column("m", "places"), _column("t", "place"))
    called = call("LIST_HAS_ANY", _names(place), _column("t", "names"))
    return and_(
        _column("m", "claim").eq(_column("t", "claim")),
        or_(_column("t", "place").eq(number(0)), called),
    )


def _names(place: exp.Expr) -> exp.Expr:
    """The JSON texts by which an item names its controls: one scalar, or a list of them."""
    listed = exp.If(this=is_list(place), true=entries_of(place.copy()))
    return exp.Case(ifs=[listed], default=array([place.copy()]))


def _kinds(rules: Iterable[Rule]) -> dict[str, _Kind]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        for kind in rule.kinds:
            found.setdefault(kind, []).append(rule)
    return {kind: _Kind(kind, own) for kind, own in found.items()}


def _apart(kinds: Mapping[str, _Kind]) -> exp.Select:
    """The items with each of their places in a column of its own, for many rules ask about it."""
    most = max((len(own.asking.places) for own in kinds.values()), default=0)
    each = (
        exp.alias_(call("LIST_EXTRACT", _column("p", "places"), number(n)), f"place_{n}")
        for n in range(1, most + 1)
    )
    return exp.select("*", *each).from_(_items(kinds).subquery("p", copy=False), copy=False)


def _items(kinds: Mapping[str, _Kind]) -> exp.Select:
    """The items with the JSON texts of the places that rules of their kind ask about."""
    read = {kind: own.asking.read() for kind, own in kinds.items() if own.asking.places}
    return (
        exp.select("item_id", "kind", *COLUMNS)
        .select(exp.alias_(_by_kind(exp.column("kind"), read), "places"), copy=False)
        .from_("items")
    )


class _Kind:
    """The rules for one kind of item: what they ask, and what they claim."""

    def __init__(self, kind: str, rules: Sequence[Rule]) -> None:
        self.kind, self.rules = kind, rules
        self.asking = Asking({field for rule in rules for field in asked(rule) if field.path})

    def claims(self, numbers: _Claims) -> exp.Expr:
        """The numbers of the claims whose rule holds for an item, NULL for each that does not."""
        return exp.Array(expressions=[self._claim(rule, numbers) for rule in self.rules])

    def _claim(self, rule: Rule, numbers: _Claims) -> exp.Expr:
        targets = [target for target in rule.targets if target.kind == self.kind]
        places = self.asking.places
        place = places[rule.named] if rule.named else len(places) + 1  # nowhere
        claim = numbers.of(rule.name, targets, place)
        holds = self.asking.condition(rule.when)
        if rule.named and all(target.names for target in targets):
            # Of few items that a rule takes does a name stand there: the others are let go here.
            names = [name for target in targets for name in target.names]
            holds = and_(holds, self.asking.names(rule.named, names))
        return exp.Case(ifs=[exp.If(this=holds, true=claim)])


@dataclass(slots=True)
class _Claims:
    """What is claimed, by numbers: a row a target.

    `place` is where an item names the control by one of `names`; 0 where it need not.
    """

    rows: list[list[exp.Expr]] = field(default_factory=list)
    last: int = 0

    def of(self, rule: str, targets: Iterable[Target], place: int) -> exp.Expr:
        """The number under which these targets of a rule are claimed together."""
        self.last += 1
        for target in targets:
            told = (target.control, target.evidence, rule, target.strength, target.rationale)
            where = number(place if target.names else 0)
            names = array(map(text, target.names))
            self.rows.append([number(self.last), *map(text, told), where, names])
        return number(self.last)


def _by_kind(column: exp.Expr, made: Mapping[str, exp.Expr]) -> exp.Expr:
    """What is made of an item of each kind; each branch reads the items of its own kind alone."""
    ifs = [exp.If(this=text(kind), true=expression) for kind, expression in made.items()]
    return exp.Case(this=column, ifs=ifs) if ifs else exp.null()


def _values(rows: list[list[exp.Expr]], name: str, columns: Sequence[str]) -> exp.Expr:
    alias = exp.TableAlias(this=exp.to_identifier(name), columns=[*map(exp.to_identifier, columns)])
    return exp.Values(expressions=[exp.Tuple(expressions=row) for row in rows], alias=alias)


def _column(table: str, name: str) -> exp.Column:
    return exp.column(name, table=table)
