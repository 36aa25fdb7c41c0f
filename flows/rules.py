"""The rules as an organisation works on them: what they cover, leave and change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Column

from dashboards.text import context_words, many
from evidence.errors import ConfigError
from evidence.times import stamp
from flows.config import Config, load, now
from flows.follow import follow
from flows.moment import moment, parse_as_of, present, tagged
from flows.terminal import Screen, Table, printable
from flows.unreached import NeedOf, unreached
from mappings.in_force import InForce, mapping_in_force
from mappings.rules import RULES, only_supported, uncovered
from storage.claims import claimed_twice, context_only, differences, untagged_kinds
from storage.engine import ample
from storage.lake import Lake
from storage.pages import counts

SHOWN = 40
TODAY, SHIPPED = "today", "shipped"


def test(file: Path) -> int:
    """Load every rule, so that each proves itself by its examples; say what none of them serves.

    Raises MappingError naming file and line of the first that does not hold.
    """
    config = load(file)
    mapping = config.mapping()
    examples = sum(len(rule.examples) for rule in mapping.rules.rules)
    lacking = uncovered(mapping.rules, mapping.catalogue)
    needs = sum(len(control.needs) for control in mapping.catalogue.controls)
    console = Screen(highlight=False)
    console.print(f"{mapping.rules.told}: all hold by {examples} examples")
    console.print(f"{needs - len(lacking)} of {needs} needs of the catalogue have a rule")
    for control, evidence in lacking:
        console.print(f"  none for {control.partition(':')[2]} {evidence}")
    few = only_supported(mapping.rules, mapping.catalogue)
    if few:
        console.print(f"{len(few)} of these have supporting rules only: nothing is in date alone")
    for control, evidence in few:
        console.print(f"  only supporting for {control.partition(':')[2]} {evidence}")
    far = unreached(mapping, config).keys() - {*lacking, *few}
    filled = needs - len(lacking) - len(few) - len(far)
    console.print(f"{filled} of them can be filled by a source here")
    for evidence, controls in sorted(_by_evidence(far).items()):
        console.print(f"  no source for {evidence}: {', '.join(controls)}", soft_wrap=True)
    console.print(f"digest {mapping.rules.digest}", soft_wrap=True)
    return 0


def _by_evidence(needs: Iterable[NeedOf]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for control, evidence in sorted(needs):
        found.setdefault(evidence, []).append(control.partition(":")[2])
    return found


def queue(file: Path) -> int:
    """Show what no rule takes and what rules take for two things at once; 3 if there is any.

    What is declared to be context only is shown beside it, and waits for nobody.
    """
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    # By today's rules, also where the tags have yet to follow them.
    with tagged(lake, present(lake, config)).connect(lake, ample()) as connection:
        left, twice = untagged_kinds(connection), claimed_twice(connection)
        declared, items = context_only(connection), counts(connection).context
    console = Screen(highlight=False)
    console.print(f"{sum(row['items'] for row in left)} items speak to no control")
    if left:
        table = Table("kind", "source", "items", "newest", Column("such as", overflow="fold"))
        for row in left:
            table.add_row(*_cells(row, "kind", "source", "items", "newest"), _named(row))
        console.print(table)
        console.print("A rule takes them, or a declaration says why they are context only "
                      "(docs/rules.md).")  # fmt: skip
    if twice:
        console.print("Taken for several kinds of evidence of one control:")
        table = Table("kind", "evidence", "rules", "items", Column("such as", overflow="fold"))
        for row in twice:
            table.add_row(*_cells(row, "kind", "evidence", "rules", "items"), _named(row))
        console.print(table)
    console.print(context_words(items, len(declared)))
    if declared:
        table = Table("declaration", "kinds", "items", Column("why", overflow="fold"),
                      Column("such as", overflow="fold"))  # fmt: skip
        for row in declared:
            table.add_row(*_cells(row, "declaration", "kinds", "items", "rationale"), _named(row))
        console.print(table)
    return 3 if left or twice else 0


def sql(file: Path, dialect: str) -> int:
    """Print the query that tags, for an engine of one's own; 0. Raises MappingError."""
    print(load(file).mapping().rules.sql(dialect))
    return 0


def differ(file: Path, old: str, new: str) -> int:
    """Show which items gain or lose which controls by `new` beside `old`; 1 if any does.

    Either is `today`, `shipped`, a folder of rules beside the shipped ones, or a moment
    (`--as-of`'s form): the mapping that was in force then.
    """
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    before, after = _mapping(lake, config, old), _mapping(lake, config, new)
    rows = differences(lake, before.rules.sql(), after.rules.sql(), as_of=now())
    console = Screen(highlight=False)
    console.print(f"rules {before.rules.digest[:16]} → {after.rules.digest[:16]}")
    if not rows:
        console.print("no item gains or loses a control")
        return 0
    _print(console, rows)
    return 1


def retag(file: Path) -> int:
    """Tag everything by today's rules now, and seal it; tags of earlier rules stay beside; 0."""
    config = load(file)
    lake = Lake.open(config.lake, clock=now, redactor=config.redactor())
    screen, digest = Screen(highlight=False), config.mapping().rules.digest
    left = lake.unfollowed("tags", f"tags:{digest}").items
    screen.print(f"rules {digest[:16]}: {many(left, 'item')} to tag, then to seal")
    done = follow(lake, config)
    screen.print(f"rules {done.mapping_digest[:16]}: {done.sentence}")
    return 0


def _mapping(lake: Lake, config: Config, what: str) -> InForce:
    if what == TODAY:
        return config.mapping()
    if what == SHIPPED:
        return mapping_in_force()
    if Path(what).is_dir():
        return mapping_in_force((RULES, Path(what).resolve()))
    try:
        return moment(lake, config, parse_as_of(what)).mapping
    except ConfigError as error:
        raise ConfigError(
            f"{what!r} is not {TODAY!r}, {SHIPPED!r}, a folder of rules or a moment ({error})"
        ) from error


def _print(console: Screen, rows: Sequence[dict[str, Any]]) -> None:
    table = Table(
        "control", "evidence", "kind", "gained", "lost", Column("such as", overflow="fold")
    )
    for row in rows[:SHOWN]:
        sort = row["control"].partition(":")[0]
        weight = f"{row['evidence']} ({row['strength']})" if row["evidence"] else sort
        table.add_row(
            escape(row["control"]), escape(weight), *_cells(row, "kind", "gained", "lost"),
            _named(row), style="yellow" if row["lost"] else "",
        )  # fmt: skip
    console.print(table)
    if len(rows) > SHOWN:
        console.print(f"… and {len(rows) - SHOWN} more")
    gained, lost = (sum(row[name] for row in rows) for name in ("gained", "lost"))
    console.print(f"{gained} tags gained, {lost} lost; nothing was changed")


def _cells(row: dict[str, Any], *names: str) -> list[str]:
    return [_cell(row[name]) for name in names]


def _cell(value: Any) -> str:
    return stamp(value)[:10] if hasattr(value, "tzinfo") else escape(printable(str(value)))


def _named(row: dict[str, Any]) -> str:
    return f"{row['item_id'][:12]} {escape(printable(row['title'] or ''))}"
