"""Look at Headwater itself: what is wrong lands, a heartbeat and figures are left for others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cronsim import CronSim

from collectors._clock import ahead_of
from dashboards.text import lasting
from evidence.canonical import plain
from evidence.errors import ConfigError, HeadwaterError
from evidence.freshness import CLOCK_SKEW
from evidence.model import EvidenceItem, Outcome
from evidence.own import HEALTH_KIND, OWN_SOURCE
from evidence.times import stamp
from flows.config import Config, load, now
from flows.figures import figures
from flows.follow import follow
from flows.terminal import printable
from flows.together import together
from flows.troubles import CLOCK, LATE, Trouble, troubles
from storage.actions import land_own
from storage.beats import beat
from storage.lake import Lake
from storage.own_records import Open, open_troubles
from storage.place_local import LocalPlace
from storage.views import connect

FORM = "headwater.heartbeat/1"
HEARTBEAT, FIGURES = "heartbeat.json", "headwater.prom"


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found, what of it began now, and what ended."""

    troubles: tuple[Trouble, ...]
    begun: tuple[Trouble, ...]
    ended: tuple[Open, ...]

    @property
    def sentence(self) -> str:
        """For people: how many troubles there are, and which."""
        if not self.troubles:
            return "Headwater is in order"
        return " ".join(trouble.sentence for trouble in self.troubles)


def run(file: Path, say: Callable[[str], None]) -> int:
    """Look once and say what is wrong; 3 if anything is, else 0. Raises HeadwaterError."""
    watched = watch_now(load(file))
    for trouble in watched.troubles:
        say(f"{trouble.what:<13} {printable(trouble.sentence)} {trouble.action}")
    if watched.troubles:
        return 3
    say(watched.sentence)
    return 0


def watch_now(config: Config, clock: Callable[[], datetime] = now) -> Watched:
    """Look once. Raises HeadwaterError when the lake cannot be read or written; then, too, the
    heartbeat says that nothing is well, as far as it can be written itself."""
    try:
        watched = _watched(config, clock)
    except HeadwaterError as error:
        _leave(config, HEARTBEAT, heartbeat(config, clock(), (), error=str(error)))
        raise
    _leave(config, HEARTBEAT, heartbeat(config, clock(), watched.troubles))
    _leave(config, FIGURES, figures(config, clock))
    return watched


def _watched(config: Config, clock: Callable[[], datetime]) -> Watched:
    lake, at = Lake.open(config.lake, clock=clock), clock()
    with connect(lake) as connection:
        seen = troubles(config, lake, connection, at)
        open_ = open_troubles(connection)
    # That nobody looked until now is over with this look; it lands as what it was, a gap.
    unseen = tuple(_gap(trouble, at) for trouble in seen if trouble.what == "watch")
    found = tuple(t for t in (*seen, *servers_clock(config, clock)) if t.what != "watch")
    begun = tuple(t for t in found if t.what not in open_ or open_[t.what].about != t.about)
    remaining = {trouble.what for trouble in found}
    ended = (*unseen, *(one for what, one in open_.items() if what not in remaining))
    items = (*(_began(t, open_.get(t.what), at) for t in begun), *(_ended(o, at) for o in ended))
    if items:
        land_own(lake, lambda _: (items, None))
        follow(lake, config)
    beat(lake.place, "watch", at)
    return Watched(found, begun, ended)


def _gap(trouble: Trouble, at: datetime) -> Open:
    return Open(trouble.what, trouble.since or at, trouble.sentence, trouble.action, trouble.about)


def _began(trouble: Trouble, before: Open | None, at: datetime) -> EvidenceItem:
    """A trouble that hits others now is still the one that began before."""
    since = min(before.since if before else at, trouble.since or at, at)
    payload = {
        "what": trouble.what, "about": list(trouble.about), "sentence": trouble.sentence,
        "action": trouble.action, "since": stamp(since),
    }  # fmt: skip
    return _item(trouble.what, payload, since, at, Outcome.FAILED, trouble.sentence)


def _ended(one: Open, at: datetime) -> EvidenceItem:
    since = min(one.since, at)
    payload = {
        "what": one.what, "about": list(one.about), "sentence": one.sentence,
        "since": stamp(since), "until": stamp(at),
    }  # fmt: skip
    told = f"{one.what}: in order again after {lasting(at - since)}"
    return _item(one.what, payload, since, at, Outcome.PASSED, told)


def _item(
    what: str, payload: Mapping[str, object], since: datetime, at: datetime, outcome: Outcome,
    title: str,
) -> EvidenceItem:  # fmt: skip
    return EvidenceItem(
        source=OWN_SOURCE, kind=HEALTH_KIND, subject=what, observed_from=since, observed_to=at,
        collected_at=at, payload=plain(payload), outcome=outcome, title=title, actor=OWN_SOURCE,
    )  # fmt: skip


def servers_clock(config: Config, clock: Callable[[], datetime]) -> Iterator[Trouble]:
    """Whether this machine's clock is another than that of the servers it asks anyway."""
    if not config.watch.ask_clocks:
        return
    told = together(origins(config), lambda origin: ahead_of(origin, clock))
    apart = {o: s for o, s in told.items() if isinstance(s, timedelta) and abs(s) > CLOCK_SKEW}
    if apart:
        answered = sum(isinstance(skew, timedelta) for skew in told.values())
        each = ", ".join(f"{_apart(skew)} {origin}" for origin, skew in sorted(apart.items()))
        yield Trouble(
            "servers_clock", f"By {len(apart)} of {answered} servers this machine's clock is "
            f"wrong: {each}.", CLOCK, tuple(sorted(apart)),
        )  # fmt: skip


def _apart(skew: timedelta) -> str:
    return f"{lasting(abs(skew))} {'ahead of' if skew > timedelta() else 'behind'}"


def origins(config: Config) -> Sequence[str]:
    """The servers that the sources' addresses name, and Prefect's, each once, without a path."""
    texts = [v for source in config.sources for v in source.settings.values()]
    texts.append(os.environ.get("PREFECT_API_URL", ""))
    found = {_origin(text) for text in texts if isinstance(text, str)}
    return sorted(found - {""})


def _origin(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not host:
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}/"


def heartbeat(config: Config, at: datetime, found: Sequence[Trouble], *, error: str = "") -> bytes:
    """The heartbeat as JSON: who reads it after `late_after` knows that the watch is dead."""
    following = next(CronSim(config.watch.schedule, at), at)
    told = {
        "form": FORM, "at": stamp(at), "late_after": stamp(following + LATE),
        "well": not found and not error, "error": error,
        "troubles": [
            {"what": t.what, "sentence": t.sentence, "action": t.action, "about": list(t.about)}
            for t in found
        ],
    }  # fmt: skip
    return json.dumps(told, indent=1, ensure_ascii=False).encode() + b"\n"


def _leave(config: Config, name: str, content: bytes) -> None:
    """A whole file or the one before. Raises ConfigError if it cannot be written."""
    folder: Path = config.watch.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"[watch] folder {folder} cannot be made: {error}") from error
    LocalPlace(folder).replace(name, content)
