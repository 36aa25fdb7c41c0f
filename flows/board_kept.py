"""The last board, kept for the server that starts next: signed, and shown as what it is."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from dashboards.model import Board
from dashboards.ready import Made
from dashboards.summary import next_expiry
from evidence.errors import HeadwaterError
from flows.board import assemble
from flows.board_past import past
from flows.config import Config, now
from flows.judgement import Judged
from flows.keys import public_key_of
from storage.board_copy import keep_copy, kept_copy
from storage.code import code_version
from storage.keys import load_key
from storage.lake import Lake
from storage.note import VerifierKey

if TYPE_CHECKING:
    from pydantic import TypeAdapter

BEFORE = "It was made before this server started; what there is now is being judged."
_LOG = logging.getLogger("headwater.board")


Mark = tuple[tuple[int, ...], str]


@dataclass(frozen=True, slots=True)
class Kept:
    """A board of the present, by which code and which configuration it was made, and of what."""

    code: str
    config: str
    board: Board
    mark: Mark | None = None


def mark(config: Config) -> Mark:
    """What differs once a board could say something else: the versions of evidence, tags and seals,
    and the mapping. Raises LakeError."""
    lake = _lake(config)
    versions = tuple(lake.table(name).version for name in ("evidence", "tags", "leaves"))
    return versions, config.mapping().digest


def keep_judged(lake: Lake, config: Config, judged: Judged) -> str:
    """Keep the board of what was just judged; empty, or the sentence why there is none."""
    try:
        before = mark(config)
        board = assemble(lake, config, judged, past=False)
        same = before[0][0] == judged.moment.version
        whole = replace(board, past=past(lake, judged.moment))
        return keep(config, whole, before if same else None)
    except Exception as error:  # noqa: BLE001  what was judged stands, and the run says so
        return f"the board was not made: {error}"


def keeping(config: Config, make: Callable[[], Board]) -> Callable[[], Board]:
    """`make`, and what it makes is kept; where that fails the log says why, once."""
    told = set[str]()

    def made() -> Board:
        before = mark(config)
        board = make()
        why = keep(config, board, before)
        if why and why not in told:  # a server that may only read would say it of each board
            told.add(why)
            _LOG.warning("%s", why)
        return board

    return made


def keep(config: Config, board: Board, of: Mark | None = None) -> str:
    """Keep a board of the present, made when the mark was `of`; empty, or the sentence why it is
    not kept."""
    try:
        content = _adapter().dump_json(Kept(code_version(), _digest(config), board, of))
        signer = load_key(config.key, origin=config.origin)
        keep_copy(_lake(config), signer, board.lake.version, content)
    except (HeadwaterError, OSError, ValueError) as error:
        return f"the board is not kept for the next start: {error}"
    return ""


def kept(config: Config) -> Made | None:
    """The board that was kept, which is late by birth; None if there is none to believe: of this
    lake and configuration, by this very code, and signed by the ledger's key."""
    found = _believed(config)
    if found is None:
        return None
    return Made(found.board, None, found.board.as_of, timedelta(), BEFORE)


def unchanged(config: Config) -> Board | None:
    """The board that was kept, if it says what would be judged now: nothing moved since, nothing on
    it went out of date, and it is not older than `[board] oldest`. Raises LakeError."""
    found, at = _believed(config), now()
    if found is None or found.mark != mark(config):
        return None
    board = found.board
    expiry = next_expiry(board)
    young = board.as_of <= at < board.as_of + config.board.oldest
    return board if young and (expiry is None or at < expiry) else None


def _believed(config: Config) -> Kept | None:
    try:
        key = VerifierKey.parse(public_key_of(config))
        content = kept_copy(_lake(config), key)
        if content is None:
            return None
        found: Kept = _adapter().validate_json(content)
    except (HeadwaterError, OSError, ValueError) as error:
        _LOG.info("the board of before is not shown: %s", error)
        return None
    same = (found.code, found.config) == (code_version(), _digest(config))
    return found if same else None


@cache
def _adapter() -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(Kept)


def _digest(config: Config) -> str:
    """Of the file, and of what it has rules, frameworks and overrides say together."""
    whole = config.file.read_bytes() + config.mapping().digest.encode()
    return hashlib.sha256(whole).hexdigest()


def _lake(config: Config) -> Lake:
    return Lake.open(config.lake, clock=now)
