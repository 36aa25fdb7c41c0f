"""What the catalogue asks for, one passage a need: what proposals are made of and may cite."""

from __future__ import annotations

from dataclasses import dataclass

from evidence.model import ControlId
from evidence.suggestion import Passage
from mappings.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Ask:
    """That `control` needs `evidence`; `passage` is the catalogue's own sentence, `told` the text
    that a model compares with."""

    control: ControlId
    evidence: str
    source_types: tuple[str, ...]
    passage: Passage
    told: str


def asks(catalogue: Catalogue) -> tuple[Ask, ...]:
    """Every need of every control, in the catalogue's order."""
    return tuple(
        Ask(
            control.id, need.evidence, need.source_types,
            Passage(f"needs.{need.evidence}.collect", need.collect),
            f"{control.title}. {control.summary} {need.collect}. "
            f"{catalogue.kinds[need.evidence].description}",
        )
        for control in catalogue.controls
        for need in control.needs
    )  # fmt: skip


def may_answer(ask: Ask, catalogue: Catalogue, kind: str) -> bool:
    """Whether items of a kind may answer it: of a kind that the catalogue does not know, all."""
    return kind not in catalogue.native_kinds or catalogue.source_type(kind) in ask.source_types
