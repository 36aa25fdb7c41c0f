"""Show what a source's first records become, before anything lands: to write a mapping by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from collectors.base import Collector
from evidence.errors import ConfigError
from evidence.model import EvidenceItem
from flows.config import load, now
from flows.terminal import printable

Say = Callable[[str], None]
_COLUMNS = (
    "kind", "nature", "subject", "title", "system", "actor", "outcome", "change", "observed_from",
    "observed_to", "locator",
)  # fmt: skip
_WIDTH = 90


def try_source(file: Path, name: str, count: int, say: Say) -> int:
    """Print the first items of a source, and where it can say, the records they were made from.

    Nothing lands. 0 if every list gave an item or is empty. Raises ConfigError, SourceError.
    """
    config = load(file)
    source = next((source for source in config.sources if source.name == name), None)
    if source is None:
        known = ", ".join(source.name for source in config.sources)
        raise ConfigError(f"no source is named {name!r} in {config.file}; known: {known}")
    collector, hide = source.asking(now), config.redactor().text

    def safe(line: str) -> None:
        say(printable(hide(line)))

    if hasattr(collector, "samples"):
        return _samples(collector, safe)
    return _items(collector, count, safe)


def _samples(collector: Any, say: Say) -> int:
    wrong = 0
    for sample in collector.samples():
        say(f"{sample.endpoint}: {sample.asked}, {sample.count} records on the first page")
        if sample.record is not None:
            _table("the first record", leaves(sample.record), say)
        if sample.item is not None:
            _table("becomes", _told(sample.item), say)
        if sample.wrong:
            wrong += 1
            say(f"  makes no item: {sample.wrong}")
    return 1 if wrong else 0


def _items(collector: Collector, count: int, say: Say) -> int:
    for batch in collector.collect(None):
        for gap in batch.facts.gaps:
            say(f"not examined: {gap.what}: {gap.why}")
        for item in islice(batch.items, count):
            _table(f"{item.kind} {item.subject}", _told(item), say)
        if batch.items:
            return 0
    say("nothing is there yet")
    return 0


def _told(item: EvidenceItem) -> Iterator[tuple[str, Any]]:
    yield from ((name, getattr(item, name)) for name in _COLUMNS)
    yield from ((f"payload.{where}", value) for where, value in leaves(item.payload))


def leaves(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a record with its path, as a mapping would write it."""
    if isinstance(value, Mapping) and value:
        for name, one in value.items():
            plain = name.replace("_", "").replace("-", "").isalnum()
            step = str(name) if plain else f"['{name}']"
            yield from leaves(one, f"{where}.{step}" if where and plain else f"{where}{step}")
    elif isinstance(value, list | tuple) and value:
        for number, one in enumerate(value[:3]):
            yield from leaves(one, f"{where}[{number}]")
        if len(value) > 3:
            yield f"{where}[…]", f"{len(value) - 3} more"
    else:
        yield where, value


def _table(title: str, rows: Iterator[tuple[str, Any]], say: Say) -> None:
    told = [(where, " ".join(f"{value}".split())) for where, value in rows]
    widest = min(max((len(where) for where, _ in told), default=0), 40)
    say(f"  {title}")
    for where, text in told:
        shown = text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
        say(f"    {where:<{widest}}  {shown}".rstrip())
