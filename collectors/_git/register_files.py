"""What a register (YAML or CSV) or a document (Markdown with front matter) in git declares."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from collectors._disk import shown
from collectors._safe_yaml import Lines, Unreadable, load
from evidence import approval, attestation
from evidence.canonical import canonical, digest, plain
from evidence.errors import InvalidItem
from evidence.fields import EVERYWHERE, HEADER, TO_FILL_IN, Field, wrong_fields
from evidence.model import Outcome
from evidence.registers import register_called, register_meant
from evidence.times import day_or_time
from evidence.written import MOST, lines_of

REGISTER, DOCUMENT, ATTESTATION = "git.register", "git.document", attestation.KIND
REGISTER_ENDINGS, DOCUMENT_ENDINGS = (".yaml", ".yml", ".csv"), (".md", ".markdown")
_LFS = b"version https://git-lfs.github.com/spec/"
_HEADER = ("owner", "approved_by", "reviewed", "approved")
_REVIEWS = ("reviewed", "approved")
_NAMES = ("title", "name", "summary", "description", "statement")
_INVENTORIES = {"ai_systems", "ai_inventory"}
_FRONT = re.compile(r"---[ \t]*\n(.*?)(?:^|\n)---[ \t]*(?:\n|$)", re.DOTALL)
_COMMENT = re.compile(r"#([^\n]*)(?:\n|$)")
_HIDDEN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is missing or wrong, and on which line of its file (0: not known).

    A record that only moved to another line is the same record.
    """

    why: str
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}" if self.line else self.why


@dataclass(frozen=True, slots=True)
class _Row:
    """A record as it was read: its fields, its number from 1, where it stands, and what of it was
    read otherwise than it looks."""

    number: int
    fields: Mapping[str, Any]
    lines: Lines
    misread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """One record, register or document as its file declares it, without git's facts.

    `dated` is the declared review date, None where none is given or one cannot be believed;
    `problems` say what is missing or wrong, and make the outcome an error. `lines` is where it and
    its fields stand in the file; what only moved to another line is the same.
    """

    kind: str
    subject: str
    title: str
    payload: Mapping[str, Any]
    dated: datetime | None
    system: str = ""
    actor: str = ""
    problems: tuple[Problem, ...] = ()
    lines: Lines = field(default=Lines(), compare=False)

    @property
    def outcome(self) -> Outcome:
        """Error where something is missing: a half-kept record proves nothing."""
        return Outcome.ERROR if self.problems else Outcome.RECORDED


def one_line(text: object, limit: int = 160) -> str:
    """Text for a title: no terminal sequences, no control or direction characters, one line."""
    words = " ".join(_HIDDEN.sub("", str(text)).split())
    return "".join(c for c in words if c.isprintable())[:limit]


def parts(raw: bytes) -> tuple[Mapping[str, Any], str]:
    """The front matter of a document and the text below it. Raises Unreadable."""
    fields, body, _ = _parts(raw)
    return fields, body


def _parts(raw: bytes) -> tuple[Mapping[str, Any], str, Lines | None]:
    """The same, and where the front matter's fields stand; None where there is none at all."""
    text = _text(raw)
    front = _FRONT.match(text)
    fields, lines, _ = load(front[1], first_line=2) if front else ({}, Lines(), {})
    if not isinstance(fields, Mapping):
        raise Unreadable("its front matter is no mapping of names to values", 2)
    return fields, text[front.end() :] if front else text, lines if front else None


def read_document(path: str, raw: bytes) -> list[Declared]:
    """The document in a Markdown file; a draft is told as one, without its fields. Raises
    Unreadable."""
    fields, body, lines = _parts(raw)
    if _is_draft(fields):
        return [_draft(DOCUMENT, shown(path), str(fields.get("doc_type") or ""))]
    dated, wrong = _dated(fields, _REVIEWS)
    problems = (*_missing_in_document(fields, lines is not None), *_unfilled(fields, body), *wrong,
                *_flaws_of_asking(fields))  # fmt: skip
    title = one_line(fields.get("title") or PurePosixPath(shown(path)).stem)
    sha256 = hashlib.sha256(body.encode()).hexdigest()
    payload = beside(fields, {
        "doc_type": str(fields.get("doc_type") or ""), "body_sha256": sha256,
        "body_bytes": len(body.encode()), **_to_approve(fields, sha256), **_written(fields, body),
    })  # fmt: skip
    return [
        Declared(
            kind=DOCUMENT, subject=shown(path), title=title, payload=_kept(payload), dated=dated,
            system=str(fields.get("system") or ""), problems=tuple(map(Problem, problems)),
            lines=lines or Lines(),
        )
    ]  # fmt: skip


