"""`headwater draft`: a text from cited evidence, by a model or by code alone; people decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from evidence.draft import Act, Matter
from evidence.errors import ConfigError
from evidence.suggestion import AskedModel
from flows._draft.abstain import hopeless, thin
from flows._draft.checks import Checked
from flows._draft.text import markdown
from flows.config import Config, load, now
from flows.draft_matter import Desk
from flows.draft_model import Drafting, writer_of
from flows.draft_page import page
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
        "controls": list(matter.controls),
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


def show_all(file: Path, say: Say) -> int:
    """Print every draft with what people decided, the open ones first; 0."""
    with connect(open_lake(load(file))) as connection:
        rows = drafts_in(connection)
    for row in rows:
        say(printable(told_draft(row)))
    if not rows:
        say("Nothing was drafted.")
    return 0


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
