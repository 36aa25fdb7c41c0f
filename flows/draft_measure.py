"""`headwater draft measure`: how many true sentences stand, and how many false ones fall."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows._draft.measure import FALSE, LABELLED, TRUE, UNTOLD, Figures, Found, measure, sentences
from flows.terminal import printable

Say = Callable[[str], None]


def measured(file: Path | None, say: Say, *, as_json: bool) -> int:
    """Hold the checks against labelled sentences, the shipped ones by default; 0.

    Raises MappingError naming file and line of a sentence that is wrong.
    """
    given = sentences(file.resolve() if file else LABELLED)
    found = measure(given)
    if as_json:
        say(json.dumps(_told(found, len(given.items)), indent=2, ensure_ascii=False))
        return 0
    for line in _lines(found, len(given.items)):
        say(printable(line))
    return 0


def _lines(found: Figures, items: int) -> list[str]:
    true, false, untold = (found.many(label) for label in (TRUE, FALSE, UNTOLD))
    told = [
        f"{len(found.found)} labelled sentences about {items} items, each by itself; no model is "
        "asked",
        f"true: {found.standing(TRUE)} of {true} stand",
        f"false: {false - found.standing(FALSE)} of {false} fall",
        f"false, and not to be told by code: {untold - found.standing(UNTOLD)} of {untold} fall",
    ]
    told += [f"  {many} fell: one {why}" for why, many in found.reasons.items()]
    told += [f"wrong, line {_line(one)}" for one in found.wrong]
    return told


def _line(one: Found) -> str:
    how = f"falls, as it {one.why}" if one.why else "stands"
    return f"{one.sentence.line}: {one.sentence.label} and {how}: {one.sentence.claim.text}"


def _told(found: Figures, items: int) -> dict[str, Any]:
    return {
        "items": items,
        **{label: {"sentences": found.many(label), "stand": found.standing(label)}
           for label in (TRUE, FALSE, UNTOLD)},
        "reasons": dict(found.reasons),
        "wrong": [{"line": one.sentence.line, "label": one.sentence.label, "why": one.why,
                   "text": one.sentence.claim.text} for one in found.wrong],
    }  # fmt: skip
