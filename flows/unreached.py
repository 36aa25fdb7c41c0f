"""Which needs nothing can fill: no rule takes anything for them, or no source brings such items."""

from __future__ import annotations

from collections.abc import Mapping

from evidence.model import ControlId
from flows.config import Config, now
from mappings.in_force import InForce
from mappings.rules import only_supported

NeedOf = tuple[ControlId, str]


def unreached(mapping: InForce, config: Config) -> Mapping[NeedOf, str]:
    """Need (control, evidence) → why nothing that lands can fill it; sources are those of today.

    Raises ConfigError for a source that its settings do not let be.
    """
    brought = {kind for source in config.sources for kind in source.collector(now).kinds}
    taken, few = mapping.rules.taken(), set(only_supported(mapping.rules, mapping.catalogue))
    why: dict[NeedOf, str] = {}
    for control in mapping.catalogue.controls:
        for need in control.needs:
            kinds = taken.get((control.id, need.evidence), frozenset())
            if not kinds:
                why[control.id, need.evidence] = "no rule takes anything for it (docs/rules.md)"
            elif (control.id, need.evidence) in few:
                why[control.id, need.evidence] = "only supporting rules take anything for it"
            elif not kinds & brought:
                told = ", ".join(sorted(kinds))
                why[control.id, need.evidence] = f"no source here brings any of {told}"
    return why
