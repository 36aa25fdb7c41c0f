"""What a monitoring system asks of Headwater, as OpenMetrics text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from math import inf

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from evidence.errors import LakeError
from evidence.freshness import Standing
from evidence.model import Outcome
from flows.config import Config, now
from flows.sources import missed
from flows.troubles import KINDS, troubles
from storage.beats import last_beat
from storage.checkpoints import checkpoint_of
from storage.code import code_version
from storage.health import SourceHealth, healths, is_well
from storage.lake import Lake
from storage.own_records import last_acts
from storage.pages import Connection, all_rows, counts
from storage.seals import seal_of
from storage.views import connect


def figures(config: Config, clock: Callable[[], datetime] = now) -> bytes:
    """All figures as of now, read from the lake. Raises LakeError."""
    lake, at = Lake.open(config.lake, clock=clock), clock()
    with connect(lake) as connection:
        found = (
            *_itself(config, lake, connection, at),
            *_of_sources(config, healths(connection, at), at),
            *_of_lake(lake, connection),
            *_of_controls(connection),
        )
    registry = CollectorRegistry()
    registry.register(_Told(found))
    return bytes(generate_latest(registry))  # type: ignore[no-untyped-call]


class _Told(Collector):
    """What was found, as the library asks for it."""

    def __init__(self, found: tuple[Metric, ...]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        yield from self._found


def _itself(config: Config, lake: Lake, connection: Connection, at: datetime) -> Iterator[Metric]:
    yield InfoMetricFamily("headwater", "The code that tells this", {"version": code_version()})
    wrong = {trouble.what for trouble in troubles(config, lake, connection, at)}
    trouble = GaugeMetricFamily(
        "headwater_trouble", "1 while this of Headwater itself is not in order", labels=["what"]
    )
    for what in KINDS:
        trouble.add_metric([what], float(what in wrong))
    yield trouble
    ran = GaugeMetricFamily(
        "headwater_ran_timestamp_seconds", "When this flow last ended (0: never)", labels=["flow"]
    )
    for flow in ("freshness", "watch"):
        ran.add_metric([flow], _seconds(last_beat(lake.place, flow)))
    yield ran


def _of_sources(config: Config, seen: Mapping[str, SourceHealth], at: datetime) -> Iterator[Metric]:
    """A source without a complete pull has waited for ever: left out, no alarm would hear of it."""
    told = {
        "since_complete_seconds": "Seconds since its last complete pull (+Inf: there was none)",
        "last_complete_timestamp_seconds": "When its last complete pull ended (0: never)",
        "items": "Items that landed from it",
        "failing_attempts": "Attempts in a row that were not whole",
        "well": "1 if its last attempt was whole",
        "missed": "1 if its schedule wanted a pull that did not come",
    }
    found = {
        name: GaugeMetricFamily(f"headwater_source_{name}", text, labels=["source"])
        for name, text in told.items()
    }
    for source in config.sources:
        health = seen.get(source.name)
        whole = health.last_complete if health else None
        values = {
            "since_complete_seconds": (at - whole).total_seconds() if whole else inf,
            "last_complete_timestamp_seconds": _seconds(whole),
            "items": health.items if health else 0,
            "failing_attempts": health.streak if health else 0,
            "well": is_well(health),
            "missed": missed(source, health, at) is not None,
        }
        for name, value in values.items():
            found[name].add_metric([source.name], float(value))
    yield from found.values()


def _of_lake(lake: Lake, connection: Connection) -> Iterator[Metric]:
    landed = counts(connection).items
    yield GaugeMetricFamily("headwater_items", "Items in the lake", float(landed))
    try:
        size = checkpoint_of(lake, None).size
        sealed_at: datetime | None = seal_of(lake, size).at
    except LakeError:
        size, sealed_at = 0, None
    yield GaugeMetricFamily("headwater_ledger_size", "Items under the last seal", float(size))
    yield GaugeMetricFamily(
        "headwater_ledger_timestamp_seconds", "When the last seal was made", _seconds(sealed_at)
    )
    verified = last_acts(connection).get("verify")
    yield GaugeMetricFamily(
        "headwater_verified_timestamp_seconds", "When the lake was last verified and was whole",
        _seconds(verified.well if verified else None),
    )  # fmt: skip
    yield GaugeMetricFamily(
        "headwater_verified_well", "1 if the last verification found no difference",
        float(verified is not None and verified.outcome is Outcome.PASSED),
    )  # fmt: skip


def _of_controls(connection: Connection) -> Iterator[Metric]:
    """As the freshness flow last judged; before it ever did, no control stands anywhere."""
    rows = all_rows(connection, "SELECT standing FROM standings")
    counted = Counter(row["standing"] for row in rows)
    found = GaugeMetricFamily(
        "headwater_controls", "Controls by standing, as last judged", labels=["standing"]
    )
    for word in Standing:
        found.add_metric([word.value], float(counted[word.value]))
    yield found


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