def _written(fields: Mapping[str, Any], body: str) -> dict[str, list[str]]:
    """The text of a rendered document, to be compared with what it was rendered from."""
    if not isinstance(fields.get("rendered"), Mapping) or len(body) > MOST:
        return {}
    return {"written": lines_of(body)}


def read_register(path: str, raw: bytes) -> list[Declared]:
    """The register as a whole, then its records; of a draft only that it is one. Raises
    Unreadable."""
    text = _text(raw)
    stem = PurePosixPath(shown(path)).stem
    header, lines, records = _csv(text) if path.endswith(".csv") else _yaml(text)
    name = str(header.pop("register", None) or stem)
    if _is_draft(header):
        return [_draft(REGISTER, f"register/{name}", name)]
    entries = [_record(name, header, row) for row in records]
    count = Counter(entry.payload["id"] for entry in entries)
    if twice := [key for key, times in count.items() if times > 1]:
        raise Unreadable(f"id {twice[0]!r} stands on {count[twice[0]]} records")
    return [_whole(name, header, lines, entries), *entries]


def _is_draft(fields: Mapping[str, Any]) -> bool:
    return str(fields.get("draft") or "").strip().lower() not in {"", "false", "no"}


def _draft(kind: str, subject: str, name: str) -> Declared:
    """Neither its name nor its kind stand where rules look: a draft speaks to no control."""
    payload = {"draft_of": one_line(name), "level": "draft"}
    title = f"{one_line(name)} is a draft: it counts for nothing until `draft` is taken out"
    return Declared(kind=kind, subject=subject, title=title, payload=payload, dated=None)


def _unfilled(fields: Mapping[str, Any], body: str = "") -> tuple[str, ...]:
    """What a template left to fill in proves nothing."""
    left = [str(name) for name, value in fields.items() if TO_FILL_IN in str(value)]
    left += ["the text"] * (TO_FILL_IN in body)
    return (f"still to fill in: {one_line(', '.join(left))}",) if left else ()


def _whole(name: str, header: Mapping[str, Any], lines: Lines, entries: list[Declared]) -> Declared:
    dated, _ = _dated(header, _REVIEWS)
    payload = beside(header, {
        "register": name, "level": "register", "records": len(entries),
        "records_sha256": digest([plain(dict(entry.payload)) for entry in entries]),
    })  # fmt: skip
    return Declared(
        kind=REGISTER, subject=f"register/{name}", title=f"{name}: {len(entries)} records",
        payload=_kept(payload), dated=dated, system=str(header.get("system") or ""),
        problems=(*_misnamed(name, lines), *_problems(HEADER, header, lines)), lines=lines,
    )  # fmt: skip


def _misnamed(name: str, lines: Lines) -> Iterator[Problem]:
    """A known register under another name is read by nobody, and nothing else would say so."""
    if meant := register_meant(name):
        why = (
            f"no register is called {one_line(name, 40)!r}, and nobody reads it: is {meant} meant?"
        )
        yield Problem(why, lines.of("register"))


