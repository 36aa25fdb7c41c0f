"""What a draft is to be about: the question, the items that it may rest on, and what they lack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evidence.draft import Given, Matter, Task
from evidence.errors import ConfigError
from evidence.freshness import ORGANISATION, Verdict
from flows._draft.given import ALL, READ, passages
from flows.config import Config
from flows.draft_standing import stand_now
from flows.judgement import Judged, judge_lake
from flows.lookup import SIGNS, find_item
from flows.moment import Moment, present, tagged
from flows.request_answers import Found, answers
from mappings.controls import Control
from storage.drafts import citable, failed_first
from storage.lake import Lake
from storage.pages import Connection, item_rows

_NOTES = 30
_TEXT, _TITLE = 8_000, 200
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*")
_FENCE = re.compile(r"\s{0,3}(```|~~~)")


@dataclass(frozen=True, slots=True)
class About:
    """What somebody named: controls, AI systems, items; the systems narrow the controls down."""

    controls: tuple[Control, ...] = ()
    systems: tuple[str, ...] = ()
    items: tuple[str, ...] = ()

    @property
    def whose(self) -> tuple[str, ...]:
        """The systems whose evidence is meant (none: of any); what a control has of the
        organisation itself holds for each of them."""
        return (*self.systems, ORGANISATION) if self.controls and self.systems else self.systems

    @property
    def told(self) -> str:
        """For people."""
        named = [control.number for control in self.controls]
        return ", ".join((*named, *self.systems, *(item[:16] for item in self.items)))


class Desk:
    """Where the lake's present and how it is judged lie open, for one draft."""

    def __init__(self, lake: Lake, config: Config, most: int) -> None:
        self._lake, self._config, self._most = lake, config, most
        self._shown: Moment = tagged(lake, present(lake, config))
        self._judged: Judged = judge_lake(lake, self._shown)

    def summary(self, names: Sequence[str]) -> Matter:
        """What the evidence shows of what is named. Raises ConfigError, LakeError."""
        with self._shown.connect(self._lake) as connection:
            about = self._about(connection, names)
            question = "\n".join(("What does the evidence show?", *_asks(about.controls)))
            matter = Matter(Task.SUMMARY, f"Evidence summary: {about.told}", question, ())
            return self._filled(connection, matter, about)

    def answer(self, request_id: str) -> Matter:
        """The answer to a request of the register. Raises ConfigError, LakeError."""
        found = list(answers(self._lake, self._config, self._shown))
        one = next((f for f in found if f.request.id == request_id), None)
        if one is None:
            known = ", ".join(f.request.id for f in found) or "none was collected"
            raise ConfigError(f"there is no request {request_id!r} in the register; known: {known}")
        asked = one.request.text[:_TEXT]
        about = f"Answer to request {request_id}: {asked[:_TITLE]}"
        matter = Matter(Task.ANSWER, about, asked, (), request=request_id)
        with self._shown.connect(self._lake) as connection:
            ids = failed_first(connection, list(dict.fromkeys(one.items)))
            filled = self._with(connection, matter, ids, ())
        return replace(filled, notes=(*_lacking(one), *filled.notes))

    def section(self, file: Path, heading: str, names: Sequence[str]) -> Matter:
        """A section of a Markdown document, from the items of what is `names`, or of the controls
        that the section itself names. Raises ConfigError, LakeError."""
        text = self._config.redactor().text(section_of(file, heading))
        controls = self._judged.catalogue.controls
        named = names or [control.number for control in controls if _names(text, control)]
        if not named:
            raise ConfigError(
                f"{file}: the section {heading!r} names no control: say by --about which control, "
                "AI system or item it is to rest on"
            )
        with self._shown.connect(self._lake) as connection:
            about = self._about(connection, named)
            asks = (f"Write the section {heading!r} of {file.name}.", *_asks(about.controls))
            matter = Matter(
                Task.SECTION, f"{heading} ({file.name})", "\n".join(asks), (), text=text[:_TEXT]
            )
            return self._filled(connection, matter, about)

    def given(
        self, connection: Connection, ids: Sequence[str], controls: Sequence[str] = ()
    ) -> tuple[Given, ...]:
        """These items as they stand now, in this order; what is Headwater's own record is none."""
        rows = {row["item_id"]: row for row in item_rows(connection, ids)}
        kept = [rows[i] for i in ids if i in rows and not rows[i]["kind"].startswith("headwater.")]
        stands = stand_now(connection, self._judged, kept, controls)
        room = min(READ, ALL // max(len(kept), 1))
        return tuple(
            Given(
                row["item_id"], row["source"], row["kind"], row["system"], row["title"],
                row["outcome"], row["observed_to"], passages(row, room),
                stands[row["item_id"]].flaws, stands[row["item_id"]].counts,
            )
            for row in kept
        )  # fmt: skip

    def connect(self) -> Connection:
        """The views of the present. Close it, or use it in a `with`."""
        return self._shown.connect(self._lake)

    def _about(self, connection: Connection, names: Sequence[str]) -> About:
        controls: list[Control] = []
        systems: list[str] = []
        items: list[str] = []
        for name in dict.fromkeys(names):
            known = self._judged.catalogue.controls
            control = next((c for c in known if name in (c.id, c.number)), None)
            if control:
                controls.append(control)
            elif name in self._judged.systems:
                systems.append(name)
            elif len(name) < SIGNS:
                raise ConfigError(
                    f"{name!r} is no control and no AI system; an item's id needs {SIGNS} signs"
                )
            else:
                found = find_item(
                    connection, name, also=", and no control or AI system is so named"
                )
                if found["kind"].startswith("headwater."):
                    raise ConfigError(
                        f"item {found['item_id']} is Headwater's own record ({found['kind']}): "
                        "nothing is drafted from it"
                    )
                items.append(found["item_id"])
        return About(tuple(controls), tuple(systems), tuple(items))

    def _filled(self, connection: Connection, matter: Matter, about: About) -> Matter:
        """With its items: those named, then what speaks to the controls and of the systems."""
        controls = tuple(control.id for control in about.controls)
        ids, total = list(about.items), len(about.items)
        if controls or about.systems:
            found, of = citable(connection, controls, about.whose, self._most)
            fresh = [one for one in found if one not in ids]
            ids, total = ids + fresh, total + of - (len(found) - len(fresh))
        filled = self._with(connection, matter, ids, controls, total)
        notes = (*self._notes(about), *filled.notes)
        return replace(filled, notes=notes, systems=about.systems)

    def _with(
        self, connection: Connection, matter: Matter, ids: Sequence[str], controls: Sequence[str],
        total: int = 0,
    ) -> Matter:  # fmt: skip
        given = self.given(connection, ids[: self._most], controls)
        left = max(total, len(ids)) - len(given)
        return replace(matter, given=given, controls=tuple(controls), left=left)

    def _notes(self, about: About) -> Iterator[str]:
        """What is wrong with what was asked for, as code judges: no writer can leave it out."""
        standings = self._judged.standings
        for control in about.controls:
            yield f"{control.number} stands as {standings[control.id].standing}"
        chosen = about.controls or self._judged.catalogue.controls
        bad = [
            verdict
            for control in (chosen if about.controls or about.systems else ())
            for verdict in standings[control.id].verdicts
            if (verdict.failed or not verdict.in_date)
            and (not about.whose or verdict.system in about.whose)
        ]
        told = list(_told(bad))
        yield from told[:_NOTES]
        if len(told) > _NOTES:
            yield f"and {len(told) - _NOTES} more needs that are not met"


def _told(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """The needs that are not met: the controls that lack the same in one sentence."""
    controls: dict[str, list[str]] = {}
    for one in verdicts:
        state = "failed" if one.failed else one.state
        what = f"{one.evidence}, {one.system or 'organisation'}: {state}: {one.why}"
        controls.setdefault(what, []).append(one.control.partition(":")[2])
    return (f"{what} ({', '.join(named)})" for what, named in controls.items())


def _asks(controls: Sequence[Control]) -> Iterator[str]:
    for control in controls:
        yield f"{control.number} {control.title}: {control.summary}"


def _lacking(found: Found) -> Iterator[str]:
    if found.lacks:
        yield f"the request lacks: {found.lacks}"
    yield from (f"the request {problem}" for problem in found.request.problems)
    if len(found.rows) > len(found.items):
        yield f"{len(found.rows) - len(found.items)} rows of its answer are no items"


def _names(text: str, control: Control) -> bool:
    """Whether the text names it; the bare number of a clause may be any other number."""
    before = "iso42001:" if control.kind == "clause" else r"(?<![\w.])"
    return bool(re.search(rf"{before}{re.escape(control.number)}(?!\w|\.\d)", text))


def section_of(file: Path, heading: str) -> str:
    """The words under a heading of a Markdown file, up to the next one as high.

    Raises ConfigError: unreadable, no such heading, or several.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read as text: {error}") from error
    heads = list(_headings(lines))
    at = [n for n, (_, _, name) in enumerate(heads) if name.casefold() == heading.casefold()]
    if len(at) != 1:
        known = ", ".join(repr(name) for _, _, name in heads[:20]) or "none"
        told = "no heading" if not at else f"{len(at)} headings"
        raise ConfigError(f"{file}: {told} {heading!r}; its headings: {known}")
    line, level, _ = heads[at[0]]
    ends = (begin for begin, depth, _ in heads[at[0] + 1 :] if depth <= level)
    return "\n".join(lines[line + 1 : next(ends, len(lines))]).strip() or "(nothing yet)"


def _headings(lines: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(line, level, text) of each heading outside of code."""
    fenced = ""
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence and not fenced:
            fenced = fence[1]
        elif fence and fence[1] == fenced:
            fenced = ""
        elif not fenced and (match := _HEADING.fullmatch(line)):
            yield number, len(match[1]), match[2]
