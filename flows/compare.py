"""What changed between two moments or packs: where controls stand, why, what landed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Column

from evidence.freshness import Standing, Verdict
from flows.compare_mapping import mapping_lines
from flows.judgement import Judged
from flows.terminal import Screen, Table, for_machines, printable
from storage.engine import ample
from storage.lake import Lake
from storage.pages import all_rows

if TYPE_CHECKING:
    from flows.compare_sides import Side

_BEST_FIRST = (
    Standing.PROVED, Standing.ATTESTED, Standing.NOT_APPLICABLE, Standing.NEEDS_JUDGEMENT,
    Standing.WAIVED, Standing.STALE, Standing.MISSING, Standing.FAILED,
)  # fmt: skip
SHOWN = 40


@dataclass(frozen=True, slots=True)
class Moved:
    """One control, or one expectation of it for a system, that stands otherwise than before."""

    what: str
    before: str
    after: str
    why: str
    worse: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs between two judged moments; `items` by source and kind, `decided` by
    people, with who and when: it is known of a lake's moments, not of packs."""

    controls: tuple[Moved, ...]
    verdicts: tuple[Moved, ...]
    items: tuple[Mapping[str, Any], ...]
    systems: tuple[str, ...]
    mapping: tuple[str, ...]
    decided: tuple[str, ...] = ()

    @property
    def worse(self) -> bool:
        """Whether a control stands worse than before."""
        return any(moved.worse for moved in self.controls)


def run(file: Path, first: str, second: str, *, key: str, as_json: bool) -> int:
    """Print what differs from the first moment or pack to the second (empty: now).

    0, or 3 if a control stands worse than before. Raises ConfigError, LakeError.
    """
    from flows.compare_sides import decided_since, landed_since, lost, sides

    before, after, lake = sides(file, first, second, key)
    told = decided_since(lake, before, after)
    found = compare(before.judged, after.judged, landed_since(lake, before, after), told)
    notes = list(dict.fromkeys(
        (*before.judged.notes, *after.judged.notes, *lost(lake, before, after))
    ))  # fmt: skip
    if as_json:
        moments = {"from": before.token, "to": after.token} | asdict(found)
        print(for_machines(moments | {"notes": notes}))
    else:
        _print(before, after, found, notes)
    return 3 if found.worse else 0


def compare(
    before: Judged, after: Judged, items: Sequence[Mapping[str, Any]], decided: Sequence[str] = ()
) -> Difference:
    """What differs from one judged moment to another."""
    return Difference(
        controls=tuple(_controls(before, after)), verdicts=tuple(_verdicts(before, after)),
        items=tuple(items), systems=tuple(_systems(before, after)),
        mapping=tuple(mapping_lines(before.moment.mapping, after.moment.mapping)),
        decided=tuple(decided),
    )  # fmt: skip


def _controls(before: Judged, after: Judged) -> Iterator[Moved]:
    for control, stands in after.standings.items():
        was = before.standings.get(control)
        old, new = was.standing if was else None, stands.standing
        if old is not new:
            worse = old is not None and _BEST_FIRST.index(new) > _BEST_FIRST.index(old)
            yield Moved(control, old or "not in the catalogue", new.value, stands.why, worse)
    for control in before.standings.keys() - after.standings.keys():
        old = before.standings[control].standing
        yield Moved(control, old.value, "not in the catalogue", "the mapping changed", True)


def _verdicts(before: Judged, after: Judged) -> Iterator[Moved]:
    old = {_key(verdict): verdict for verdict in before.verdicts}
    for verdict in after.verdicts:
        was = old.pop(_key(verdict), None)
        said, says = _word(was), _word(verdict)
        if said != says:
            worse = was is not None and (verdict.failed or not verdict.in_date)
            yield Moved(_about(verdict), said, says, verdict.why, worse)
    for was in old.values():
        yield Moved(_about(was), _word(was), "not asked", "no longer expected", False)


def _key(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.control, verdict.evidence, verdict.system


def _word(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not asked"
    return f"failed, {verdict.state.value}" if verdict.failed else verdict.state.value


def _about(verdict: Verdict) -> str:
    return f"{verdict.control} {verdict.evidence} · {verdict.system or 'organisation'}"


def _systems(before: Judged, after: Judged) -> Iterator[str]:
    yield from (f"+ {name}" for name in after.systems if name not in before.systems)
    yield from (f"- {name}" for name in before.systems if name not in after.systems)


def items_between(lake: Lake, before: Judged, after: Judged) -> list[dict[str, Any]]:
    """By source and kind, what the second moment holds and the first did not.

    What was disposed of is in neither: the notes of the moments count it.
    """
    with after.moment.connect(lake, ample()) as connection:
        return all_rows(
            connection,
            """SELECT source, kind, count(*) AS landed,
                count(*) FILTER (change = 'changed') AS of_them_changed,
                count(*) FILTER (change = 'gone') AS of_them_gone,
                count(*) FILTER (outcome IN ('failed', 'error')) AS of_them_failing
            FROM evidence LEFT JOIN leaves USING (item_id)
            WHERE leaf_index IS NULL OR leaf_index >= $size
            GROUP BY ALL ORDER BY source, kind""",
            {"size": before.moment.size or 0},
        )


def _print(before: Side, after: Side, found: Difference, notes: Sequence[str]) -> None:
    console = Screen(highlight=False)
    for word, side in (("from", before), ("to  ", after)):
        console.print(f"{word} {escape(printable(side.sentence))}", soft_wrap=True)
    stand = (one.judged.standings.values() for one in (before, after))
    counts = (Counter(one.standing.value for one in many) for many in stand)
    was, is_ = counts
    told = (f"{word.value} {was[word.value]} → {is_[word.value]}" for word in _BEST_FIRST)
    console.print(" · ".join(told), soft_wrap=True)
    _table(console, "controls that stand otherwise", found.controls)
    _table(console, "expectations that stand otherwise", found.verdicts)
    if found.items:
        names = ("landed", "of_them_changed", "of_them_gone", "of_them_failing")
        head = [Column(name.replace("_", " "), justify="right") for name in names]
        table = Table("source", "kind", *head, title="items", title_justify="left")
        for row in found.items:
            cells = (str(row[name]) for name in names)
            table.add_row(escape(row["source"]), escape(row["kind"]), *cells)
        console.print(table)
    for line in (*found.systems, *found.mapping, *found.decided):
        console.print(escape(printable(line)), soft_wrap=True)
    for note in notes:
        console.print(f"note: {escape(note)}", soft_wrap=True)


def _table(console: Screen, title: str, rows: Sequence[Moved]) -> None:
    if not rows:
        console.print(f"no {title}")
        return
    table = Table("", "before", "after", "why", title=title, title_justify="left")
    for moved in sorted(rows, key=lambda row: not row.worse)[:SHOWN]:
        style = "yellow" if moved.worse else ""
        cells = (moved.what, moved.before, moved.after, moved.why)
        table.add_row(*(escape(printable(cell)) for cell in cells), style=style)
    console.print(table)
    if len(rows) > SHOWN:
        console.print(f"… and {len(rows) - SHOWN} more: see --json")
