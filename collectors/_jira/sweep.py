"""All issues read again now and then: what vanished is named, and what no pull was shown lands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from collectors._jira.issues import ISSUE, Issue, Making
from collectors._jira.site import Asking, Site
from collectors.http import Http, clean
from evidence.errors import SourceBroken
from evidence.model import Batch, Change, Cursor, EvidenceItem
from evidence.runs import PullFacts
from evidence.times import from_ms

_FORM = "jira census 1"
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Stood:
    """An issue as it stood: its key, and its last change in ms."""

    key: str
    updated: int

    @property
    def project(self) -> str:
        """The key of its project."""
        return self.key.rpartition("-")[0]


@dataclass(frozen=True, slots=True)
class Census:
    """Issue id → as it stood at `taken` (ms; None: never).

    It is large (some 40 bytes an issue): only the sweep's cursor holds it, written at its end.
    """

    taken: int | None = None
    issues: Mapping[str, Stood] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Cursor | None) -> Census:
        """From a cursor written by `cursor()`; None is the empty one. Raises SourceBroken."""
        if cursor is None:
            return cls()
        try:
            kept = json.loads(cursor.value)
            if kept["form"] != _FORM:
                raise ValueError(f"form {kept['form']!r}")
            taken = None if kept["taken"] is None else int(kept["taken"])
            found = {str(i): Stood(str(k), int(at)) for i, (k, at) in kept["issues"].items()}
            return cls(taken, found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceBroken(f"the cursor is no {_FORM}: {error!r}") from error

    def cursor(self) -> Cursor:
        """The bookmark of the sweep."""
        issues = {number: (one.key, one.updated) for number, one in sorted(self.issues.items())}
        kept = {"form": _FORM, "taken": self.taken, "issues": issues}
        return Cursor(json.dumps(kept, separators=(",", ":"), ensure_ascii=False))

    def due(self, now: datetime, every: timedelta) -> bool:
        """Whether it is time for another; a clock that was turned back makes it so too."""
        passed = None if self.taken is None else now - from_ms(self.taken)
        return passed is None or not timedelta(0) <= passed < every

    def vanished(self, number: str, to: str | None, made: Making) -> EvidenceItem:
        """The evidence that an issue is not there any more: it was moved to the project `to`, which
        is not read, or (None) nobody shows it."""
        was = self.issues[number]
        since = made.collected_at if self.taken is None else from_ms(self.taken)
        why = f"moved to {clean(to, 60)}" if to else "deleted, archived or hidden"
        return EvidenceItem(
            source=made.source, kind=ISSUE, subject=number, change=Change.GONE,
            observed_from=min(since, made.collected_at), observed_to=made.collected_at,
            collected_at=made.collected_at, title=f"{clean(was.key, 60)} is gone: {why}",
            payload={
                "id": number, "key": was.key, "project": was.project, "why": why,
                "updated": from_ms(was.updated), "seen_last": since,
            },
            locator=f"{made.url.rstrip('/')}/browse/{clean(was.key, 60)}",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sweep:
    """One reading of all issues of the projects `visible`. `items` makes the evidence of some."""

    http: Http
    site: Site
    before: Census
    visible: Sequence[str]
    made: Making
    items: Callable[[Sequence[Issue]], tuple[EvidenceItem, ...]]

    def batches(self, asking: Asking) -> Iterator[Batch]:
        """Versions that no sweep saw before, unless this is the first; then what vanished. Each
        batch but the last keeps the bookmark where it was: a sweep is whole or done again."""
        found: dict[str, Stood] = {}
        facts = PullFacts()
        for page in self.site.issues(asking, None):
            issues = [Issue.read(raw) for raw in page]
            stood = {issue.id: Stood(issue.key, ms(issue.updated)) for issue in issues}
            found |= stood
            items = self.items([i for i in issues if self._is_news(i.id, stood[i.id])])
            facts += self.http.taken() + PullFacts(received=len(items))
            if items:
                yield Batch(items, self.before.cursor(), facts)
                facts = PullFacts()
        gone, kept = self._vanished(found)
        facts += self.http.taken() + PullFacts(received=len(gone))
        yield Batch(gone, Census(ms(self.made.collected_at), kept | found).cursor(), facts)

    def _is_news(self, number: str, stands: Stood) -> bool:
        return self.before.taken is not None and self.before.issues.get(number) != stands

    def _vanished(
        self, found: Mapping[str, Stood]
    ) -> tuple[tuple[EvidenceItem, ...], dict[str, Stood]]:
        """What is gone, and what only the list left out: each issue is asked for by itself before
        it is said to be gone. Nothing is said of a project that is not visible."""
        gone, kept = [], {}
        for number, stood in self.before.issues.items():
            if number in found:
                continue
            shown = stood.project in self.visible
            place = self.site.place(number) if shown else stood.project
            if place in (*self.visible, stood.project):
                kept[number] = stood
            else:
                gone.append(self.before.vanished(number, place, self.made))
        return tuple(gone), kept


def ms(moment: datetime) -> int:
    """Milliseconds since 1970, as Jira's queries want them."""
    return (moment - from_ms(0)) // _MS
