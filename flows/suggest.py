"""`headwater suggest`: a model proposes controls for items that no rule takes; people decide."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from evidence.errors import ConfigError
from evidence.model import EvidenceItem
from evidence.own import OWN_SOURCE
from evidence.suggestion import Act, AskedModel, Proposal
from flows.config import Config, load, now
from flows.follow import follow
from flows.lookup import SIGNS, find_item
from flows.moment import present, tagged
from flows.suggest_model import Suggest, model_of
from flows.terminal import Screen, printable
from mappings.suggest.measure import LABELLED, Ranked, choose, halves, labelled, measure, rank
from mappings.suggest.propose import Looked, Proposer
from mappings.suggest.texts import item_text
from storage.actions import action_item, land_own
from storage.lake import Bookmark, Lake
from storage.pages import Connection, item_rows
from storage.suggestions import (
    ACCEPTED,
    CONFIRMED,
    LOOKED,
    OPEN,
    REJECTED,
    suggestion_item,
    suggestions_in,
    suggestions_of,
    waiting,
)
from storage.views import connect

_DECIDE = "Nothing was changed. headwater suggest accept (or reject) PROPOSAL --by NAME --why TEXT"


@dataclass(frozen=True, slots=True)
class _Run:
    """What one run looked at, what came of each item, and how many items still wait."""

    model: AskedModel
    threshold: float
    looked: tuple[Looked, ...]
    left: int

    @property
    def abstained(self) -> int:
        """For how many items it proposes nothing."""
        return sum(not one.proposals for one in self.looked)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Claims of the model that were no proposals, by why."""
        return sum((Counter(one.dropped) for one in self.looked), Counter[str]())

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """All that it proposes."""
        return tuple(proposal for one in self.looked for proposal in one.proposals)

    def facts(self) -> dict[str, Any]:
        """What the record of the run says."""
        return {
            "model": self.model.name, "model_digest": self.model.digest,
            "prompt_digest": self.model.prompt_digest, "threshold": self.threshold,
            "looked": [one.item_id for one in self.looked], "proposed": len(self.proposals),
            "abstained": self.abstained, "dropped": dict(self.dropped), "left": self.left,
        }  # fmt: skip


def propose(file: Path, what: str) -> int:
    """Ask the model about one item, or those that no rule takes; land what it proposes, seal it, 0.

    Raises ConfigError without a model, SourceError when it does not answer, LakeError.
    """
    config = load(file)
    lake = _open(config)
    run = _asked(lake, config, what)
    landed: list[EvidenceItem] = []

    def items(_: Bookmark) -> tuple[tuple[EvidenceItem, ...], None]:
        with connect(lake) as connection:
            landed[:] = _new(lake, connection, run.proposals)
        title = f"suggest: {len(run.looked)} items looked at, {len(landed)} proposals"
        return (*landed, action_item(lake, LOOKED, facts=run.facts(), title=title)), None

    if run.looked:
        land_own(lake, items)
        follow(lake, config)
    _tell(run)
    with connect(lake) as connection:
        _show(suggestions_in(connection, OPEN), "Nothing is proposed.")
    return 0


def show(file: Path) -> int:
    """Print every proposal with what people decided, the open ones first; 0."""
    with connect(_open(load(file))) as connection:
        rows = suggestions_in(connection, OPEN, ACCEPTED, CONFIRMED, REJECTED)
    _show(sorted(rows, key=lambda row: row["state"] != OPEN), "Nothing was proposed.")
    return 0


def measured(file: Path, texts: Path | None) -> int:
    """Hold the configured model against labelled texts, the shipped ones by default; 0.

    Raises what `propose` raises, and MappingError naming file and line of a text that is wrong.
    """
    config = load(file)
    catalogue = config.mapping().catalogue
    chosen, kept = halves(labelled(catalogue, texts.resolve() if texts else LABELLED))
    settings = config.suggest or Suggest()
    model = model_of(settings, catalogue)
    by, shown = rank(catalogue, model, chosen), rank(catalogue, model, kept)
    threshold = choose(by)
    console = Screen(highlight=False)
    named = f"{model.asked.name} (digest {model.asked.digest[:16]})"
    told = f"{named}: threshold {threshold:.2f} chosen by {len(by)} texts"
    console.print(escape(printable(told)), soft_wrap=True)
    for at in dict.fromkeys((threshold, settings.least)):
        _tell_measured(console, shown, at)
    return 0


