"""`headwater draft`: a text from cited evidence, by a model or by code alone; people decide."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from evidence.draft import Act, Matter
from evidence.errors import ConfigError
from evidence.suggestion import AskedModel
from evidence.times import stamp
from flows._draft.abstain import hopeless, thin
from flows._draft.checks import Checked
from flows._draft.text import markdown
from flows.config import Config, load, now
from flows.draft_matter import Desk
from flows.draft_model import Drafting, writer_of
from flows.draft_page import page
from flows.draft_waiting import WaitingDraft, waiting
from flows.follow import follow
from flows.terminal import printable
from storage.actions import land_own
from storage.drafts import draft_item, drafts_in, find_drafts, told_draft
from storage.lake import Lake
from storage.views import connect

Say = Callable[[str], None]
_DECIDE = "Nothing was changed. headwater draft accept (or reject) {id} --by NAME --why TEXT"


def draft(file: Path, matter_of: Callable[[Desk], Matter], say: Say) -> int:
    """Write a draft about a matter, or abstain; either lands and is sealed. 0, or 3: abstained.

    Raises ConfigError, SourceError when the model does not answer, LakeError.
    """
    config = load(file)
    lake = open_lake(config)
    settings = config.draft or Drafting()
    writer = writer_of(settings)
    matter = matter_of(Desk(lake, config, settings.items))
    model, why = writer.asked(matter), hopeless(matter)
    found = Checked((), {}) if why else writer.write(matter)
    why = why or thin(matter, found)
    facts = _facts(matter, found, model) | ({"why": why} if why else {})
    if not why:
        facts |= _written(matter, found, config.redactor().text(markdown(matter, found, model)))
    act = Act.ABSTAIN if why else Act.DRAFT
    made = draft_item(lake, act, facts, title=f"{act}: {matter.about}")
    land_own(lake, lambda _: ((made,), None))
    follow(lake, config)
    for reason, number in sorted(found.dropped.items()):
        say(printable(f"{number} sentences left out: one {reason}"))
    if why:
        for line in (f"abstained: {why}", *matter.notes):
            say(printable(line))
        return 3
    say(facts["text"])
    say(_DECIDE.format(id=made.item_id[:16]))
    return 0


def _facts(matter: Matter, found: Checked, model: AskedModel) -> dict[str, Any]:
    """What the record says of a draft and of an abstention, and that of a decision repeats."""
    return {
        "task": matter.task.value, "about": matter.about, "question": matter.question,
        "controls": list(matter.controls), "systems": list(matter.systems),
        "request": matter.request,
        "model": model.name, "model_digest": model.digest, "prompt_digest": model.prompt_digest,
        "given": [{"item_id": one.item_id, "flaws": sorted(one.words), "in_date": one.in_date}
                  for one in matter.given],
        "left": matter.left, "notes": list(matter.notes), "dropped": dict(found.dropped),
        "unwritten": found.unwritten,
    }  # fmt: skip


def _written(matter: Matter, found: Checked, text: str) -> dict[str, Any]:
    """What it says of a draft beside; `relied` are the cited items that stood when it was made."""
    cited = list(dict.fromkeys(cite.item_id for one in found.sentences for cite in one.cites))
    moved = {"replaced", "gone", "corrected"}
    return {
        "sentences": [one.facts() for one in found.sentences], "cited": cited,
        "relied": [one for one in cited if not matter.by_id[one].words & moved],
        "text": text, "text_sha256": sha256(text.encode()).hexdigest(),
    }  # fmt: skip


def show_all(file: Path, say: Say, *, as_json: bool = False) -> int:
    """Print every draft with what people decided, the open ones first, with whom they wait for; 0.

    Raises ConfigError, LakeError.
    """
    at = now()
    with connect(open_lake(load(file))) as connection:
        rows = drafts_in(connection)
        waits = {one.draft: one for one in waiting(connection)}
    if as_json:
        say(json.dumps([_listed(row, waits, at) for row in rows], indent=2, ensure_ascii=False))
        return 0
    for row in rows:
        one = waits.get(row["draft"])
        say(printable(told_draft(row) + (f"; it waits {one.told(at)}" if one else "")))
    if not rows:
        say("Nothing was drafted.")
    return 0


def _listed(
    row: Mapping[str, Any], waits: Mapping[str, WaitingDraft], at: datetime
) -> dict[str, Any]:
    told = ("draft", "task", "about", "state", "outdated", "why", "model", "sentences", "cited")
    one = waits.get(row["draft"])
    return {name: row[name] for name in told} | {
        "drafted_at": stamp(row["drafted_at"]), "decided_by": row["decided_by"],
        "waits_days": one.days(at) if one else None, "asked": list(one.asked) if one else [],
    }  # fmt: skip


def show(file: Path, what: str, output: Path | None, say: Say) -> int:
    """Print a draft, or write it to a new file, with who drafted it and who decided; 0.

    Raises ConfigError for none or several, LakeError.
    """
    with connect(open_lake(load(file))) as connection:
        row = the_draft(find_drafts(connection, what), what)
    if row["text"] is None:
        say(printable(told_draft(row)))
        return 0
    return page(row, output)


def the_draft(rows: list[dict[str, Any]], what: str) -> Mapping[str, Any]:
    """The one draft that was named by the start of an id. Raises ConfigError."""
    if not rows:
        raise ConfigError(f"no draft has an id that begins with {what!r}: `headwater draft list`")
    if len(rows) > 1:
        ids = ", ".join(row["draft"][:16] for row in rows)
        raise ConfigError(f"{what!r} fits more than one draft: {ids} …")
    return rows[0]


def open_lake(config: Config) -> Lake:
    """The lake of this configuration, to land in."""
    return Lake.open(config.lake, clock=now, redactor=config.redactor())
