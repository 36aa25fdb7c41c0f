"""Templates of documents, and what they become: Markdown that says what is really done.

A template is Markdown with Jinja2 in it, below a front matter that says what the document is. It
sees the groups of facts that it names and nothing else, and what it prints of them is text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from evidence.documents import Facts, Rendered
from evidence.errors import MappingError
from mappings.catalogue import HERE
from mappings.files import contents
from mappings.nodes import Node, parse

TEMPLATES = HERE / "documents"
ENDING = ".md.j2"
MOST = 200_000
GROUPS = (
    "organisation", "roles", "systems", "system", "sources", "gates", "schedules", "alerts",
    "evidence", "registers", "objectives", "suppliers", "parties", "soa", "audits", "retention",
    "deadlines",
)  # fmt: skip
"""What facts there are: docs/policies.md says of each where it comes from."""
TO_FILL_IN = "FILL IN"
EACH_SYSTEM = "system"
_FRONT = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_REQUIRED, _OPTIONAL = "title doc_type serves facts", "owner approver quorum each controls"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MARKS = re.compile(r"[\\`*\[\]<>#|!~&]|(?<!\w)_|_(?!\w)")
_BEGINS = re.compile(r"[-+=]|\d+(?=[.)](?:\s|$))")
_LONGEST = 400
_DRAFT = """\
# Take `draft` out once every FILL IN is replaced and the approver has read it: until then it counts
# for nothing. `rendered` is what it was made from: `headwater documents drift` compares that.
"""


@dataclass(frozen=True, slots=True)
class Template:
    """One document to be made. `serves` are the clauses and controls that ask for it; `controls`
    whether the document names them; `owner` and `approver` are words of the roles whose persons
    stand for them; `each` is `system` where every AI system has one of its own. `facts` are the
    groups that it sees. `quorum` of more than 1 asks for so many named approvers."""

    name: str
    title: str
    doc_type: str
    serves: tuple[str, ...]
    facts: tuple[str, ...]
    owner: tuple[str, ...]
    approver: tuple[str, ...]
    quorum: int
    each: str
    controls: bool
    sha256: str
    folder: Path

    def path(self, system: str = "") -> str:
        """Where the document lies below the folder of documents. Raises MappingError."""
        if system and not _SAFE.fullmatch(system):
            raise MappingError(
                f"AI system {system!r}: its name is no name of a folder (letters, digits, . _ -); "
                "correct it in the inventory, or leave the documents of systems out"
            )
        return f"{system}/{self.name}.md" if system else f"{self.name}.md"


def load_templates(folders: Iterable[Path] = ()) -> dict[str, Template]:
    """Name → template: the shipped ones, and those of one's own, which win by name.

    Raises MappingError naming the file.
    """
    return {one.name: one for folder in (TEMPLATES, *folders) for one in _in_folder(folder)}


def _in_folder(folder: Path) -> Iterator[Template]:
    try:
        files = sorted(file for file in folder.iterdir() if not file.name.startswith((".", "_")))
    except OSError as error:
        raise MappingError(f"cannot be read: {error.strerror}", file=str(folder)) from error
    for file in files:
        if not file.name.endswith(ENDING) or not _NAME.fullmatch(file.name.removesuffix(ENDING)):
            raise MappingError(
                f"would be passed over; a template is called small-letters{ENDING}", file=str(file)
            )
        yield _template(file)


def _template(file: Path) -> Template:
    text = _text(file)
    front = _FRONT.fullmatch(text)
    if front is None:
        raise MappingError("begins with no front matter: ---, fields, ---", file=str(file))
    fields = parse(front[1].encode(), str(file)).record("the front matter", _REQUIRED, _OPTIONAL)
    facts = fields["facts"].texts("facts")
    for group in facts:
        if group not in GROUPS:
            raise fields["facts"].error(f"unknown facts {group!r}; known: {', '.join(GROUPS)}")
    each = fields["each"].text("each") if "each" in fields else ""
    if each not in ("", EACH_SYSTEM) or (each == "") == (EACH_SYSTEM in facts):
        raise fields["facts"].error("`each: system` and the facts `system` go together")
    return Template(
        name=file.name.removesuffix(ENDING), title=fields["title"].text("title"),
        doc_type=fields["doc_type"].text("doc_type"), serves=fields["serves"].texts("serves"),
        facts=facts, owner=_words(fields.get("owner")), approver=_words(fields.get("approver")),
        quorum=_quorum(fields.get("quorum")), each=each,
        controls="controls" in fields and fields["controls"].value is True,
        sha256=_digest(file.parent, text), folder=file.parent,
    )  # fmt: skip


def _digest(folder: Path, text: str) -> str:
    """Of the template with the parts (`_NAME.md.j2`) that it may include."""
    parts = {part.name: part for one in (TEMPLATES, folder) for part in one.glob(f"_*{ENDING}")}
    whole = [text, *(f"{name}\n{_text(parts[name])}" for name in sorted(parts))]
    return hashlib.sha256("\0".join(whole).encode()).hexdigest()


def _words(node: Node | None) -> tuple[str, ...]:
    return node.texts("words of roles", one=True) if node else ()


def _quorum(node: Node | None) -> int:
    if node is None:
        return 1
    if not isinstance(node.value, int) or isinstance(node.value, bool) or node.value < 1:
        raise node.error("quorum is how many must approve: 1 or more")
    return node.value


def _text(file: Path) -> str:
    try:
        raw = contents(file, MOST)
        if len(raw) > MOST:
            raise MappingError(f"is larger than {MOST} bytes", file=str(file))
        return raw.decode("utf-8")
    except OSError as error:
        raise MappingError(f"cannot be read: {error.strerror}", file=str(file)) from error
    except UnicodeDecodeError as error:
        raise MappingError("is not UTF-8; save it as UTF-8", file=str(file)) from error


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


def render(template: Template, facts: Facts, system: str = "") -> tuple[str, Rendered]:
    """The document as Markdown with front matter, and what it was made from.

    Raises MappingError naming the template.
    """
    asked = Asked(facts.get("roles", {}), facts.get("registers", {}))
    seen = dict(seen_by(template, facts, system))
    body = _body(template, seen | {"who": asked.who, "kept": asked.kept}, system)
    front = _front(template, facts, system, asked)
    told = {"people": asked.people, "kept": asked.registers}
    made = Rendered.of(template.name, template.sha256, seen | told)
    fields = f"{_yaml(front, flow=False)}{_yaml({'rendered': made.told()})}"
    return f"---\ndraft: true\n{_DRAFT}{fields}---\n{body}", made


@dataclass(frozen=True, slots=True)
class Asked:
    """What a document asks of roles and registers; what it was told is kept, and nothing else."""

    roles: Mapping[str, Mapping[str, str]]
    known: Mapping[str, Mapping[str, str]]
    people: dict[str, dict[str, str]] = field(default_factory=dict)
    registers: dict[str, dict[str, str]] = field(default_factory=dict)

    def who(self, *words: str) -> str:
        """The person of the first role that is called by one of the words; empty: nobody is."""
        found = next(filter(None, (self._person(word.casefold()) for word in words)), "")
        for word in words[:1]:
            self.people[word] = {"person": found}
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


def _body(template: Template, seen: Mapping[str, Any], system: str) -> str:
    given = dict(seen)
    if template.each:
        given |= {"name": system, EACH_SYSTEM: seen[EACH_SYSTEM][system]}
    text = _FRONT.fullmatch(_text(template.folder / f"{template.name}{ENDING}"))
    try:
        page = _environment(template.folder).from_string(text[2] if text else "")
        return re.sub(r"\n{3,}", "\n\n", page.render(given)).strip() + "\n"
    except (TemplateError, TypeError, ValueError, LookupError) as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line} below its front matter)" if line else ""
        raise MappingError(
            f"cannot be rendered{where}: {error}", file=f"{template.name}{ENDING}"
        ) from error


@cache
def _environment(folder: Path) -> ImmutableSandboxedEnvironment:
    """Texts of facts pass `_shown`; templates of one's own may include the shipped parts."""
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(TEMPLATES)]),
        autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["or_fill_in"] = _or_fill_in
    return environment


def _or_fill_in(text: object, what: str) -> object:
    """The text, or that somebody has to say it."""
    return text or f"{TO_FILL_IN} {what}"


def _shown(value: object) -> object:
    return value if isinstance(value, Markup) else Markup(plain(str(value)))  # noqa: S704  escaped


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
