"""MLflow traces: how an AI system's answers went and what people thought of them, day by day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar

from collectors._mlflow import store
from collectors._mlflow.day import Day, Maker
from collectors._mlflow.day_memory import Key, Memory, Seen
from collectors._mlflow.store import Answer, Door, Keys, chosen_experiments
from collectors._mlflow.trace import Trace, id_of, time_of
from collectors._mlflow.walk import walk
from collectors.base import Clock, Window, system_of, utc_now
from evidence.errors import ConfigError
from evidence.model import Batch, Cursor, EvidenceItem
from evidence.runs import PullFacts
from evidence.secret import Secret

DAY = timedelta(days=1)
# How long after midnight a day is left to those who send their traces late.
SETTLE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class MlflowTraces:
    """Traces summed up by UTC day, experiment and AI system, and each assessment by a person.

    What was asked and answered is never kept: of a trace its state, duration, name and assessments
    count; of an assessment its name, source and value if that is a number, a truth value or one
    word. Closed days of the last `lookback` are read, and read again every `reread_every`, since
    MLflow moves no time when a trace is assessed late or deleted: a difference is landed as
    changed, a day without any of its traces as gone. `experiments` are exact names (empty: all that
    are visible); `systems` maps a glob over the trace's tag `headwater.system` or its experiment's
    name to an AI system. Deleting one assessment changes the sums of its day, no more. Raises
    ConfigError.
    """

    source: str
    tracking_uri: str
    experiments: tuple[str, ...] = ()
    systems: Mapping[str, str] = field(default_factory=dict)
    lookback: timedelta = timedelta(days=14)
    reread_every: timedelta = timedelta(days=1)
    page_size: int = 500
    user: str = ""
    password: Secret | None = None
    token: Secret | None = None
    window: Window | None = None
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    kinds: ClassVar[tuple[str, ...]] = ("mlflow.trace", "mlflow.assessment")
    states: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        store.check_uri(self.tracking_uri, self._keys)
        if not 1 <= self.page_size <= 500:
            raise ConfigError(f"page_size: {self.page_size} is not between 1 and 500")
        if self.lookback < DAY:
            raise ConfigError("lookback: must be a day at least")
        if self.reread_every < timedelta(0):
            raise ConfigError("reread_every: must not be negative")

    @property
    def _keys(self) -> Keys:
        return Keys(self.user, self.password, self.token)

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """A batch a day, oldest first. Raises SourceBusy, SourceRefused, SourceBroken."""
        memory, now = Memory.of(cursor), self.clock()
        with store.open_door(self.tracking_uri, self._keys) as door:
            heard: list[str] = []
            names = chosen_experiments(door, self.experiments, heard)
            reading = _Reading(self, door, Maker(self.source, self.tracking_uri, names, now))
            due = [day for day in self._days(now) if self._due(memory, day, now)]
            first = min((d.isoformat() for d in self._days(now)), default="")
            yield Batch((), memory.cursor(first), reading.facts(heard, 0, None))
            for day in due:
                items, memory = reading.day(day, memory)
                facts = reading.facts(reading.heard, reading.received, day)
                yield Batch(items, memory.cursor(first), facts)

    def probe(self) -> str:
        """Reads the list of experiments; says how many are visible, and as whom."""
        with store.open_door(self.tracking_uri, self._keys) as door:
            chosen = chosen_experiments(door, self.experiments, [])
            return f"{door.api_version} as {door.identity}: {len(chosen)} experiments"

    def _days(self, now: datetime) -> list[date]:
        """The closed days to know of, oldest first."""
        last = (now - SETTLE).astimezone(UTC).date() - DAY
        first = (now - self.lookback).astimezone(UTC).date()
        if self.window is not None:
            first = self.window.since.astimezone(UTC).date()
            until = self.window.until - timedelta(microseconds=1)
            last = min(last, until.astimezone(UTC).date())
        return [first + DAY * n for n in range((last - first).days + 1)]

    def _due(self, memory: Memory, day: date, now: datetime) -> bool:
        read = memory.read.get(day.isoformat())
        if read is None or self.window is not None:
            return read is None
        return not 0 <= store.utc_ms(now) - read < self.reread_every / timedelta(milliseconds=1)


class _Reading:
    """One pull: it reads a day at a time."""

    def __init__(self, settings: MlflowTraces, door: Door, maker: Maker) -> None:
        self.settings, self.door, self.maker = settings, door, maker
        self.heard: list[str] = []
        self.received = 0

    def facts(self, heard: list[str], received: int, day: date | None) -> PullFacts:
        """What was asked and answered, for a day or before the first."""
        names = ", ".join(sorted(self.maker.names.values()))
        return store.facts_of(
            self.door, heard, received=received,
            query=f"traces/search by day in {len(self.maker.names)} experiments "
            f"({store.line(names, 300)})",
            window_from=day and _start(day), window_to=day and _start(day + DAY),
        )  # fmt: skip

    def day(self, day: date, memory: Memory) -> tuple[tuple[EvidenceItem, ...], Memory]:
        """What differs from what was known of it, and what is known then."""
        self.heard, self.received = [], 0
        found: dict[Key, Day] = {}
        items: list[EvidenceItem] = []
        for trace in self._traces(day):
            key = Key(trace.experiment_id, day.isoformat(), self._system(trace))
            found.setdefault(key, Day(key)).add(trace)
            items.extend(self.maker.opinions(key, trace))
        seen = dict(memory.seen)
        for whole in found.values():
            items.extend(self._differs(whole, seen))
        items.extend(self._lost(day, found, seen))
        read = {**memory.read, day.isoformat(): store.utc_ms(self.maker.at)}
        return tuple(items), replace(memory, read=read, seen=seen)

    def _differs(self, day: Day, seen: dict[Key, Seen]) -> Iterator[EvidenceItem]:
        old = seen.get(day.key)
        if old is not None and old.digest == day.digest:
            return
        item = self.maker.day(day, old)
        seen[day.key] = Seen(day.digest, item.content_sha256[:16], day.count, day.last)
        yield item

    def _lost(
        self, day: date, found: Mapping[Key, Day], seen: dict[Key, Seen]
    ) -> Iterator[EvidenceItem]:
        """Days that had traces; of experiments that are no longer asked for nothing is said."""
        for key, old in list(seen.items()):
            asked = not self.settings.experiments or key.experiment_id in self.maker.names
            if key.day == day.isoformat() and key not in found and old.digest and asked:
                item = self.maker.gone(key, old)
                seen[key] = Seen("", item.content_sha256[:16], 0, old.last)
                yield item

    def _traces(self, day: date) -> Iterator[Trace]:
        if not self.maker.names:
            return
        begin, end = (store.utc_ms(_start(d)) for d in (day, day + DAY))
        where = [
            {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": key}}
            for key in sorted(self.maker.names)
        ]

        def ask(at: int, after: str) -> Answer:
            body = {
                "locations": where, "max_results": self.settings.page_size,
                "filter": f"timestamp_ms >= {at} AND timestamp_ms < {end}",
                "order_by": ["timestamp_ms ASC", "request_id ASC"],
            } | ({"page_token": after} if after else {})  # fmt: skip
            answer = self.door.ask("traces/search", body)
            self.heard.append(answer.sha256)
            return answer

        for page, _ in walk(ask, "traces", time_of, id_of, begin):
            self.received += len(page)
            yield from map(Trace.read, page)

    def _system(self, trace: Trace) -> str:
        systems = self.settings.systems
        if trace.system_tag in systems.values():
            return trace.system_tag
        name = self.maker.names.get(trace.experiment_id, "")
        return system_of(systems, trace.system_tag) or system_of(systems, name)


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
