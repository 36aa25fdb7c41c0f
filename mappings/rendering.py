"""Documents from templates and facts: Markdown that says what is really done.

A template sees the groups of facts that it names and nothing else, and what it prints of them is
text, whatever signs are in it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError, Undefined
from jinja2 import Template as Page
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from evidence.documents import Facts, Rendered
from evidence.errors import MappingError
from evidence.fields import TO_FILL_IN
from evidence.written import Told, told_lines
from mappings.documents import EACH_SYSTEM, ENDING, FRONT, TEMPLATES, Template, text_of
from mappings.marks import FACT, FactMarks, bare, gap, parts

_MARKS = re.compile(r"[\\`*\[\]<>#|!~&]|(?<![^\W_])_|_(?![^\W_])")
_BEGINS = re.compile(r"[-+=]|\d+(?=[.)](?:\s|$))")
_LONGEST = 400
_DRAFT = """\
# Take `draft` out once every FILL IN is replaced and the approver has read it: until then it counts
# for nothing. `rendered` is what it was made from: `headwater documents drift` compares it, and the
# text, with what is so.
"""


def seen_by(template: Template, facts: Facts, system: str = "") -> Facts:
    """The facts of the groups that the template names; of `evidence` what it serves, of its AI
    system what is about that."""
    seen = {group: facts.get(group, {}) for group in template.facts if group != EACH_SYSTEM}
    if "evidence" in seen:
        known = seen["evidence"]
        seen["evidence"] = {n: f for n, f in known.items() if f["control"] in template.serves}
    if template.each:
        seen[EACH_SYSTEM] = {system: facts["systems"][system]}
    return seen


@dataclass(frozen=True, slots=True)
class Document:
    """A rendered document: its front matter, what it was made from, its Markdown, and the lines of
    that which come from facts."""

    front: Mapping[str, Any]
    made: Rendered
    body: str
    lines: tuple[Told, ...]

    @property
    def text(self) -> str:
        """As it is committed: a draft until somebody has read it."""
        fields = f"{_yaml(self.front, flow=False)}{_yaml({'rendered': self.made.told()})}"
        return f"---\ndraft: true\n{_DRAFT}{fields}---\n{self.body}"


def render(template: Template, facts: Facts, system: str = "") -> Document:
    """The document that the template makes of the facts. Raises MappingError naming it."""
    asked = Asked(facts.get("roles", {}), facts.get("registers", {}))
    seen = dict(seen_by(template, facts, system))
    body, lines = _body(template, seen | {"who": asked.who, "kept": asked.kept}, system)
    front = _front(template, facts, system, asked)
    told = {"people": asked.people, "kept": asked.registers}
    made = Rendered.of(template.name, template.sha256, seen | told, sha256_of(body))
    return Document(front, made, body, lines)


def lines_then(template: Template, made: Rendered, system: str = "") -> tuple[Told, ...]:
    """The lines from facts that the template made of what a document was rendered from.

    Raises MappingError where those are not the facts of this template.
    """
    people, kept = made.facts.get("people", {}), made.facts.get("kept", {})
    given = {group: made.facts.get(group, {}) for group in template.facts} | {
        "who": lambda *words: people.get(_asked(words), people.get(words[0], {})).get("person", ""),
        "kept": lambda *names: kept.get(names[0], {}),
    }
    return _body(template, given, system, then=True)[1]


def _asked(words: Sequence[str]) -> str:
    return " or ".join(words)


def sha256_of(body: str) -> str:
    """Of the Markdown of a document."""
    return hashlib.sha256(body.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a document asks of roles and registers; what it was told is kept, and nothing else."""

    roles: Mapping[str, Mapping[str, str]]
    known: Mapping[str, Mapping[str, str]]
    people: dict[str, dict[str, str]] = field(default_factory=dict)
    registers: dict[str, dict[str, str]] = field(default_factory=dict)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def who(self, *words: str) -> str:
        """The person of the first role that is called by one of the words; empty: nobody is."""
        found = next(filter(None, (self._person(word.casefold()) for word in words)), "")
        for word in words[:1]:
            # Two questions may begin with the same word, and have other answers.
            same = self.words.setdefault(word, words) == words
            self.people[word if same else _asked(words)] = {"person": found}
        return found

    def _person(self, word: str) -> str:
        called = (one for name, one in self.roles.items()
                  if word in f"{name} {one['role']}".casefold() and one["person"])  # fmt: skip
        return next((one["person"] for one in called), "")

    def kept(self, *names: str) -> dict[str, str]:
        """The first of these registers that is collected: its name, owner and approved_by; all are
        empty where none is."""
        name = next((name for name in names if name in self.known), "")
        found = {"name": name, "owner": "", "approved_by": "", **self.known.get(name, {})}
        self.registers[names[0]] = found
        return found


