"""AWS Config: whether it records, what its rules came to, and which AI resources it found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from collectors._aws.config_inventory import INVENTORY, inventory
from collectors._aws.config_recorder import KIND as RECORDER
from collectors._aws.config_recorder import recorder
from collectors._aws.config_rules import KIND as RULE
from collectors._aws.config_rules import rules
from collectors._aws.source import AwsStates, Place, Reader
from evidence.model import EvidenceItem


@dataclass(frozen=True)
class AwsConfig(AwsStates):
    """The rules of AWS Config and the recorder they depend on, region by region.

    A rule becomes `aws.config.rule`: failed when a resource violates it, passed when at least one
    was judged and none violates it, an error when nothing was judged, its last evaluation failed
    or is overdue, or it waits for changes that no recorder records. Violating resources are named,
    the first hundred of them. For each AI system that `systems` finds in resource ids there is an
    item of those resources alone. The recorder becomes `aws.config.recorder`: failed when nothing
    is recorded. `rules` are globs over rule names (empty: all). The resources of SageMaker and
    Bedrock that were found are one `aws.config.inventory` a region: failed where some belong to no
    AI system that `systems` knows by name or id, an error where nothing is recorded.
    """

    rules: tuple[str, ...] = ()

    kinds: ClassVar[tuple[str, ...]] = (RECORDER, RULE, INVENTORY)
    states: ClassVar[tuple[str, ...]] = kinds

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        if isinstance(self.rules, str):
            yield "rules must be a list of texts"

    def _readers(self) -> Mapping[str, Reader]:
        return {RECORDER: recorder, RULE: self._rules, INVENTORY: inventory}

    def _rules(self, place: Place) -> Iterator[EvidenceItem]:
        return rules(place, lambda name: not self.rules or self._wants(name))

    def _wants(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.rules)
