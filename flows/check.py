"""Is the configuration right, and does every source answer? All mistakes are told in one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evidence.errors import ConfigError, HeadwaterError, LakeError
from evidence.times import stamp
from flows._alerts.unsent import UNSENT, unsent
from flows.access import checked
from flows.config import Config, Source, load, now
from flows.floors import below, short
from flows.keys import public_key_of
from flows.outside import witnesses
from storage.keys import load_key
from storage.lake import Lake
from storage.note import VerifierKey
from storage.publication import silent


def check_all(file: Path, say: Callable[[str], None]) -> int:
    """Check everything and say a line for each; 0 if all is well, else 1. Raises ConfigError."""
    config = load(file)
    say(f"ok      {config.file}: {len(config.sources)} sources")
    checks = [
        ("schedules", lambda: schedules(config)),
        ("mapping", lambda: _mapping(config)),
        ("lake", lambda: f"{Lake.open(config.lake, clock=now).version} versions"),
        ("redaction", lambda: _redaction(config)),
        ("retention", lambda: _retention(config)),
        ("key", lambda: load_key(config.key, origin=config.origin).origin),
        ("witnesses", lambda: _witnesses(config)),
        ("anchor", lambda: _anchored(config)),
        ("alerts", lambda: _alerts(config)),
        ("access", lambda: f"{len(checked(config).access)} may read: `headwater access list`"),
        *((f"source {source.name}", _probe(source)) for source in config.sources),
    ]
    return max(_told(name, ask, say) for name, ask in checks)


def _redaction(config: Config) -> str:
    """What will be hidden. Raises LakeError if there is no key to hide it with."""
    redactor = config.redactor()
    redactor.bound()
    known = "known secrets" if config.detect else "no known secrets: detect is off"
    return f"{known}, {len(config.redact)} rules, digest {redactor.digest[:16]}"


def _retention(config: Config) -> str:
    """How many classes there are. Raises ConfigError for those below a floor without a basis."""
    bare = [(kept, floor) for kept, floor in below(config.retention) if not kept.basis]
    if bare:
        told = "; ".join(short(kept, floor) for kept, floor in bare)
        raise ConfigError(f"{told}; keep longer, or write in `basis` why that is right")
    return f"{len(config.retention)} classes; what has none is kept for ever"


def _told(name: str, ask: Callable[[], str], say: Callable[[str], None]) -> int:
    try:
        say(f"ok      {name}: {ask()}")
    except HeadwaterError as error:
        kind = type(error).__name__.removesuffix("Error").removeprefix("Source")
        word = (kind.removeprefix("Lake") or kind).lower()
        say(f"{word:<7} {name}: {error}")
        return 1
    return 0


def schedules(config: Config) -> str:
    """How many schedules there are. Raises ConfigError naming each that Prefect cannot plan."""
    from prefect.client.schemas.schedules import CronSchedule

    lines = [(f"source {source.name}", source.schedule) for source in config.sources]
    lines += [("[freshness]", config.freshness_schedule), ("[maintain]", config.maintain_schedule)]
    lines += [("[verify]", config.verify.schedule), ("[watch]", config.watch.schedule)]
    wrong = []
    if config.anchor:
        lines.append(("[anchor]", config.anchor.schedule))
    if config.alerts:
        lines.append(("[alerts]", config.alerts.schedule))
    for where, cron in lines:
        try:
            CronSchedule(cron=cron)
        except ValueError:
            wrong.append(f"{config.file}: {where}: schedule {cron!r} is no time that ever comes")
    if wrong:
        raise ConfigError(*wrong)
    return f"{len(lines)} can be planned"


def _mapping(config: Config) -> str:
    mapping = config.mapping()
    expected = mapping.catalogue.expectations(mapping.overrides)
    rules, frameworks = mapping.rules, mapping.frameworks
    counted = (
        f"{len(mapping.catalogue.controls)} controls, {len(expected)} expectations, "
        f"{rules.told}, {len(frameworks)} frameworks"
    )
    return f"{counted}, digest {rules.digest[:16]}"


def _witnesses(config: Config) -> str:
    """How many there are. Raises HeadwaterError for those that did not take the last seal."""
    outside = witnesses(config)
    if told := "; ".join(silent(config.lake.at("log"), outside)):
        raise LakeError(told)
    return ", ".join(witness.where for witness in outside)


def _anchored(config: Config) -> str:
    """Until where the newest timestamp that holds reaches. Raises HeadwaterError."""
    from storage.timestamps import load_roots, read_timestamp, timestamp_sizes

    if config.anchor is None:
        return "no time authority"
    roots, sizes = load_roots(config.anchor.roots), timestamp_sizes(config.lake)
    if not sizes:
        return "no seal is stamped yet; `headwater anchor` asks for the first timestamp"
    key = VerifierKey.parse(public_key_of(config))
    newest = read_timestamp(config.lake, sizes[-1], key, roots)
    return f"the first {newest.size} items are stamped, {stamp(newest.at)}"


def _alerts(config: Config) -> str:
    """Whom they reach. Raises LakeError for channels that take nothing."""
    if not config.channels:
        return "nobody is told: there is no [[alert]]"
    if told := [note.sentence for note in unsent(config) if note.action == UNSENT]:
        raise LakeError(" ".join(told))
    return ", ".join(channel.name for channel in config.channels)


def _probe(source: Source) -> Callable[[], str]:
    return lambda: str(source.asking(now).probe())
