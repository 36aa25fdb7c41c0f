"""The suites behind the results: which are the newest, and whether they ask less than before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collectors._checks.json_files import Origin
from collectors._checks.results import Stock, Suite, suite_item
from collectors._checks.weakened import Strict, finding
from evidence.model import EvidenceItem
from evidence.runs import Gap
from evidence.times import stamp


def not_older(
    stocks: tuple[Stock, ...], before: Mapping[str, str]
) -> tuple[list[Stock], tuple[Gap, ...], dict[str, str]]:
    """The stocks that are no older than those read `before`, oldest first, and when the newest of
    each project is from. A project that has only older ones is a Gap.
    """
    newest: dict[str, str] = {}
    for stock in stocks:
        newest[stock.key] = max(newest.get(stock.key, ""), stamp(stock.at))
    old = sorted(key for key, at in newest.items() if at < before.get(key, ""))
    gaps = tuple(Gap(key, f"its suites are older than those of {before[key]}") for key in old)
    kept = [one for one in stocks if stamp(one.at) >= before.get(one.key, "")]
    times = {key: max(at, before.get(key, "")) for key, at in newest.items()}
    return sorted(kept, key=lambda one: one.at), gaps, {**before, **times}


def as_they_stand(
    stocks: list[Stock], strict: Strict, answers: Mapping[str, str], origin: Origin
) -> tuple[list[EvidenceItem], Strict]:
    """The suites of the last stock of each project, and what to hold all to next time.

    Each is held to those before it, so that a check that one run dropped and another brought back
    weakened is found in one pull as in two.
    """
    held = dict(strict)
    items: dict[str, list[EvidenceItem]] = {}
    for stock in stocks:
        items[stock.key] = []
        for suite in _whole(stock, held):
            weaker, held[suite.subject] = finding(held.get(suite.subject, {}), suite, answers)
            items[stock.key].append(suite_item(suite, weaker, origin))
    return [item for told in items.values() for item in told], held


def _whole(stock: Stock, known: Strict) -> Iterator[Suite]:
    """All suites; a table that lost all its checks has an empty one."""
    yield from stock.suites
    there = {suite.subject for suite in stock.suites}
    missing = set(stock.assets) & set(known)
    if stock.prefix:
        missing |= {subject for subject in known if subject.startswith(stock.prefix)}
    for subject in sorted(missing - there):
        asset = stock.assets.get(subject, subject.removeprefix(stock.prefix))
        yield Suite(stock.tool, subject, asset, ())
