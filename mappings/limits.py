"""How much a rule of a file may ask, and how little. What was in force once is judged again,
whatever it asked."""

from __future__ import annotations

from collections.abc import Sequence

from evidence.errors import MappingError
from mappings.breadth import broad, examples
from mappings.conditions import Like, leaves
from mappings.rules import Rule

MAX_QUESTIONS, MAX_KEYS = 200, 20
_AMEND = {
    False: "ask for what such an item has, leave `when` out, or say why in `broad`",
    True: "ask for what such an item has",
}


def within_limits(rules: Sequence[Rule]) -> None:
    """Refuse rules that no person wrote and that an engine would choke on, and conditions that
    leave nearly nothing out. Raises MappingError."""
    known = examples(rules)
    for rule in rules:
        if _questions(rule) > MAX_QUESTIONS:
            raise _refused(rule, f"asks more than {MAX_QUESTIONS} things; make several rules of it")
        if _deepest(rule) > MAX_KEYS:
            raise _refused(rule, f"asks for a place more than {MAX_KEYS} keys deep")
        if rule.selective and not rule.broad and (found := broad(rule, known)):
            raise _refused(rule, f"takes {found}; {_AMEND[rule.context]}")


def _questions(rule: Rule) -> int:
    """A list of values to be equal to is one question; each glob is one."""
    return sum(len(q.globs) if isinstance(q, Like) else 1 for q in leaves(rule.when))


def _deepest(rule: Rule) -> int:
    places = [leaf.field for leaf in leaves(rule.when)] + ([rule.named] if rule.named else [])
    return max((len(place.path) for place in places), default=0)


def _refused(rule: Rule, why: str) -> MappingError:
    return MappingError(f"{rule.name} {why}", file=rule.file, line=rule.line)
