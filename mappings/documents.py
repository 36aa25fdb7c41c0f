"""Templates of documents: Markdown with Jinja2 in it, below a front matter that says what it is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

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
EACH_SYSTEM = "system"
FRONT = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_REQUIRED, _OPTIONAL = "title doc_type serves facts", "owner approver quorum each controls"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


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
    text = text_of(file)
    front = FRONT.fullmatch(text)
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
    whole = [text, *(f"{name}\n{text_of(parts[name])}" for name in sorted(parts))]
    return hashlib.sha256("\0".join(whole).encode()).hexdigest()


def _words(node: Node | None) -> tuple[str, ...]:
    return node.texts("words of roles", one=True) if node else ()


def _quorum(node: Node | None) -> int:
    if node is None:
        return 1
    if not isinstance(node.value, int) or isinstance(node.value, bool) or node.value < 1:
        raise node.error("quorum is how many must approve: 1 or more")
    return node.value


def text_of(file: Path) -> str:
    try:
        raw = contents(file, MOST)
        if len(raw) > MOST:
            raise MappingError(f"is larger than {MOST} bytes", file=str(file))
        return raw.decode("utf-8")
    except OSError as error:
        raise MappingError(f"cannot be read: {error.strerror}", file=str(file)) from error
    except UnicodeDecodeError as error:
        raise MappingError("is not UTF-8; save it as UTF-8", file=str(file)) from error
