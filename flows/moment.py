"""A past moment: exactly which items, judged by which mapping, so that it can be judged again."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb

from evidence.errors import ConfigError, InvalidItem, LakeError
from evidence.excerpt import EVERYTHING, Excerpt
from evidence.own import MAPPING_KIND, OWN_SOURCE
from evidence.times import parse, stamp
from flows.config import Config, now
from mappings.in_force import InForce, read_document
from storage.checkpoints import checkpoint_of
from storage.disposed import absent, went_of
from storage.engine import Limits
from storage.freezes import Freeze, Frozen, counted, freezes
from storage.lake import Lake
from storage.pages import Connection
from storage.seals import Seal, seal_by, seal_of
from storage.sql_follower import Unfollowed
from storage.views import connect

MOST_UNTAGGED = 500_000
"""Items whose tags are made for one answer: they are held in memory, some 300 bytes an item."""
_FORM = re.compile(r"(?P<time>[^@]*?)(?:(?:@|^size:)(?P<size>[1-9][0-9]{0,17}))?")


@dataclass(frozen=True, slots=True)
class Asked:
    """What `--as-of` says: a time, a number of items that the ledger held, or both, or a freeze."""

    at: datetime | None = None
    size: int | None = None
    freeze: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is judged: the first `size` items of the ledger, by `mapping`, as of `at`.

    `size` None is all that landed, sealed or not: the present, which nobody can repeat exactly.
    `version` is the evidence version that covers it; `tags_sql` not empty where the tags of that
    mapping were not kept for all of it and are made anew, of `untagged` alone, if it is not None;
    `notes` say what the reader must know.
    `freeze` is the one that was asked for, `differs` what is not as it was frozen.
    """

    at: datetime
    mapping: InForce
    size: int | None
    version: int
    tags_sql: str = ""
    untagged: Unfollowed | None = None
    notes: tuple[str, ...] = ()
    freeze: Freeze | None = None
    differs: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """What to give to `--as-of` to see exactly this again."""
        return stamp(self.at) if not self.size else f"{stamp(self.at)}@{self.size}"

    def sentence(self, digest: str) -> str:
        """For people: what was looked at, and the digest of what came out."""
        held = f"{self.size} sealed items" if self.size is not None else "all that landed"
        return (
            f"as of {self.token} · {held}, evidence version {self.version} · "
            f"mapping {self.mapping.digest} · result {digest}"
        )

    def views(self) -> dict[str, Any]:
        """The arguments that make `storage.views.connect` show this moment."""
        return {
            "as_of": self.at, "size": self.size, "tags_sql": self.tags_sql,
            "mapping_digest": self.mapping.rules.digest,
        } | ({"untagged": self.untagged} if self.untagged else {})  # fmt: skip

    def connect(
        self, lake: Lake, limits: Limits | None = None, excerpt: Excerpt = EVERYTHING
    ) -> Connection:
        """The views as of this moment, cut to the excerpt. Raises LakeError."""
        aside = self.mapping.catalogue.aside
        return connect(lake, **self.views(), limits=limits, excerpt=excerpt, aside=aside)


def parse_as_of(text: str) -> Asked | None:
    """`2026-11-01T00:00:00Z`, `@12345` or `size:12345`, time and size together, or `freeze:NAME`;
    None for "".

    Raises ConfigError.
    """
    if not text:
        return None
    if text.startswith("freeze:"):
        return Asked(freeze=text.removeprefix("freeze:"))
    match = _FORM.fullmatch(text)
    try:
        if match is None:
            raise InvalidItem(text)
        time, size = match["time"], match["size"]
        return Asked(parse(time) if time else None, int(size) if size else None)
    except InvalidItem as error:
        raise ConfigError(
            f"--as-of {text!r}: write a moment with its zone, such as 2026-11-01T00:00:00Z, or a "
            "number of items that the ledger held, such as @12345, or freeze:NAME"
        ) from error


def present(lake: Lake, config: Config, at: datetime | None = None) -> Moment:
    """All that landed, judged by today's mapping as of `at` (now, if None)."""
    return Moment(at or now(), config.mapping(), None, lake.version)


def moment(lake: Lake, config: Config, asked: Asked | None) -> Moment:
    """The moment that was asked for; the present, if none was.

    A time alone stands for the last seal made by then: a landing that began before it and ended
    after it cannot change what was sealed. Raises LakeError, MappingError.
    """
    if asked is None:
        return present(lake, config)
    if asked.freeze:
        return _frozen(lake, config, asked.freeze)
    seal = seal_of(lake, asked.size) if asked.size else _by(lake, asked.at)
    at, size = asked.at or seal.at, asked.size or seal.size
    bare = Moment(at, config.mapping(), size, seal.version)
    with _read(lake, bare) as connection:
        mapping, notes = _mapping(connection, bare)
        left_out = _left_out(connection, bare)
    return tagged(lake, replace(bare, mapping=mapping, notes=(*left_out, *notes)))


def answered(lake: Lake, config: Config, asked: Asked | None) -> Moment:
    """As `moment`, and of the present also what the tags have yet to follow: for answers that are
    carried away, beside which nobody says that some of what landed is not judged.

    Raises LakeError, MappingError.
    """
    return moment(lake, config, asked) if asked else tagged(lake, present(lake, config))


