"""From what needs a person to causes: one each, with whose it is, and what a dead source hides."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dashboards.model import Attention, SourceRow
from evidence.freshness import Verdict
from flows._alerts.words import Cause, Seen, rank
from flows.attention import cause_of, cause_of_source
from flows.board import NOT_JUDGED
from flows.judgement import Judged
from flows.source_rows import NOT_RUN

_UNASKED = "its controls are left out as not applicable, or somebody answers for it"
_SOUND, _BUSY = "complete", "busy"


def seen(judged: Judged, attention: Sequence[Attention], sources: Sequence[SourceRow]) -> Seen:
    """The causes of what needs a person, as it was just judged."""
    verdicts: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in judged.verdicts:
        verdicts[cause_of(verdict)].append(verdict)
    down = {row.source: row for row in sources if row.outcome != _SOUND or row.missed_run}
    blind = {key: row for key, row in _hidden(verdicts, down)}
    found: dict[str, Cause] = {}
    for note in attention:
        key = note.cause or _without_numbers(note)
        if key not in blind:
            found[key] = _together(found.get(key), _cause(key, note, judged))
    for key in (NOT_JUDGED, *(cause_of_source(r.source) for r in sources if r.outcome == _BUSY)):
        if key in found:
            found[key] = replace(found[key], brief=True)
    causes = _told_what_hides(found, blind, verdicts)
    return Seen(tuple(causes), frozenset(blind), _now(verdicts, found, sources))


def _hidden(
    verdicts: Mapping[str, Sequence[Verdict]], down: Mapping[str, SourceRow]
) -> Iterable[tuple[str, SourceRow]]:
    """What was in date when its source was last known whole: whether it is now, nobody can see."""
    for key, group in verdicts.items():
        poor = [verdict for verdict in group if verdict.failed or not verdict.in_date]
        rows = [down[v.source] for v in poor if v.source in down and _since(v, down[v.source])]
        if poor and len(rows) == len(poor):
            yield key, rows[0]


def _since(verdict: Verdict, row: SourceRow) -> bool:
    if verdict.failed:
        return False
    last, until = row.last_complete, verdict.fresh_until
    return last is None or until is None or until > last


def _told_what_hides(
    found: Mapping[str, Cause], blind: Mapping[str, SourceRow],
    verdicts: Mapping[str, Sequence[Verdict]],
) -> Iterable[Cause]:  # fmt: skip
    """The causes; that of a source says how much cannot be seen because of it."""
    hidden: dict[str, list[str]] = defaultdict(list)
    for key, row in blind.items():
        name = cause_of_source(row.source)
        hidden[name if name in found else NOT_RUN].append(key)
    for name, cause in found.items():
        if name not in hidden:
            yield cause
            continue
        controls = {v.control: None for key in hidden[name] for v in verdicts[key]}
        told = f"It hides how {len(hidden[name])} kinds of evidence for {len(controls)} controls do"
        yield replace(cause, sentence=f"{cause.sentence} {told}.", controls=tuple(controls))


def _cause(key: str, note: Attention, judged: Judged) -> Cause:
    controls = note.controls or ((note.control,) if note.control else ())
    return Cause(
        key, note.severity, note.sentence, note.action, controls, note.system, note.source,
        _owners(note.system, controls, judged), note.item_id, step=note.step,
    )  # fmt: skip


def _together(one: Cause | None, two: Cause) -> Cause:
    """Two sentences of one cause: the worse one is told, the controls add up."""
    if one is None:
        return two
    worse, other = (one, two) if rank(one.severity) <= rank(two.severity) else (two, one)
    controls = dict.fromkeys((*worse.controls, *other.controls))
    owners = dict.fromkeys((*worse.owners, *other.owners))
    step = max(one.step, two.step)
    return replace(worse, controls=tuple(controls), owners=tuple(owners), step=step)


def _owners(system: str, controls: Sequence[str], judged: Judged) -> tuple[str, ...]:
    """The AI system's owner; without one, those of the controls in the Statement of
    Applicability."""
    if owner := str(judged.systems.get(system, {}).get("owner") or "").strip():
        return (owner,)
    numbers = (control.partition(":")[2] for control in controls)
    named = (str(judged.soa.get(number, {}).get("owner") or "").strip() for number in numbers)
    return tuple(dict.fromkeys(name for name in named if name))


def _now(
    verdicts: Mapping[str, Sequence[Verdict]], found: Mapping[str, Cause],
    sources: Sequence[SourceRow],
) -> dict[str, str]:  # fmt: skip
    """What is true of what is no cause: that it ended says nothing of how."""
    told = {cause_of_source(row.source): "its last pull was whole" for row in sources}
    for key, group in verdicts.items():
        poor = [verdict for verdict in group if verdict.failed or not verdict.in_date]
        told[key] = _UNASKED if poor else group[0].why
    return {key: words for key, words in told.items() if key not in found}


def _without_numbers(note: Attention) -> str:
    """A name for what has none: numbers and times in its sentence change, the rest lasts."""
    return re.sub(r"\d+", "#", f"{note.severity}: {note.sentence}")


def people_of(rows: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Person → address, from the records of a register of roles that have both."""
    pairs = ((row.get("person"), row.get("mail")) for row in rows)
    return {p: m for p, m in pairs if isinstance(p, str) and isinstance(m, str) and p and m}
