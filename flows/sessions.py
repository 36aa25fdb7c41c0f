"""Who is signed in on this machine, ended by somebody else, and that as evidence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from dashboards.sessions import End, Session, Sessions
from evidence.canonical import plain
from evidence.errors import ConfigError, HeadwaterError
from evidence.model import EvidenceItem
from evidence.own import ACTION_KIND, OWN_SOURCE
from flows.config import Config, load, now
from flows.follow import seal, tag_own
from storage.actions import land_own
from storage.code import code_version
from storage.lake import Lake

ACT = "session"
"""The subject of the items: what was done to one."""
_WAITS = "That waits on this machine to land in the lake: {}"
_LOG = logging.getLogger("headwater.access")


def sessions(config: Config) -> Sessions:
    """The sessions of the board that this machine serves, beside the heartbeat."""
    return Sessions(config.watch.folder / "sessions", now)


def end_all(config: Config, subject: str, by: str, why: str, *, via: str) -> str:
    """End all sessions of this subject and land that; why it waits to land, empty if it does not.

    Raises OSError if nothing can be kept of it: ended they are all the same.
    """
    sessions(config).end(subject, by, why, via)
    try:
        land_ended(config)
    except (HeadwaterError, OSError) as error:
        _LOG.error("that sessions were ended waits to land: %s", error)
        return _WAITS.format(error)
    return ""


def land_ended(config: Config) -> int:
    """Land what was ended and has not landed; how many. The same ends give the same items, so that
    a kill between landing and forgetting lands nothing twice. Raises HeadwaterError, OSError."""
    kept = sessions(config)
    if not (ended := kept.ended()):
        return 0
    lake = Lake.open(config.lake, clock=now)
    land_own(lake, lambda _: (tuple(_item(*one) for one in ended), None))
    for one, _ in ended:
        kept.landed(one)
    tag_own(lake, config)
    seal(lake, config)
    return len(ended)


def _item(session: Session, end: End) -> EvidenceItem:
    facts = {
        "person": session.person, "subject": session.subject, "access": session.access,
        "since": session.since, "until": session.until, "why": end.why, "via": end.via,
    }  # fmt: skip
    payload = {"act": session.key, "what": ACT, "who": end.by, "code_version": code_version(),
               "facts": facts}  # fmt: skip
    return EvidenceItem(
        source=OWN_SOURCE, kind=ACTION_KIND, subject=ACT, observed_from=end.at, observed_to=end.at,
        collected_at=end.at, payload=plain(payload),
        title=f"session of {session.person} ended by {end.by}", actor=end.by,
    )  # fmt: skip


def end_session(file: Path, person: str, by: str, why: str, say: Callable[[str], None]) -> int:
    """End all sessions of a person, named by subject or as the board calls them.

    Raises ConfigError for a name under which nobody is signed in, and where nothing of it can be
    kept.
    """
    config = load(file)
    if config.login is None:
        raise ConfigError(f"{file}: without [login] nobody signs in: take the [[access]] out")
    for name, words in (("--by", by), ("--why", why)):
        if not words.strip():
            raise ConfigError(f"{name} is empty: it stands in the record")
    subject = _subject(sessions(config), person)
    try:
        late = end_all(config, subject, by.strip(), why.strip(), via="terminal")
    except OSError as error:
        raise ConfigError(f"all sessions of {person} have ended, unrecorded: {error}") from error
    say(f"all sessions of {person} have ended; they can sign in while an [[access]] names them")
    if late:
        say(late)
    return 1 if late else 0


def _subject(kept: Sessions, person: str) -> str:
    found = {one.subject for one in kept.open() if person in (one.subject, one.person)}
    if len(found) == 1:
        return found.pop()
    why = "several people are" if found else "nobody is"
    known = ", ".join(sorted({one.subject for one in kept.open()})) or "nobody"
    raise ConfigError(
        f"{why} signed in as {person!r} at a board of this machine ({kept.folder}); "
        f"signed in, by subject: {known}"
    )
