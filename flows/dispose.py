"""Show what is due to go by the retention classes; a named person confirms exactly that plan."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from rich.markup import escape

from evidence.errors import ConfigError, LakeError
from evidence.freshness import State, Verdict
from evidence.times import stamp
from flows.config import Config, load, now
from flows.floors import below, short
from flows.follow import follow, seal
from flows.judgement import judge_lake
from flows.moment import present, tagged
from flows.terminal import Screen, Table
from storage.actions import act
from storage.checkpoints import read_checkpoint
from storage.disposal import Done, dispose, finish, unfinished
from storage.engine import ample
from storage.keys import load_key
from storage.lake import Lake
from storage.living import around
from storage.retention import Plan, plan
from storage.views import Connection, sightings

SHORT = 16


def run(file: Path, *, confirmed: str, by: str, why: str, finishing: bool) -> int:
    """Print the plan; carry out the `confirmed` one, or only finish what was decided before.

    1 if a class keeps less than a floor and gives no basis. Raises ConfigError, LakeError.
    """
    config = load(file)
    if confirmed and not (by.strip() and why.strip()):
        raise ConfigError("--plan needs --by NAME and --why TEXT: they stand in the record")
    console = Screen(highlight=False)
    lake = Lake.open(config.lake, clock=now, redactor=config.redactor())
    if finishing:
        _told(console, _finish(lake, config))
        return 0
    unexplained = _warn(console, config)
    if not confirmed:
        _preview(console, lake, config)
        return 1 if unexplained else 0
    if unexplained:
        raise ConfigError(
            f"class {', '.join(unexplained)} keeps less than the source above says; write in its "
            "`basis` why that is right, or keep longer"
        )
    _carry_out(console, lake, config, confirmed, by, why)
    return 0


def _preview(console: Screen, lake: Lake, config: Config) -> None:
    due = make_plan(lake, config)
    _show(console, due)
    if left := unfinished(lake, load_key(config.key, origin=config.origin)):
        console.print(f"{left} items of a sealed record of disposal are still there: run "
                      "`headwater dispose --finish`")  # fmt: skip
    console.print("Nothing was changed.")
    if due.ids:
        console.print(
            f"To dispose of exactly these {len(due.ids)} items for good:\n"
            f"  headwater dispose --plan {due.digest[:SHORT]} --by NAME --why TEXT",
            markup=False, soft_wrap=True,
        )  # fmt: skip


def _carry_out(
    console: Screen, lake: Lake, config: Config, confirmed: str, by: str, why: str
) -> None:
    due = make_plan(lake, config)
    if len(confirmed) < SHORT or not due.digest.startswith(confirmed):
        raise LakeError(
            f"the plan is now {due.digest[:SHORT]}, not {confirmed}: nothing was disposed of; look "
            "at it again with `headwater dispose`"
        )
    follow(lake, config)
    done = dispose(
        lake, load_key(config.key, origin=config.origin),
        lambda: make_plan(lake, config).only(due.ids),
        by=by, reason=why, seal=lambda: seal(lake, config),
    )  # fmt: skip
    counts = {planned.retention.name: len(planned.due) for planned in due.classes}
    _record(lake, config, done, {"classes": counts, "reason": why}, by)
    _told(console, done)


def _finish(lake: Lake, config: Config) -> Done:
    follow(lake, config)
    signer = load_key(config.key, origin=config.origin)
    done = finish(lake, signer, lambda: seal(lake, config))
    if done != Done():
        _record(lake, config, done, {"finished": True}, "")
    return done


def _record(lake: Lake, config: Config, done: Done, facts: dict[str, object], by: str) -> None:
    told = facts | {"items": done.items}
    act(lake, "dispose", who=by, facts=told, title=f"dispose: {done.items} items went")
    follow(lake, config)


def _told(console: Screen, done: Done) -> None:
    console.print(
        f"{done.items} items went; {done.rewritten} files rewritten, {done.deleted} older copies "
        "deleted. `headwater verify` tells what went, when and by whom.", soft_wrap=True,
    )  # fmt: skip


def make_plan(lake: Lake, config: Config) -> Plan:
    """What is due now by the configured classes, the holds and the judgement of today."""
    try:
        sealed = read_checkpoint(lake).size
    except LakeError:
        sealed = 0
    moment = tagged(lake, present(lake, config))
    with moment.connect(lake, ample()) as connection:
        needed = frozenset[str]()
        if config.retention:
            gap = recovered_by(connection, judge_lake(lake, moment).verdicts)
            needed = rests_on(connection, moment.at) | gap
        return plan(connection, config.retention, now=moment.at, sealed=sealed, needed=needed)


def rests_on(connection: Connection, at: datetime) -> frozenset[str]:
    """The items behind today's verdicts: the best of each, and every failure, outlived or not,
    also one that two people overrode.

    Without them a control would look better, or worse, than it did.
    """
    seen = list(sightings(connection, at).values())
    supports = frozenset(one.support.item_id for one in seen if one.support)
    found = (i for one in seen for i in (one.item_id, *one.failing, *one.overridden))
    return supports.union(found) - {""}


def recovered_by(connection: Connection, verdicts: Iterable[Verdict]) -> frozenset[str]:
    """All that lies around the gaps that are told of as recovered, as long as they are.

    Without what came before it a gap is none, and evidence would look as if it had never lapsed.
    """
    found = [one for one in verdicts if one.state is State.RECOVERED]
    pairs = {(one.control, one.evidence) for one in found}
    return around(connection, pairs, {one.source for one in found})


def _warn(console: Screen, config: Config) -> list[str]:
    """Say which classes keep less than a floor; the names of those without a basis."""
    unexplained = dict[str, None]()
    for kept, floor in below(config.retention):
        console.print(f"[yellow]short[/]   {escape(short(kept, floor))}", soft_wrap=True)
        if kept.basis:
            console.print(f"        basis given: {escape(kept.basis)}", soft_wrap=True)
        else:
            unexplained[kept.name] = None
    return list(unexplained)


def _show(console: Screen, due: Plan) -> None:
    console.print(f"What may go as of {stamp(due.at)}, by the clock of this machine:")
    for hold in due.holds.values():
        told = f"{hold.name} by {hold.by} since {hold.since.date()}: {hold.reason}"
        console.print(f"[bold]hold[/]    {escape(told)}", soft_wrap=True)
    if not due.classes:
        console.print("No [[retention]] class is configured: everything is kept.", markup=False)
        return
    table = Table("class", "keeps", "due", "on hold", "still needed", "not sealed", "oldest",
                  "newest")  # fmt: skip
    for planned in due.classes:
        held = ", ".join(f"{number} {name}" for name, number in sorted(planned.held.items()))
        table.add_row(
            escape(planned.retention.name), f"{planned.retention.keep.days} days",
            str(len(planned.due)), escape(held), str(planned.living), str(planned.unsealed),
            planned.oldest.date().isoformat() if planned.oldest else "",
            planned.newest.date().isoformat() if planned.newest else "",
        )  # fmt: skip
    console.print(table)
