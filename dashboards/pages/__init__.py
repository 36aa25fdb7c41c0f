"""The pages of the board, a module each: what was read goes in, what is drawn comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dashboards.asked import PAGE, Asked
from dashboards.links import OVERVIEW
from dashboards.pages import (
    changes,
    control,
    controls,
    documents,
    due,
    frameworks,
    items,
    overview,
    queue,
    review,
    sources,
    systems,
)
from dashboards.pages.page import Page
from dashboards.reads import Reads


@dataclass(frozen=True, slots=True)
class Kind:
    """How one page is made, of the thing with this key, and what an address may ask of it.

    `make` raises LookupError if there is no such thing, AskedWrongly for an unknown filter.
    """

    make: Callable[[Reads, str, Asked], Page]
    takes: frozenset[str] = frozenset()


WHOLE: Mapping[str, Kind] = {
    OVERVIEW: Kind(overview.overview),
    "controls": Kind(controls.controls, frozenset(controls.FILTERS)),
    "systems": Kind(systems.systems),
    "sources": Kind(sources.sources),
    "due": Kind(due.due, frozenset(due.FILTERS)),
    "queue": Kind(queue.queue),
    "documents": Kind(documents.documents, frozenset(documents.FILTERS)),
    "frameworks": Kind(frameworks.frameworks),
    "changes": Kind(changes.changes, frozenset(changes.FILTERS)),
    "review": Kind(review.review),
}
"""The pages of all things of a kind."""

ONE: Mapping[str, Kind] = {
    "controls": Kind(control.control, frozenset({PAGE})),
    "systems": Kind(systems.system),
    "sources": Kind(sources.source),
    "frameworks": Kind(frameworks.framework, frozenset(frameworks.FILTERS)),
    "items": Kind(items.item),
}
"""The pages of one thing."""