def _frozen(lake: Lake, config: Config, name: str) -> Moment:
    """The moment that was frozen under a name, and what of it is another now."""
    with connect(lake) as connection:
        known = freezes(connection)
    if name not in known:
        told = ", ".join(known) or "none"
        raise ConfigError(f"--as-of freeze:{name}: there is no such freeze; known: {told}")
    freeze = known[name]
    shown = moment(lake, config, Asked(freeze.frozen.at, freeze.frozen.size))
    differs = tuple(freeze.told(why) for why in _differs(lake, shown, freeze.frozen))
    return replace(shown, freeze=freeze, differs=differs, notes=(*differs, *shown.notes))


def _differs(lake: Lake, shown: Moment, frozen: Frozen) -> Iterator[str]:
    if checkpoint_of(lake, frozen.sealed).root.hex() != frozen.root:
        yield f"the seal of {frozen.sealed} items has another root"
    if shown.mapping.digest != frozen.mapping:
        yield f"the mapping that judges is {shown.mapping.digest}, not {frozen.mapping}"
    with shown.connect(lake) as connection:
        counts, went = counted(connection), went_of(connection, frozen.size)
        missing = absent(connection, frozen.size)[1]
    less = {key: n - counts.get(key, 0) for key, n in frozen.counts.items()}
    if lost := {key: n for key, n in less.items() if n > 0}:
        kinds = ", ".join(f"{n} {kind} of {source}" for (source, kind), n in sorted(lost.items()))
        yield f"of its {frozen.size} items {sum(lost.values())} are not there any more ({kinds})"
        yield from went
        if missing:
            yield f"{missing} items are missing and no record says why: run `headwater verify`"
    if more := sum(-n for n in less.values() if n < 0) + sum(
        n for key, n in counts.items() if key not in frozen.counts
    ):
        yield f"{more} items are there that were not counted when it was frozen"


def _by(lake: Lake, at: datetime | None) -> Seal:
    at = at or now()
    return seal_by(lake, at) or Seal(0, 0, at)


def _mapping(connection: Connection, bare: Moment) -> tuple[InForce, tuple[str, ...]]:
    """The mapping that was the last among those items; today's, and a note, where none was."""
    rows = connection.execute(
        "SELECT payload FROM evidence JOIN leaves USING (item_id) WHERE source = $1 AND kind = $2 "
        "ORDER BY leaf_index DESC LIMIT 1", [OWN_SOURCE, MAPPING_KIND],
    ).fetchall()  # fmt: skip
    if rows:
        return read_document(rows[0][0]), ()
    return bare.mapping, ("no mapping had landed by then: judged by today's catalogue and rules",)


def _left_out(connection: Connection, bare: Moment) -> tuple[str, ...]:
    """What had landed by its own clock, but was sealed only later."""
    if not bare.size:
        return ("nothing had been sealed by then: nothing is shown",)
    ((late,),) = connection.execute(
        "SELECT count(*) FROM lake_evidence WHERE landed_at <= $1 AND item_id NOT IN "
        "(SELECT item_id FROM lake_leaves WHERE leaf_index < $2)", [bare.at, bare.size],
    ).fetchall()  # fmt: skip
    told = f"{late} items had landed by then, but the first {bare.size} of the ledger do not hold "
    told += "them: they are left out"
    return ((told,) if late else ()) + _absent(connection, bare.size)


def _absent(connection: Connection, size: int) -> tuple[str, ...]:
    """What was sealed by then and is not there any more."""
    disposed, missing = absent(connection, size)
    told = f"of the first {size} items of the ledger {disposed} were disposed of since: they are "
    lost = f"{missing} sealed items are missing and no record says why: run `headwater verify`"
    return ((f"{told}not in this answer",) if disposed else ()) + ((lost,) if missing else ())


def tagged(lake: Lake, judged: Moment) -> Moment:
    """Tags that were kept for all of it are read; else today's code makes them from the rules: of
    the present for what they have yet to follow.

    Raises LakeError where the present has too much of that to be held in memory.
    """
    rules = judged.mapping.rules
    if judged.size is None:
        left = _untagged(lake, judged)
        return replace(judged, tags_sql=rules.sql(), untagged=left) if left.items else judged
    followed = lake.followed("tags", f"tags:{rules.digest}")
    kept = followed is not None and followed >= judged.version
    return judged if kept else replace(judged, tags_sql=rules.sql())


def require_tags(lake: Lake, judged: Moment) -> None:
    """Refuse to judge a present of which so much is untagged that the answer were a guess.

    Raises LakeError, which says what to run.
    """
    if judged.size is None:
        _untagged(lake, judged)


def told_untagged(lake: Lake, shown: Moment) -> Moment:
    """With a note where the kept tags of the present lack some, for who is shown them as they are.

    Raises LakeError.
    """
    if shown.size is not None or not _left(lake, shown).items:
        return shown
    # No number: whoever may see a part of the lake would learn of the rest.
    note = "some items have yet to be tagged by today's rules, so what speaks to which control is "
    return replace(shown, notes=(*shown.notes, f"{note}not whole: run `headwater retag`"))


def _left(lake: Lake, judged: Moment) -> Unfollowed:
    return lake.unfollowed("tags", f"tags:{judged.mapping.rules.digest}")


def _untagged(lake: Lake, judged: Moment) -> Unfollowed:
    left = _left(lake, judged)
    if left.items > MOST_UNTAGGED:
        raise LakeError(
            f"{left.items} items have yet to be tagged by today's rules, so what speaks to which "
            "control is not known: run `headwater retag` first (the next collection does it, too); "
            "`--as-of` shows a moment before the rules changed"
        )
    return left


@contextlib.contextmanager
def _read(lake: Lake, shown: Moment) -> Iterator[Connection]:
    try:
        with shown.connect(lake) as connection:
            yield connection
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be read as of {shown.token}: {error}") from error