def _tell_measured(console: Screen, shown: Sequence[Ranked], at: float) -> None:
    found = measure(shown, at)
    console.print(
        f"threshold {at:.2f} on the other {found.texts}: "
        f"first proposal right {found.first_right:.0%}, all proposals right "
        f"{found.precision:.0%}; a right one among the first three {found.recall:.0%}; "
        f"proposed for {found.proposed:.0%} of those with controls; abstained "
        f"on {found.abstained:.0%} of those without", soft_wrap=True,
    )  # fmt: skip


def _asked(lake: Lake, config: Config, what: str) -> _Run:
    catalogue, settings = config.mapping().catalogue, config.suggest or Suggest()
    model = model_of(settings, catalogue)
    with tagged(lake, present(lake, config)).connect(lake) as connection:
        ids, waits = _named(connection, what) if what else waiting(
            connection, model.asked, settings.least, settings.items
        )  # fmt: skip
        rows = {row["item_id"]: row for row in item_rows(connection, ids)}
        rejected = _rejected(connection, ids)
    proposer = Proposer(catalogue, model, threshold=settings.least, at_most=settings.at_most)
    looked = tuple(proposer.look(item_text(rows[one]), rejected[one]) for one in ids)
    return _Run(model.asked, settings.least, looked, waits - len(ids))


def _named(connection: Connection, what: str) -> tuple[list[str], int]:
    if len(what) < SIGNS:
        raise ConfigError(f"{what!r}: an id needs at least {SIGNS} signs")
    item = find_item(connection, what)
    if item["source"] == OWN_SOURCE:
        raise ConfigError(
            f"item {item['item_id']} is Headwater's own record ({item['kind']}): it speaks to no "
            "control"
        )
    return [item["item_id"]], 1


def _rejected(connection: Connection, ids: Sequence[str]) -> Mapping[str, set[str]]:
    """Item → the controls that people rejected for it."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in suggestions_of(connection, ids):
        if row["state"] == REJECTED:
            found[row["item_id"]].add(row["control"])
    return found


def _new(lake: Lake, connection: Connection, proposals: Sequence[Proposal]) -> list[EvidenceItem]:
    """The proposals as items, without those that the same model made before and nobody rejected."""
    ids = list({proposal.item_id for proposal in proposals})
    known = {
        (row["item_id"], row["control"], row["evidence"], row["model_digest"], row["prompt_digest"])
        for row in suggestions_of(connection, ids)
    }
    return [
        suggestion_item(
            lake, Act.PROPOSE, one.facts(),
            title=f"proposed by {one.model.name}: {one.control} as {one.evidence}",
        )
        for one in proposals
        if (one.item_id, one.control, one.evidence, one.model.digest, one.model.prompt_digest)
        not in known
    ]  # fmt: skip


def _tell(run: _Run) -> None:
    """How much was looked at, and everything that is not shown."""
    console = Screen(highlight=False)
    best = max((one.best for one in run.looked if not one.proposals), default=0.0)
    told = [f"{len(run.looked)} items looked at by {run.model.name}, threshold {run.threshold:g}"]
    if run.abstained:
        told.append(f"{run.abstained} of them abstained on, the best with {best:.2f}")
    if run.left:
        told.append(f"{run.left} items wait for the next run")
    if again := sum(one.rejected for one in run.looked):
        told.append(f"{again} controls not proposed: people rejected them before")
    for why, number in sorted(run.dropped.items()):
        told.append(f"{number} answers of the model dropped: it {why}")
    for line in told:
        console.print(escape(printable(line)), soft_wrap=True)


def _show(rows: Sequence[Mapping[str, Any]], none: str) -> None:
    console = Screen(highlight=False)
    if not rows:
        console.print(none)
        return
    for row in rows:
        for line in _lines(row):
            console.print(escape(printable(line)), soft_wrap=True)
    if any(row["state"] == OPEN for row in rows):
        console.print(_DECIDE, soft_wrap=True)


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    """One proposal, with both passages whole: who decides has to read them."""
    decided = f" by {row['decided_by']}" if row["decided_by"] else ""
    control = row["control"].partition(":")[2]
    yield (f"{row['proposal'][:16]}  {control} as {row['evidence']}, score {row['score']:.2f}, "
           f"{row['state']}{decided}")  # fmt: skip
    yield f"  item {row['item_id'][:12]}  {row['kind'] or '(disposed of)'}: {row['title'] or ''}"
    yield f"  says       “{row['said']}”"
    yield f"  asked for  “{row['asked']}”"


def _open(config: Config) -> Lake:
    return Lake.open(config.lake, clock=now, redactor=config.redactor())