def _front(template: Template, facts: Facts, system: str, asked: Asked) -> dict[str, Any]:
    owner = facts["systems"][system]["owner"] if system else ""
    owner = owner or asked.who(*template.owner)
    approver = asked.who(*template.approver)
    if approver.casefold() == owner.casefold():
        approver = ""
    front: dict[str, Any] = {"title": template.title, "doc_type": template.doc_type}
    if system:
        front |= {"title": f"{template.title}: {system}", "system": system}
    if template.controls:
        front["controls"] = list(template.serves)
    front |= {
        "owner": owner or f"{TO_FILL_IN} a name",
        "approver": approver or f"{TO_FILL_IN} a name, not the owner's",
        "version": "0.1", "reviewed": f"{TO_FILL_IN} YYYY-MM-DD",
    }  # fmt: skip
    if template.quorum > 1:
        known = [approver] if approver else []
        front["approvers"] = [*known, f"{TO_FILL_IN} {template.quorum} names in all"]
        front["quorum"] = template.quorum
    return front


def _body(
    template: Template, seen: Mapping[str, Any], system: str, *, then: bool = False
) -> tuple[str, tuple[Told, ...]]:
    """The Markdown, and its lines from facts; `then`: facts that are empty were not kept."""
    given = dict(seen)
    text = FRONT.fullmatch(text_of(template.folder / f"{template.name}{ENDING}"))
    try:
        if template.each:
            given |= {"name": system, EACH_SYSTEM: seen[EACH_SYSTEM][system]}
        page = _compiled(template.folder, text[2] if text else "", then).render(given)
    except (TemplateError, TypeError, ValueError, LookupError) as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line} below its front matter)" if line else ""
        raise MappingError(
            f"cannot be rendered{where}: {error}", file=f"{template.name}{ENDING}"
        ) from error
    body = re.sub(r"\n{3,}", "\n\n", bare(page)).strip() + "\n"
    return body, told_lines((bare(line), parts(line)) for line in page.split("\n"))


@lru_cache(maxsize=512)
def _compiled(folder: Path, text: str, then: bool) -> Page:
    return _environment(folder, then).from_string(text)


@cache
def _environment(folder: Path, then: bool) -> ImmutableSandboxedEnvironment:
    """Texts of facts pass `_shown`; templates of one's own may include the shipped parts."""
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(TEMPLATES)]),
        autoescape=True, undefined=Undefined if then else StrictUndefined, finalize=_shown,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, extensions=[FactMarks],
    )  # fmt: skip
    environment.filters["or_fill_in"] = _or_fill_in
    return environment


def _or_fill_in(text: object, what: str) -> object:
    """The text, or that somebody has to say it."""
    return text or Markup(gap(plain(f"{TO_FILL_IN} {what}")))  # noqa: S704  escaped


def _shown(value: object) -> object:
    if isinstance(value, Markup):
        return value
    return Markup(f"{FACT}{plain(str(value))}")  # noqa: S704  escaped


def plain(text: str) -> str:
    """One line of Markdown that shows the text, whatever signs are in it."""
    words = " ".join(text.split())
    seen = "".join(sign for sign in words if sign.isprintable())
    seen = seen if len(seen) <= _LONGEST else f"{seen[:_LONGEST]}…"
    marked = _MARKS.sub(lambda found: f"\\{found[0]}", seen)
    first = _BEGINS.match(marked)
    if first is None:
        return marked
    # What would begin a list, or make a heading of the line above; of `1.` the dot is marked.
    digits, rest = (first[0], marked[first.end() :]) if first[0].isdigit() else ("", marked)
    return f"{digits}\\{rest}"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  as PyYAML has it
        """The collector reads no aliases."""
        return True


def _yaml(value: Mapping[str, Any], *, flow: bool | None = None) -> str:
    """Without `flow` the innermost values stand on one line."""
    dump: Callable[..., str] = yaml.dump
    return dump(dict(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100,
                default_flow_style=flow)  # fmt: skip
