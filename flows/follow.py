"""Let the followers catch up with the evidence: tags by today's rules, then the ledger's seal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.config import Config
from flows.outside import witnesses
from mappings.rules import RuleSet
from storage.keys import load_key
from storage.lake import Lake
from storage.ledger import Checkpoint, integrate
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


def follow(lake: Lake, config: Config, rules: RuleSet | None = None) -> Followed:
    """Tag and seal what landed since the last time. Idempotent; a crash leaves it only behind."""
    rules = rules or config.rules()
    tags = lake.follow_sql("tags", rules.sql(), app=f"tags:{rules.digest}")
    checkpoint = seal(lake, config)
    unseen = tuple(silent(lake.path / "log", witnesses(config)))
    return Followed(tags, checkpoint, rules.digest, unseen)


def seal(lake: Lake, config: Config, *, anew: Sequence[str] = ()) -> Checkpoint:
    """Sign what the lake holds now: what landed, and what was tagged and judged. Idempotent.

    `anew` names followers that were made again on purpose.
    """
    signer = load_key(config.key, origin=config.origin)
    return integrate(lake, signer, witnesses=witnesses(config), anew=anew)