def _record(name: str, header: Mapping[str, Any], row: _Row) -> Declared:
    fields = row.fields
    key = str(fields.get("id") if fields.get("id") is not None else "").strip()
    if not key:
        raise Unreadable(f"record {row.number} has no id", row.lines.line)
    if name in attestation.REGISTERS:
        return _attestation(name, key, row)
    if name == approval.REGISTER:
        return _approval(name, key, row)
    own = {k: fields[k] for k in _REVIEWS if fields.get(k)}
    dated, wrong = _dated(own or header, _REVIEWS)
    label = next((fields[n] for n in _NAMES if isinstance(fields.get(n), str)), "")
    system = fields.get("system") or (key if name in _INVENTORIES else "")
    payload = beside(fields, {
        "id": key, "register": name, "level": "record",
        "header": {k: header[k] for k in _HEADER if k in header}, **_to_approve(fields),
    })  # fmt: skip
    known = register_called(name)
    inherited = () if own else tuple(map(Problem, wrong))
    return Declared(
        kind=REGISTER, subject=f"register/{name}/{key}", dated=dated, system=str(system),
        title=one_line(f"{name} {key}: {label}" if label else f"{name} {key}"),
        payload=_kept(payload),
        problems=(*inherited, *_problems(known.of_record if known else EVERYWHERE, fields,
                                         row.lines),
                  *(Problem(why, row.lines.line)
                    for why in (*row.misread, *_flaws_of_asking(fields)))),
        lines=row.lines,
    )  # fmt: skip


def _flaws_of_asking(fields: Mapping[str, Any]) -> tuple[str, ...]:
    return approval.flaws_of_asking(fields) if approval.asks(fields) else ()


def _to_approve(fields: Mapping[str, Any], body_sha256: str = "") -> dict[str, str]:
    """The digest of a text that asks to be approved, as approvals name it."""
    if not approval.asks(fields):
        return {}
    try:
        return {approval.TEXT: approval.text_of(fields, body_sha256)}
    except (InvalidItem, RecursionError) as error:
        raise Unreadable("holds values nested too deep or of a kind that JSON lacks") from error


def _problems(
    known: tuple[Field, ...], fields: Mapping[str, Any], lines: Lines
) -> tuple[Problem, ...]:
    """Fields that hold what they may not, and those that a template left to fill in."""
    wrong = [Problem(one_line(why), lines.of(name)) for name, why in wrong_fields(known, fields)]
    return (*wrong, *(Problem(why, lines.line) for why in _unfilled(fields)))


def _attestation(name: str, key: str, row: _Row) -> Declared:
    fields = row.fields
    dated, _ = _dated(fields, ("at",))
    control, by = (one_line(fields.get(k) or "") for k in ("control", "by"))
    told = f"{control or '?'} attested by {by or '?'}: {fields.get('statement', '')}"
    return Declared(
        kind=ATTESTATION, dated=dated, actor=by, system=str(fields.get("system") or ""),
        subject=attestation.subject(control, by) if control and by else f"attestation/{key}",
        title=one_line(f"withdrawn: {told}" if fields.get("withdrawn") else told),
        payload=_kept(beside(fields, {"id": key, "register": name, "level": "record"})),
        problems=tuple(Problem(why, row.lines.line)
                       for why in (*attestation.flaws(fields), *_unfilled(fields))),
    )  # fmt: skip


def _approval(name: str, key: str, row: _Row) -> Declared:
    """As a statement is, of its own date: that its register was read says nothing of it."""
    fields = row.fields
    dated, _ = _dated(fields, ("at",))
    by, of = (one_line(fields.get(k) or "?") for k in ("by", "of"))
    told = f"{of} approved by {by}"
    return Declared(
        kind=REGISTER, dated=dated, actor=by, system=str(fields.get("system") or ""),
        subject=f"register/{name}/{key}",
        title=f"withdrawn: {told}" if fields.get("withdrawn") else told,
        payload=_kept(beside(fields, {"id": key, "register": name, "level": "record"})),
        problems=tuple(Problem(why, row.lines.line)
                       for why in (*approval.flaws(fields), *_unfilled(fields))),
        lines=row.lines,
    )  # fmt: skip


def _missing_in_document(fields: Mapping[str, Any], front: bool) -> tuple[str, ...]:
    if not front:
        return ("no front matter: a first line --- and title, doc_type, owner … are expected",)
    either = {"approver": ("approver", "approved_by"), "reviewed": ("reviewed", "approved")}
    wanted = ("title", "doc_type", "owner", "approver", "version", "reviewed")
    return tuple(
        f"{' or '.join(either.get(name, (name,)))} is missing"
        for name in wanted
        if not any(fields.get(key) for key in either.get(name, (name,)))
    )


