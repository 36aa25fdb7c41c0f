"""Ask the configured time authority for a timestamp of the newest seal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from collectors.http import Auth, Http
from evidence.errors import ConfigError, HeadwaterError
from evidence.model import Outcome
from evidence.times import stamp
from flows.config import Config, load, now
from flows.follow import leave_record
from flows.keys import public_key_of
from flows.outside import Anchor
from storage.lake import Lake
from storage.note import VerifierKey
from storage.timestamps import anchor, load_roots

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"  # RFC 3161 §3.4


def run(file: Path, say: Callable[[str], None]) -> int:
    """0 when the newest seal is stamped. Raises what `anchor_now` raises."""
    say(anchor_now(load(file)))
    return 0


def anchor_now(config: Config) -> str:
    """Stamp the newest seal if it is not; a sentence. A failure lands in the lake, too.

    Raises ConfigError without an [anchor], SourceError when the authority does not answer as
    needed, LakeError.
    """
    if config.anchor is None:
        raise ConfigError(f"{config.file}: name the time authority in [anchor]: url and roots")
    settings, lake = config.anchor, Lake.open(config.lake, clock=now)
    key = VerifierKey.parse(public_key_of(config))
    try:
        done = anchor(lake.place, key, load_roots(settings.roots), lambda raw: ask(settings, raw))
    except HeadwaterError as error:
        facts = {"url": settings.url, "error": str(error)}
        unkept = leave_record(lake, config, "anchor", outcome=Outcome.ERROR, facts=facts)
        if unkept:
            error.add_note(unkept)
        raise
    if done is None:
        return "the newest seal is stamped already, or there is none"
    return f"the seal of {done.size} items existed at {stamp(done.at)}, says {settings.url}"


def ask(settings: Anchor, request: bytes) -> bytes:
    """One query over HTTP, tried again while the authority is busy. Raises SourceError."""
    auth = Auth.basic(settings.user, settings.password) if settings.user else Auth()
    with Http(settings.url, auth, max_bytes=1 << 20) as http:
        return http.post_bytes(settings.url, request, sent=QUERY, wanted=REPLY)
