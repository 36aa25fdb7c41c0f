"""Let the followers catch up with the evidence: tags by today's rules, then the ledger's seal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.config import Config
from mappings.rules import RuleSet
from storage.keys import load_key
from storage.lake import Lake
from storage.ledger import Checkpoint, integrate


@dataclass(frozen=True, slots=True)
class Followed:
    """How far the followers came: tags added now, and the checkpoint that was signed."""

    tags: int
    checkpoint: Checkpoint
    mapping_digest: str

    @property
    def sentence(self) -> str:
        """For people: what was tagged and sealed."""
        root = self.checkpoint.root.hex()[:16]
        return f"{self.tags} tags added; {self.checkpoint.size} items sealed, root {root}…"


def follow(lake: Lake, config: Config, rules: RuleSet | None = None) -> Followed:
    """Tag and seal what landed since the last time. Idempotent; a crash leaves it only behind."""
    rules = rules or config.rules()
    tags = lake.follow_sql("tags", rules.sql(), app=f"tags:{rules.digest}")
    return Followed(tags, seal(lake, config), rules.digest)


def seal(lake: Lake, config: Config, *, anew: Sequence[str] = ()) -> Checkpoint:
    """Sign what the lake holds now: what landed, and what was tagged and judged. Idempotent.

    `anew` names followers that were made again on purpose.
    """
    signer = load_key(config.key, origin=config.origin)
    return integrate(lake, signer, witness=config.witness, anew=anew)