def _dated(
    fields: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[datetime | None, tuple[str, ...]]:
    """The latest of the named dates, and what is wrong with those that are none."""
    moments, wrong = [], []
    for name in names:
        if fields.get(name):
            try:
                moments.append(day_or_time(str(fields[name])))
            except InvalidItem:
                wrong.append(
                    f"{name} {one_line(fields[name], 40)!r} is neither YYYY-MM-DD nor a time "
                    "with a zone"
                )
    return (max(moments) if moments and not wrong else None), tuple(wrong)


def _yaml(text: str) -> tuple[dict[str, Any], Lines, Iterator[_Row]]:
    value, lines, places = load(text)
    if not isinstance(value, Mapping) or not isinstance(value.get("records"), list):
        raise Unreadable("a register is a mapping with a list named `records`", 1)
    header = {str(k): v for k, v in value.items() if k != "records"}
    return header, lines, _yaml_records(value["records"], places)


def _yaml_records(records: list[Any], places: Mapping[int, Lines]) -> Iterator[_Row]:
    for number, record in enumerate(records):
        lines = places.get(number, Lines())
        if not isinstance(record, Mapping):
            raise Unreadable(f"record {number + 1} is no mapping", lines.line)
        fields = {str(k): v for k, v in record.items()}
        yield _Row(number + 1, fields, lines, tuple(_misread(record)))


def _misread(record: Mapping[Any, Any]) -> Iterator[str]:
    """What YAML takes for something else than its author: half of `{target: 0,8}`, an id `NO`."""
    if isinstance(record.get("id"), bool):
        yield f"`id` is read as {record['id']}: put it in quotes"
    for name in record:
        if not isinstance(name, str):
            yield f"a field is called {name}, which is no text: put in quotes what holds a comma"


def _csv(text: str) -> tuple[dict[str, Any], Lines, Iterator[_Row]]:
    header, rest = _csv_header(text)
    rows = csv.DictReader(io.StringIO(rest, newline=""), strict=True)
    before = text.count("\n") - rest.count("\n")
    try:
        names = list(rows.fieldnames or ())
    except csv.Error as error:
        raise Unreadable(str(error), before + 1) from error
    if "id" not in names or len(set(names)) < len(names):
        raise Unreadable(
            "a CSV register begins with comma-separated, distinct names, one `id`", before + 1
        )
    return header, Lines(), _csv_records(rows, before)


def _csv_header(text: str) -> tuple[dict[str, Any], str]:
    """What lines `# name: value` at the top say of the register, and the table below them."""
    header, rest = dict[str, Any](), text
    while found := _COMMENT.match(rest):
        rest = rest[found.end() :]
        name, colon, value = found[1].strip().rstrip(",").partition(":")
        if colon and name.strip() in (*_HEADER, "register", "draft"):
            header[name.strip()] = value.strip()
    return header, rest


def _csv_records(rows: csv.DictReader[str], before: int) -> Iterator[_Row]:
    try:
        for number, row in enumerate(rows, start=1):
            if None in row or None in row.values():
                raise Unreadable("has more or fewer cells than the header", before + rows.line_num)
            yield _Row(number, row, Lines(before + rows.line_num))
    except csv.Error as error:
        raise Unreadable(str(error), before + rows.reader.line_num) from error


def beside(fields: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Our facts beside the file's own; a field of the same name stays, as `own_…`."""
    own = {str(k): v for k, v in fields.items()}
    clash = {f"own_{k}": own[k] for k in ours if k in own and own[k] != ours[k]}
    return {**own, **clash, **ours}


def _kept(payload: Mapping[str, Any]) -> dict[str, Any]:
    try:
        kept = plain(dict(payload))
        canonical(kept)
    except (InvalidItem, RecursionError) as error:
        raise Unreadable("holds values nested too deep or of a kind that JSON lacks") from error
    return dict(kept)


def _text(raw: bytes) -> str:
    if raw.startswith(_LFS):
        raise Unreadable("is a Git LFS pointer: the file itself is not in git")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Unreadable("is not UTF-8 text; save it as UTF-8", line) from error
    return text.replace("\r\n", "\n")
