"""`headwater documents approve`: what a person commits to approve a text, and who has yet to."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from rich.markup import escape

from collectors._git.register_files import Declared, read_document, read_register
from collectors._safe_yaml import Unreadable
from evidence.approval import REGISTER, TEXT, Asked
from evidence.errors import ConfigError, InvalidItem
from evidence.people import person, same_person
from flows.approvals import Waiting, approvals
from flows.config import load, now
from flows.hold import open_lake
from flows.terminal import Screen, Table, for_machines, printable
from storage.views import connect

NEXT = (
    f"# One record of the register `{REGISTER}` (registers/{REGISTER}.yaml): commit it yourself, "
    "signed where\n# the source has `signers`. It is of this very text and of no other.\n"
)


def approve(file: Path, by: str, record: str) -> int:
    """Print the record by which `by` approves the text in `file`, or its record with that id; 0.

    Raises ConfigError for a text that is a draft, has flaws, or does not ask for that person.
    """
    of, text = _text(file, record)
    try:
        asked, name = Asked.read(text.payload), person(by)
    except (InvalidItem, ValueError) as error:
        raise ConfigError(f"{of}: {error}") from error
    if not any(same_person(name, one) for one in asked.approvers):
        raise ConfigError(
            f"{of} does not ask {name!r} to approve it, but {', '.join(asked.approvers)}"
        )
    made = {
        "id": _slug(f"{of} {name}"), "of": of, "by": name, "at": f"{now():%Y-%m-%d}",
        "sha256": text.payload[TEXT],
    }  # fmt: skip
    print(NEXT + yaml.safe_dump([made], sort_keys=False, allow_unicode=True, width=200), end="")
    return 0


def _text(file: Path, record: str) -> tuple[str, Declared]:
    """How approvals call the text, and what it declares. Raises ConfigError."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    try:
        found = read_register(file.name, raw) if record else read_document(file.name, raw)
    except Unreadable as error:
        raise ConfigError(f"{file}: {error}") from error
    chosen = [one for one in found if not record or one.payload.get("id") == record]
    if not chosen:
        raise ConfigError(f"{file} has no record {record!r}")
    text = chosen[0]
    if text.payload.get("level") == "draft":
        raise ConfigError(f"{file} is a draft: take `draft` out before anybody approves it")
    if text.problems:
        raise ConfigError(*(f"{file}: {problem}" for problem in text.problems))
    if TEXT not in text.payload:
        whose = text.payload.get("body_sha256")
        before = (
            f"; if it did before, whom it asked approves that by sha256 {whose}" if whose else ""
        )
        raise ConfigError(f"{file} asks nobody to approve it: write `approvers: [NAME, …]`{before}")
    return f"{text.payload['register']}/{record}" if record else _path(file), text


def _path(file: Path) -> str:
    """The file as the collector names it: below the top of its repository. Raises ConfigError."""
    whole = file.resolve()
    top = next((folder for folder in whole.parents if (folder / ".git").exists()), None)
    if top is None:
        raise ConfigError(f"{file} lies in no git repository: approve it where it is committed")
    return whole.relative_to(top).as_posix()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")


def show(file: Path, *, as_json: bool) -> int:
    """Print each text that asks for approval, who gave it and of whom it waits; 3 if any waits.

    Raises ConfigError, LakeError.
    """
    with connect(open_lake(load(file))) as connection:
        found = approvals(connection)
    if as_json:
        print(for_machines([_told(one) for one in found]))
    elif not found:
        print("No document and no record asks for approval by named people.")
    else:
        table = Table("text", "title", "approval")
        for one in found:
            cells = (one.text.of, one.text.title, one.sentence)
            table.add_row(*(escape(printable(cell)) for cell in cells))
        Screen(highlight=False).print(table)
    return 0 if all(one.holds for one in found) else 3


def _told(one: Waiting) -> dict[str, object]:
    state = one.state
    return {
        "of": one.text.of, "source": one.text.source, "item_id": one.text.item_id,
        "sha256": one.text.sha256, "holds": one.holds, "sentence": one.sentence,
        "approvers": list(state.asked.approvers) if state else [],
        "quorum": state.asked.quorum if state else 0, "by": list(state.by) if state else [],
        "waits_for": list(state.waits_for) if state else [],
        "of_another_text": list(state.of_another_text) if state else [],
        "rests_on": dict(state.resting) if state else {},
        "claimed": dict(state.claimed) if state else {},
    }  # fmt: skip
