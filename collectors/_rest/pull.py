"""One pull of a configured REST source: every list read to its end, and what that came to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from collectors._rest.items import Maker
from collectors._rest.lists import List, Question, reader
from collectors._rest.marks import Marks
from collectors._rest.order import Order
from collectors._rest.pages import Page, pages_of, sure_of
from collectors._rest.paths import Scope
from collectors._rest.pieces import Piece, ask_of, pieces_of
from collectors._rest.request import Asking
from collectors._rest.settings import Endpoint
from collectors._rest.times import from_mark, to_mark
from collectors._states import compared
from collectors.http import clean
from evidence.errors import InvalidItem, SourceBroken, SourceBusy, SourceRefused
from evidence.model import Batch, EvidenceItem
from evidence.runs import Gap, PullFacts, Total

_BATCH, _BYTES, _PAGES = 10_000, 8 << 20, 500
"""Items that land together, or bytes of their payloads, or pages that were asked for: a commit
costs more than a few items do, to hold them costs memory, and to ask for so many pages again costs
more than a commit."""
_READINGS = 4
_GAPS = 50


@dataclass(slots=True)
class _Taken:
    """What the readings of one list have brought."""

    ids: set[str] = field(default_factory=set)
    marks: list[int] = field(default_factory=list)
    top: int | None = None
    total: int | None = None
    count: int = 0
    stopped: bool = False


class Pull:
    """The state of one pull; `batches` runs it, once."""

    def __init__(self, asked: Question) -> None:
        self.asked = asked
        self.reached = {
            key: mark
            for key, mark in asked.before.reached.items()
            if (name := key.split("\x1f")[0]) in asked.settings
            and asked.before.settings.get(name) == asked.settings[name]
        }
        self.start = dict(self.reached)
        self.makers = {
            end.name: Maker(
                end, asked.source, asked.http.base_url, asked.systems, asked.zone,
                asked.collected_at,
            )
            for end in asked.endpoints
        }  # fmt: skip
        self.children: dict[str, list[Endpoint]] = defaultdict(list)
        for end in asked.endpoints:
            self.children[end.parent].append(end)
        self.facts = asked.opening
        self.query = ""
        self.received = 0
        self.pages = 0
        self.bytes = 0
        self.latest: datetime | None = None
        self.items: list[EvidenceItem] = []
        self.states: list[EvidenceItem] = []
        self.known: set[str] = set()
        self.walked: set[tuple[str, str]] = set()
        self.held: set[str] = set()
        self.partial: set[str] = set()
        self.gaps: Counter[str] = Counter()
        self.answered = False
        self.refused: list[SourceRefused] = []
        self.broken: dict[str, SourceBroken] = {}

    def batches(self) -> Iterator[Batch]:
        """Every batch. Raises SourceError after what came before it was yielded."""
        try:
            for end in self.children[""]:
                for each in end.each or ("",):
                    yield from self._list(end, None, each, ())
        except (SourceBusy, SourceRefused):
            self.facts += PullFacts(query=self.query)
            yield self._batch()
            raise
        if self.refused and not self.answered:
            raise self.refused[0]
        yield self._closing()
        if self.broken:
            raise next(iter(self.broken.values()))

    def _list(
        self, end: Endpoint, parent: Scope | None, each: str, above: tuple[str, ...]
    ) -> Iterator[Batch]:
        """One list, and all that hangs from it; what cannot be examined becomes a gap."""
        if self.asked.window and end.nature == "state" and not self.children.get(end.name):
            return
        this = self.list_of(end, parent, each, above)
        if end.name in self.broken:
            self._gap(this, this.name, "not asked: see the error above")
            return
        try:
            yield from self._whole(this)
            self.answered = True
        except SourceRefused as refused:
            if refused.status == 401:
                raise
            self.refused.append(refused)
            self._gap(this, this.name, str(refused))
        except SourceBroken as broken:
            self.broken[end.name] = broken
            self._gap(this, this.name, str(broken).removeprefix(f"{end.name}: "))

    def list_of(
        self, end: Endpoint, parent: Scope | None, each: str = "", above: tuple[str, ...] = ()
    ) -> List:
        """The list of an endpoint that belongs to a record, or to one of the objects in `each`."""
        of = self.makers[end.parent].id_of(parent) if parent else each
        scope = Scope(None, parent, each, url=self.asked.http.base_url)
        key = f"{end.name}\x1f{of}" if of else end.name
        return List(end, self.makers[end.name], scope, (*above, key))

    def pieces(self, this: List) -> list[Piece]:
        """The questions that the list is read by, oldest first."""
        return pieces_of(self.asked, this, self.reached.get(this.key))

    def _whole(self, this: List) -> Iterator[Batch]:
        """The list in all its pieces; each that is whole moves the mark."""
        pieces = self.pieces(this)
        if not this.scope.parent:
            self._tell(replace(pieces[0].asking, until=pieces[-1].asking.until))
        for piece in pieces:
            yield from self._readings(this, piece.asking)
            if piece.end is not None:
                self._reach(this, piece.end)
            if this.key in self.reached:
                self.start[this.key] = self.reached[this.key]

    def _readings(self, this: List, asking: Asking) -> Iterator[Batch]:
        """Read until nothing can have been passed over, then say how far that reaches."""
        taken, before = _Taken(), None
        for _ in range(_READINGS):
            ids: list[str] = []
            pages, moved, sure = 0, False, True
            order = Order(this.endpoint.since, self.reached.get(this.key))
            ask = ask_of(self.asked, this, asking)
            for page in pages_of(this.endpoint, ask, reader(this)):
                pages, moved = pages + 1, moved or page.moved
                sure = sure and sure_of(this.endpoint.paging, page)
                if moved:
                    break
                ids += yield from self._page(this, page, taken)
                self._early(this, taken, order, settled=sure and before is None)
                self.pages += 1
                if self._full():
                    yield self._batch()
                if order.passed:
                    taken.stopped = True
                    break
            taken.count = len(set(ids))
            if not moved and (pages <= 1 or sure or ids == before):
                break
            before = None if moved else ids
        else:
            why = f"the list moved while it was read, {_READINGS} times: all is asked for again"
            self._gap(this, this.name, why)
            self._back(this)
        self._conclude(this, taken)

    def _full(self) -> bool:
        most = len(self.items) >= _BATCH or self.bytes >= _BYTES
        return most or bool(self.items and self.pages >= _PAGES)

    def _page(self, this: List, page: Page, taken: _Taken) -> Generator[Batch, None, list[str]]:
        """Take in one page; the generator's value is the ids on it."""
        ids: list[str] = []
        taken.marks = []
        children = self.children.get(this.endpoint.name, ())
        for number, (subject, scope) in enumerate(page.records, start=1):
            name = subject or f"record {number} of a page"
            made = self._made(this, scope, name, subject)
            ids.append(name)
            if name not in taken.ids:
                taken.ids.add(name)
                self.received += 1
            if made is None:
                continue
            item, mark = made
            if mark is not None:
                taken.marks.append(mark)
            if item.item_id not in self.known:
                self.known.add(item.item_id)
                self._keep(this.endpoint, item)
            if children and (walked := (this.key, item.item_id)) not in self.walked:
                self.walked.add(walked)
                for child in children:
                    yield from self._list(child, scope, "", this.chain)
        if taken.marks:
            top = max(taken.marks)
            taken.top = top if taken.top is None else max(top, taken.top)
        anew = this.endpoint.paging.style == "keyset"  # each page's question is one for the rest
        if page.total is not None and not (anew and taken.total is not None):
            taken.total = page.total
        if page.doubt:
            self._gap(this, this.name, page.doubt)
        return ids

    def _early(self, this: List, taken: _Taken, order: Order, *, settled: bool) -> None:
        """Move the mark before the list's end, if its order has shown that this is safe."""
        safe = order.page(taken.marks)
        if settled and safe is not None:
            self._reach(this, safe)

    def _made(
        self, this: List, scope: Scope, name: str, subject: str
    ) -> tuple[EvidenceItem, int | None] | None:
        """The record's item and its mark; what cannot be read is a gap, and no item."""
        try:
            if not isinstance(scope.record, dict):
                raise InvalidItem(f"is a {type(scope.record).__name__}, not an object")
            subject = subject or this.maker.id_of(scope)
            mark = this.maker.mark_of(scope) if this.endpoint.since else None
            return this.maker.item(scope, subject), mark
        except InvalidItem as wrong:
            self._gap(this, f"{this.name}: {clean(name, 60)}", clean(str(wrong)))
            return None

    def _keep(self, end: Endpoint, item: EvidenceItem) -> None:
        if not end.makes:
            return
        if end.nature == "state":
            self.states.append(item)
        elif self.asked.window is None or self.asked.window.holds(item):
            self.items.append(item)
            self.bytes += len(item.content)
            if self.latest is None or item.observed_to > self.latest:
                self.latest = item.observed_to

    def _conclude(self, this: List, taken: _Taken) -> None:
        if taken.total is not None and not taken.stopped:
            total = Total(this.endpoint.name, taken.total, taken.count)
            self.facts += PullFacts(totals=(total,))
            if taken.count < taken.total:
                came = f"{taken.total} were promised, {taken.count} came"
                self._gap(this, this.name, f"{came}: all are asked for again")
                self._back(this)
        if taken.top is not None:
            self._reach(this, taken.top)

    def _reach(self, this: List, mark: int) -> None:
        """Move the list's mark on, never past the pull's start: what came later was not in it."""
        since = this.endpoint.since
        if since is None or set(this.chain) & self.held:
            return
        if not since.counts:
            mark = min(mark, to_mark(self.asked.started))
        self.reached[this.key] = max(mark, self.reached.get(this.key, mark))

    def _back(self, this: List) -> None:
        """Ask for the whole list again next time: nobody knows where in it something is missing."""
        self.reached.pop(this.key, None)
        if this.key in self.start:
            self.reached[this.key] = self.start[this.key]

    def _gap(self, this: List, what: str, why: str) -> None:
        self.held |= set(this.chain)
        self.partial |= {this.endpoint.kind, *self._kinds_below(this.endpoint.name)}
        self.gaps[this.endpoint.name] += 1
        if self.gaps[this.endpoint.name] <= _GAPS:
            self.facts += PullFacts(gaps=(Gap(clean(what, 120), clean(why, 400)),))

    def _kinds_below(self, name: str) -> Iterator[str]:
        for child in self.children.get(name, ()):
            yield child.kind
            yield from self._kinds_below(child.name)

    def _tell(self, asking: Asking) -> None:
        if len(self.query) < 2_000:
            self.query = f"{self.query}; {asking.what}" if self.query else asking.what
        mark = self.reached.get(asking.endpoint.name)
        since = asking.endpoint.since
        if mark is not None and since and not since.counts:
            self.facts += PullFacts(window_from=from_mark(mark) - since.lookback)

    def _batch(self) -> Batch:
        marks = Marks(dict(self.reached), self.asked.settings, self.asked.before.states)
        taken = PullFacts(received=self.received, window_to=self.latest)
        facts = self.facts + taken + self.asked.http.taken()
        made = Batch(tuple(self.items), marks.cursor(), facts)
        self.items, self.facts, self.received, self.pages, self.bytes = [], PullFacts(), 0, 0, 0
        return made

    def _closing(self) -> Batch:
        """What the states came to, and what could not be told one by one."""
        more = {name: n - _GAPS for name, n in self.gaps.items() if n > _GAPS}
        gaps = tuple(Gap(name, f"and {n} more that could not be read") for name, n in more.items())
        snapshot = self.asked.before.states
        kinds = {end.kind for end in self.asked.endpoints if end.nature == "state" and end.makes}
        if self.asked.window is None and kinds:
            changed, snapshot = compared(
                snapshot, self.states, lambda kind, _: kind in self.partial,
                at=self.asked.collected_at, source=self.asked.source,
            )  # fmt: skip
            self.items += changed
            whole = tuple(sorted(kinds - self.partial))
            self.facts += PullFacts(states=whole)
        self.facts += PullFacts(query=self.query)
        batch = self._batch()
        cursor = Marks(dict(self.reached), self.asked.settings, snapshot).cursor()
        return replace(batch, cursor=cursor, facts=batch.facts + PullFacts(gaps=gaps))
