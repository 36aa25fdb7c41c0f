"""Say why: which rules speak for an item, or what a control asks for and what it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evidence.errors import ConfigError
from flows.config import load, now
from flows.explain_control import explain_control
from flows.judgement import judge_lake
from flows.lookup import SIGNS, find_item
from flows.moment import Asked, Moment, moment, tagged
from flows.terminal import printable
from flows.unreached import unreached
from mappings.catalogue import load_catalogue
from storage.corrections import told_correction
from storage.lake import Lake
from storage.pages import context_of, corrections_of, item_tags
from storage.suggestions import is_accepted, suggestions_of, told_suggestion

NEAREST = 5
Say = Callable[[str], None]


def explain(file: Path, what: str, say: Say, asked: Asked | None = None) -> int:
    """Explain a control (`A.6.2.4`, `iso42001:5.2`) or an item (id, or at least 6 signs of it).

    With `asked`, as things stood then, by the mapping that was in force.
    """
    config = load(file)
    if len(what) < SIGNS and not any(what in (c.id, c.number) for c in load_catalogue().controls):
        raise ConfigError(f"{what!r} is no control; an item id needs at least {SIGNS} signs")
    lake = Lake.open(config.lake, clock=now)
    shown = moment(lake, config, asked)
    controls = shown.mapping.catalogue.controls
    control = next((c for c in controls if what in (c.id, c.number)), None)

    def safe(line: str) -> None:
        say(printable(line))

    for note in shown.notes:
        safe(f"note: {note}")
    if control is not None:
        unfilled = unreached(shown.mapping, config)
        judged = judge_lake(lake, shown if asked else tagged(lake, shown))
        explain_control(judged, control, unfilled, safe)
    else:
        _item(lake, shown, what, safe)
    return 0


def _item(lake: Lake, shown: Moment, what: str, say: Say) -> None:
    with shown.connect(lake) as connection:
        row = find_item(connection, what, also=", and no control has that number")
        ids = [row["item_id"]]
        corrections, suggested = corrections_of(connection, ids), suggestions_of(connection, ids)
        declared = context_of(connection, ids)
        tags = item_tags(connection, ids) if suggested else []  # what rules say is asked of them
        accepted = [tag for tag in tags if is_accepted(tag)]
    say(f"{row['item_id']}\n  {row['title']}\n  {row['kind']} · {row['change']} · {row['outcome']}")
    say(f"  source {row['source']}, system {row['system'] or 'organisation'}, {row['subject']}")
    for name in ("observed_from", "observed_to", "collected_at", "landed_at"):
        say(f"  {name:<14}{row[name].isoformat()}")
    for correction in corrections:
        say(f"  correction {told_correction(correction)}")
    told = shown.mapping.rules.explain(row)
    say("speaks to:" if told.matched or accepted else "speaks to no control")
    for match in told.matched:
        say(f"  {match.rule}: {'; '.join(match.why)}")
        for claim in match.claims:
            as_what = f" as {claim.evidence}" if claim.evidence else ""
            say(f"    {claim.control}{as_what} ({claim.strength}): {claim.rationale}")
    for tag in accepted:
        say(f"  {tag['rule']}: {tag['control']} as {tag['evidence']} ({tag['strength']}): "
            f"{tag['rationale']}")  # fmt: skip
    held = {match.rule: match.why for match in told.context}
    for one in declared:
        say(f"  context only by {one['declaration']}: {one['rationale']}")
        say(f"    {'; '.join(held.get(one['declaration'], ()))}")
    for row in suggested:
        say(f"  suggestion {told_suggestion(row)}")
    for miss in told.near_misses[:NEAREST]:
        say(f"not by {miss.rule}: {'; '.join(miss.failed)}")
