"""Where the controls stand, in a terminal or for machines."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from dashboards.machine import told_continuity
from dashboards.model import Attention, Board
from dashboards.summary import asked_for
from dashboards.text import context_words
from evidence.errors import ConfigError
from evidence.freshness import ORGANISATION, Standing
from evidence.times import stamp
from flows._alerts.unsent import UNSENT
from flows.board import UNJUDGED, build
from flows.config import load, now
from flows.moment import Asked, present, require_tags
from flows.terminal import Screen, Table, for_machines
from storage.lake import Lake

SHOWN = 25
STYLES = {
    "law": "bold red",
    "failed": "bold red",
    "health": "bold red",
    "source": "bold magenta",
    "stale": "yellow",
    "due": "cyan",
}
WORSE = {
    "failed": {Standing.FAILED},
    "stale": {Standing.FAILED, Standing.STALE, Standing.MISSING},
    "missing": {Standing.FAILED, Standing.MISSING},
}
"""No data is worse than old data. What landed but is not judged yet may be a failure, and whoever
should hear of one does not where alerts are not taken."""


BY_WORD = {
    "setting": "settings changed", "went away": "failures gone at their source",
    "taken out of": "registers with records taken out", "left out": "controls newly left out",
    "waiver": "waivers", "overridden": "overridden items", "hush": "hushes",
}  # fmt: skip
"""How the causes of sentences begin by which something may look better: counted before all else,
for a long list hides what stands at its end."""


def show(file: Path, asked: Asked | None, *, fail_on: str, as_json: bool) -> int:
    """Print the standings; 3 if any control is as bad as `fail_on` or worse, else 0."""
    if fail_on and fail_on not in WORSE:
        raise ConfigError(f"--fail-on {fail_on!r}: choose one of {', '.join(WORSE)}")
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    if asked is None:
        require_tags(lake, present(lake, config))
    board = build(lake, config, asked)
    if as_json:
        print(for_machines(_machine(board)))
    else:
        show_standings(board)
    bad = WORSE.get(fail_on, set())
    unknown = any(note.action in {UNJUDGED, UNSENT} for note in board.attention)
    return 3 if fail_on and (unknown or _any(board, bad)) else 0


def _any(board: Board, bad: set[Standing]) -> bool:
    return any(row.standing.standing in bad for row in board.controls)


def counts(board: Board) -> dict[str, int]:
    """How many controls stand where; every word is there, also with 0."""
    found = {word.value: 0 for word in Standing}
    for row in board.controls:
        found[row.standing.standing.value] += 1
    return found


def _machine(board: Board) -> dict[str, object]:
    return {
        "organisation": board.organisation,
        "as_of": stamp(board.as_of),
        "controls": len(board.controls),
        "standings": counts(board),
        "expectations": {
            "in_date": sum(row.standing.in_date for row in board.controls),
            "asked": sum(row.standing.expected for row in board.controls),
        },
        "overridden": sum(bool(row.standing.overridden) for row in board.controls),
        "by_word": by_word(board),
        "attention": [
            {"severity": a.severity, "sentence": a.sentence, "control": a.control,
             "system": a.system, "source": a.source, "action": a.action, "item_id": a.item_id,
             "owners": list(owners(board, a))}
            for a in board.attention
        ],
        "clocks": [
            {"incident": c.incident, "law": c.law, "to": c.to, "state": c.state, "open": c.open,
             "due": stamp(c.due) if c.due else None, "why": c.why, "system": c.system,
             "item_id": c.item_id}
            for c in board.clocks
        ],
        "gaps": [
            {"control": verdict.control, "evidence": verdict.evidence, "system": verdict.system}
            | (told_continuity(verdict) or {})
            for row in board.controls for verdict in row.standing.verdicts
            if verdict.continuity is not None and verdict.continuity.gaps
        ],
        "sources": {row.source: row.outcome for row in board.sources},
        "items": board.lake.items,
        "disposed": board.lake.disposed,
        "errors_of_no_control": board.lake.errors,
        "untagged": board.lake.untagged,
        "context_only": board.lake.context,
        "context_declarations": len(board.context),
        "sealed": board.lake.ledger_size,
        "shown": board.lake.shown,
        "version": board.lake.version,
        "mapping_digest": board.lake.mapping_digest,
        "result": board.lake.result,
    }  # fmt: skip


def by_word(board: Board) -> dict[str, int]:
    """How many sentences tell of each way to look better without newer evidence; none is left out
    that is not 0."""
    causes = [note.cause for note in board.attention]
    found = {
        what: sum(cause.startswith(f"{begins} ") for cause in causes)
        for begins, what in BY_WORD.items()
    }
    return {what: number for what, number in found.items() if number}


def owners(board: Board, note: Attention) -> tuple[str, ...]:
    """Who answers for it: the AI system's owner, else those of the controls it is about."""
    of_system = [row.owner for row in board.systems if row.system == note.system != ORGANISATION]
    about = {note.control, *note.controls}
    of_controls = [row.owner for row in board.controls if row.control in about]
    return tuple(dict.fromkeys(filter(None, of_system))) or tuple(
        dict.fromkeys(filter(None, of_controls))
    )


def show_standings(board: Board) -> None:
    """How many controls stand where and what needs a person, on the terminal."""
    console = Screen()
    told = "  ".join(f"{number} {word}" for word, number in counts(board).items() if number)
    console.print(
        f"[bold]{escape(board.organisation)}[/] as of {stamp(board.as_of)}", highlight=False
    )
    overridden = sum(bool(row.standing.overridden) for row in board.controls)
    beside = f"; {overridden} with a failure overridden by two people" if overridden else ""
    console.print(f"{len(board.controls)} clauses and controls: {told}{beside}", highlight=False)
    console.print(asked_for(board), highlight=False)
    console.print(
        f"shown as of {board.lake.shown} · evidence version {board.lake.version} · "
        f"rules {board.lake.mapping_digest[:16]} · result {board.lake.result}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    console.print(
        f"{board.lake.untagged} of {board.lake.items} items wait for a rule; "
        f"{context_words(board.lake.context, len(board.context))}", highlight=False,
    )  # fmt: skip
    if board.lake.errors:
        console.print(f"[bold]{board.lake.errors} items report an error and speak to no control[/]")
    if told := ", ".join(f"{number} {what}" for what, number in by_word(board).items()):
        console.print(f"what may look better by people's word or silence: {told}", highlight=False)
    table = Table("", "what needs a person now", "who", "what to do", show_lines=False)
    for note in board.attention[:SHOWN]:
        style = STYLES.get(note.severity, "")
        who = ", ".join(owners(board, note))
        cells = (note.severity, note.sentence, who, note.action)
        table.add_row(*map(escape, cells), style=style)
    console.print(table)
    if len(board.attention) > SHOWN:
        console.print(f"… and {len(board.attention) - SHOWN} more: see the board or --json")
