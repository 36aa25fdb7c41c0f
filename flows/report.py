"""Rows for people: what a collection brought and how fresh things are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dashboards.text import lasting
from evidence.errors import SourceError
from evidence.freshness import Verdict
from evidence.runs import PullFacts, PullOutcome
from evidence.times import stamp
from flows.pack_missing import one_line
from flows.pull import Attempt
from flows.terminal import printable


def described(text: str) -> str:
    """A text for Prefect, whose pages read Markdown: no word of a source becomes a link or a
    picture there. Paragraphs stay."""
    return "\n\n".join(one_line(part) for part in text.split("\n\n"))


def block(lines: Iterable[str]) -> str:
    """Lines as a block of code, from which no line of a source gets out."""
    return "".join(
        f"    {part}\n" for line in lines for part in printable(line).splitlines() or ("",)
    )


def pull_rows(ended: Mapping[str, Attempt | BaseException]) -> list[dict[str, object]]:
    """One row a source: how it ended, what was new, what was not examined."""
    return [_row(name, end) for name, end in ended.items()]


def is_whole(end: Attempt | BaseException) -> bool:
    """Whether a pull ended complete: nothing else refreshes anything."""
    return isinstance(end, Attempt) and end.pull.outcome is PullOutcome.COMPLETE


def _row(name: str, end: Attempt | BaseException) -> dict[str, object]:
    if isinstance(end, Attempt):
        facts = end.pull.facts
        return {
            "source": name,
            "outcome": end.pull.outcome.value,
            "new": end.new,
            "known": end.known,
            "pages": facts.pages,
            "received": facts.received,
            "promised": "" if facts.promised is None else facts.promised,
            "took": lasting(end.pull.finished_at - end.pull.started_at),
            "note": "; ".join(_notes(facts)) or _error(end),
        }
    word = type(end).__name__.removeprefix("Source").lower() if _known(end) else "broken"
    return {"source": name, "outcome": word, "new": 0, "known": 0, "note": str(end)}


def _notes(facts: PullFacts) -> Iterator[str]:
    """What was not examined, then what was promised and did not come."""
    for gap in facts.gaps:
        yield f"{gap.what}: {gap.why}"
    for one in facts.totals:
        if one.short:
            yield f"{one.what}: {one.short} of {one.promised} did not come"


def _error(end: Attempt) -> str:
    return "" if end.error is None else str(end.error)


def _known(end: BaseException) -> bool:
    return isinstance(end, SourceError)


def verdict_rows(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    """One row a verdict, as text, worst first as given."""
    return [
        {
            "control": verdict.control,
            "evidence": verdict.evidence,
            "system": verdict.system or "organisation",
            "state": "failed" if verdict.failed else verdict.state.value,
            "fresh until": stamp(verdict.fresh_until) if verdict.fresh_until else "",
            "why": verdict.why,
        }
        for verdict in verdicts
    ]
