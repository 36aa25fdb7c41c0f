"""Let the followers catch up: the mapping in force lands, tags follow it, then the seal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evidence.errors import HeadwaterError
from evidence.model import Change, Cursor, EvidenceItem, Nature
from evidence.own import MAPPING_KIND, OWN_SOURCE
from flows.config import Config
from flows.origin import REVIEWED, origin, reviewed_since
from flows.outside import witnesses
from flows.settings import ACT, settings_digest, settings_facts
from mappings.in_force import InForce
from storage.actions import acting_user, action_item, land_own, try_to_act
from storage.keys import load_key
from storage.lake import Bookmark, Lake
from storage.ledger import integrate
from storage.note import Checkpoint
from storage.publication import silent


@dataclass(frozen=True, slots=True)
class Followed:
    """How far the followers came: tags added now, the checkpoint that was signed, and a sentence
    for each witness that did not take it."""

    tags: int
    checkpoint: Checkpoint
    mapping_digest: str
    silent: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """For people: what was tagged and sealed, and which witness did not see it."""
        root = self.checkpoint.root.hex()[:16]
        told = f"{self.tags} tags added; {self.checkpoint.size} items sealed, root {root}…"
        return "\n\n".join((told, *self.silent))


def follow(lake: Lake, config: Config) -> Followed:
    """Tag and seal what landed since the last time, after the mapping itself if it changed.

    Idempotent; a crash leaves it only behind.
    """
    mapping = config.mapping()
    land_mapping(lake, config, mapping)
    tags = _tag(lake, mapping)
    checkpoint = seal(lake, config)
    unseen = tuple(silent(lake.place.at("log"), witnesses(config)))
    return Followed(tags, checkpoint, mapping.rules.digest, unseen)


def leave_record(lake: Lake, config: Config, what: str, **given: Any) -> str:
    """Land an act that needs no private key, and tag it: else the board called it not judged.

    Empty, or the sentence why that failed (see `storage.actions.act` for what may be given). The
    mapping in force stays: where the configuration has another, tags wait for the next collection.
    The seal waits for it, too.
    """
    if unkept := try_to_act(lake, what, **given):
        return unkept
    try:
        tag_own(lake, config)
    except HeadwaterError as error:
        return f"that {what} was run is recorded but not tagged until the next collection: {error}"
    return ""


def tag_own(lake: Lake, config: Config) -> None:
    """Tag what Headwater landed of itself by the mapping in force, if the configuration still has
    that one: to bring another into force is not for who only leaves a record.

    Raises HeadwaterError.
    """
    mapping = config.mapping()
    cursor = lake.bookmark(OWN_SOURCE).cursor
    if cursor and _digests(cursor)[0] == mapping.digest:
        _tag(lake, mapping)


def _tag(lake: Lake, mapping: InForce) -> int:
    rules = mapping.rules
    return lake.follow_sql("tags", rules.sql(), app=f"tags:{rules.digest}")


def seal(lake: Lake, config: Config, *, anew: Sequence[str] = ()) -> Checkpoint:
    """Sign what the lake holds now: what landed, and what was tagged and judged. Idempotent.

    `anew` names followers that were made again on purpose.
    """
    signer = load_key(config.key, origin=config.origin)
    return integrate(lake, signer, witnesses=witnesses(config), anew=anew)


def land_mapping(lake: Lake, config: Config, mapping: InForce) -> None:
    """Land the mapping as evidence if it is not the one that landed last. Raises LakeError.

    The cursor of Headwater's own source remembers its digest, in the commit that holds the document
    and the record of who brought it into force, who wrote it and who reviewed it. Once somebody has
    reviewed what was written alone, that lands, too. So do the settings of headwater.toml, of which
    it remembers the digest beside it.
    """
    land_own(lake, lambda bookmark: _changed(lake, config, mapping, bookmark))


def _changed(
    lake: Lake, config: Config, mapping: InForce, bookmark: Bookmark
) -> tuple[tuple[EvidenceItem, ...], Cursor | None]:
    before, settings_before = _digests(bookmark.cursor)
    settings = settings_digest(config)
    reached = Cursor(f"{mapping.digest} {settings}")
    known = {} if settings == settings_before else settings_facts(lake, config)
    if before == mapping.digest:
        reviewed = reviewed_since(lake, config)
        acts = [action_item(lake, "mapping", facts=reviewed, title=REVIEWED)] if reviewed else []
        acts += [action_item(lake, ACT, facts=known, title=_title(known))] if known else []
        return tuple(acts), reached if known else None
    at = lake.clock()
    told = f"{mapping.rules.told}, {len(mapping.overrides)} overrides"
    document = EvidenceItem(
        source=OWN_SOURCE, kind=MAPPING_KIND, subject="mapping", observed_from=at, observed_to=at,
        collected_at=at, payload=mapping.document, nature=Nature.STATE,
        change=Change.CHANGED if before else Change.NEW, actor=acting_user(),
        title=f"Mapping {mapping.digest[:16]}: {told}",
    )  # fmt: skip
    facts: dict[str, Any] = {"before": before, "now": mapping.digest}
    facts |= {"mapping_digest": mapping.rules.digest, "origin": origin(lake, config)} | known
    title = f"mapping: {mapping.digest[:16]} in force"
    return (document, action_item(lake, "mapping", facts=facts, title=title)), reached


def _digests(cursor: Cursor | None) -> tuple[str, str]:
    """Those of the mapping and of the settings that landed last; empty before."""
    mapping, _, settings = (cursor.value if cursor else "").partition(" ")
    return mapping, settings


def _title(known: dict[str, Any]) -> str:
    changed = [f"{one['what']} {one['how']}" for one in known.get("changed", ())]
    return f"settings: {', '.join(changed) or 'on record from now on'}"
