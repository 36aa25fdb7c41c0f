"""Whether the text of a document still says what was rendered into it from facts, and no more of
what was rendered before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from evidence.documents import TEXT, Drift

MOST = 200_000
"""Characters of a document's text that land to be compared."""
_HEADING = re.compile(r"#{1,6} (.*?)#*")
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TELLING = re.compile(r"\w{3}")
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Told:
    """A line of a rendering that comes from facts, below the heading `section`; between each two of
    its `parts` stands what people fill in."""

    section: str
    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """For people."""
        whole = _plain(" … ".join(self.parts))
        return whole if len(whole) <= _SHOWN else f"{whole[:_SHOWN]}…"

    def says(self, line: str) -> bool:
        """Whether a line is this one, whatever people filled in."""
        if len(self.parts) == 1:
            return line == self.parts[0]
        return bool(re.fullmatch(".*".join(re.escape(part) for part in self.parts), line))


def told_lines(rendered: Iterable[tuple[str, tuple[str, ...] | None]]) -> tuple[Told, ...]:
    """Of the lines of a rendering, each with its parts if it comes from facts, those that do and
    that say anything beside what people fill in."""
    section, found = "", list[Told]()
    for line, parts in rendered:
        if heading := _HEADING.fullmatch(_plain(line)):
            section = heading[1].strip()
        if parts is not None and any(part.strip(" |") for part in parts):
            first, *rest = (re.sub(r"\s+", " ", part) for part in parts)
            found.append(Told(section, _ends(first, rest)))
    return tuple(found)


def _ends(first: str, rest: Sequence[str]) -> tuple[str, ...]:
    """Without the blanks in which a line begins and ends."""
    if not rest:
        return (first.strip(),)
    return (first.lstrip(), *rest[:-1], rest[-1].rstrip())


def lines_of(text: str) -> list[str]:
    """The lines of a document's text that say anything, as they land to be compared."""
    return [line for one in text.split("\n") if (line := _plain(one))]


def rewritten(
    written: Sequence[str], now: Sequence[Told], before: Iterable[Told]
) -> Iterator[Drift]:
    """Each line from facts that the text `written` does not say where it was rendered, and each of
    those rendered `before` that it still says.

    Lines are looked for below their heading, or anywhere where people took the heading out. What
    people add, and what no fact is in, may say what it likes; what is hidden in a comment says
    nothing.
    """
    sections = _sections(_HIDDEN.sub("", "\n".join(written)))
    for told in now:
        if not _taken(_where(sections, told), told):
            yield Drift(f"{TEXT}{_below(told)}", "", told.text)
    for told in dict.fromkeys(before):
        if told not in now and _TELLING.search("".join(told.parts)):
            for _, line in _taken(_where(sections, told), told):
                yield Drift(f"{TEXT}{_below(told)}", line[:_SHOWN], "")


def _sections(text: str) -> dict[str, list[str]]:
    """Heading → its lines that nothing was found in yet."""
    found: dict[str, list[str]] = {"": []}
    section = ""
    for line in lines_of(text):
        if heading := _HEADING.fullmatch(line):
            section = heading[1].strip()
        found.setdefault(section, []).append(line)
    return found


def _where(sections: dict[str, list[str]], told: Told) -> list[list[str]]:
    here = sections.get(told.section)
    return [here] if here is not None and told.section else list(sections.values())


def _taken(places: Iterable[list[str]], told: Told) -> list[tuple[int, str]]:
    """The first line that says it, taken out of its place: two rows alike are two lines."""
    for place in places:
        for number, line in enumerate(place):
            if told.says(line):
                return [(number, place.pop(number))]
    return []


def _below(told: Told) -> str:
    return f" below “{told.section}”" if told.section else ""


def _plain(line: str) -> str:
    return " ".join(line.split())
