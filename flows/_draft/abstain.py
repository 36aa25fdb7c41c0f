"""When nothing is drafted: nothing to write from, or too little of what was written stands."""

from __future__ import annotations

from evidence.draft import Matter
from flows._draft.checks import Checked

NOTHING = "nothing that was collected speaks of it"
OUT_OF_DATE = "nothing that it could rest on is in date"
SILENT = "the writer says that the items do not answer it, or said nothing that stands"
TOO_FEW = "fewer sentences stand than had to be left out"
STALE_ONLY = "no sentence that stands rests on an item that is in date"


def hopeless(matter: Matter) -> str:
    """Why nobody is asked to write; empty if there is something to write from."""
    if not matter.given:
        return NOTHING
    return "" if any(one.in_date for one in matter.given) else OUT_OF_DATE


def thin(matter: Matter, found: Checked) -> str:
    """Why what was written is no draft; empty if it is one."""
    if not found.sentences:
        return SILENT
    if found.unwritten > len(found.sentences):
        return TOO_FEW
    cited = {cite.item_id for one in found.sentences for cite in one.cites}
    return "" if any(matter.by_id[one].in_date for one in cited) else STALE_ONLY
