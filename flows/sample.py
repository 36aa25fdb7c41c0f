"""Draw an auditor's sample from sealed items: the same for everybody who draws it again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards.text import tame
from evidence.canonical import plain
from evidence.errors import ConfigError, LakeError
from evidence.sampling import METHOD, check_seed, draw, population_digest, proposed, rank
from evidence.times import stamp
from flows.config import Config, load, now
from flows.follow import leave_record
from flows.moment import Asked, Moment, moment
from mappings.catalogue import Catalogue
from storage.apart import ask_apart
from storage.checkpoints import checkpoint_for, read_checkpoint
from storage.draws import SAMPLE, DrawnFrom, earlier_draws, population
from storage.lake import Lake
from storage.pages import item_rows
from storage.views import connect

FORM = "headwater.sample/1"
_COLUMNS = (
    "item_id", "source", "kind", "system", "subject", "title", "change", "outcome", "actor",
    "locator", "observed_from", "observed_to", "landed_at", "content_sha256",
)  # fmt: skip
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the auditor asks for: from which items, by which seed, how many, and who asks.

    `sql` is a question whose column `item_id` is the population instead; `size` 0 lets `frequency`
    propose one.
    """

    scope: DrawnFrom
    seed: str
    by: str
    size: int = 0
    frequency: str = ""
    sql: str = ""


def run(file: Path, wanted: Wanted, asked: Asked | None, output: Path | None, say: Say) -> int:
    """Draw, record that it was drawn, then show it or write it to a new file (.json or .csv).

    Without a moment, as of the last seal. 0 when done. Raises ConfigError, LakeError.
    """
    check_seed(wanted.seed)
    if output is not None:
        _refuse(output)
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    shown = moment(lake, config, asked or Asked(size=read_checkpoint(lake).size))
    if not shown.size:
        raise ConfigError("nothing had been sealed by then: there is nothing to draw from")
    ids = _population(lake, config, shown, wanted)
    if not ids:
        raise ConfigError("the population is empty: there is nothing to draw from; widen the scope")
    facts = _facts(lake, shown, wanted, ids)
    with connect(lake) as connection:
        before = earlier_draws(connection, facts["population"]["sha256"])
    # The record lands first: nobody looks at a sample, and draws another that is the only one known
    title = f"sample: {len(facts['sample'])} of {len(ids)} drawn by seed {wanted.seed}"
    unkept = leave_record(lake, config, SAMPLE, who=wanted.by, facts=facts, title=title)
    with shown.connect(lake) as connection:
        rows = {row["item_id"]: row for row in item_rows(connection, facts["sample"])}
    drawn = [{name: plain(rows[one][name]) for name in _COLUMNS} for one in facts["sample"]]
    told = facts | {"form": FORM, "drawn": drawn, "population_ids": list(ids)}
    if output is not None:
        _write(output, told)
    for line in (*_said(facts, drawn, output), *_notes(shown, before, wanted.seed)):
        say(line)
    if unkept:
        say(f"note    {unkept}")
    return 0


def _population(lake: Lake, config: Config, shown: Moment, wanted: Wanted) -> tuple[str, ...]:
    if not wanted.sql:
        scope = wanted.scope
        if not (scope.control or scope.kinds):
            raise ConfigError("say what to draw from: --control, --kind, or --sql")
        with shown.connect(lake) as connection:
            return population(connection, scope)
    if wanted.scope != DrawnFrom():
        raise ConfigError("--sql says the whole population: leave --control and the others out")
    answer = ask_apart(config.lake, wanted.sql, **shown.views())
    if answer.columns.count("item_id") != 1:
        raise ConfigError(f"--sql gives the columns {', '.join(answer.columns)}: name one item_id")
    if answer.truncated:
        raise ConfigError("--sql gives more rows than an answer may have: use --control or --kind")
    ids = {str(one) for one in answer.arrow.column("item_id").to_pylist()}
    with shown.connect(lake) as connection:
        known = {row["item_id"] for row in item_rows(connection, sorted(ids))}
    if strange := sorted(ids - known):
        raise ConfigError(f"--sql gives {len(strange)} ids of no item, such as {strange[0][:70]!r}")
    return tuple(sorted(ids))


def _facts(lake: Lake, shown: Moment, wanted: Wanted, ids: Sequence[str]) -> dict[str, Any]:
    size = wanted.size or proposed(wanted.frequency, len(ids))
    head = checkpoint_for(lake, shown.size or 0)
    return {
        "method": METHOD, "seed": wanted.seed, "size": size, "frequency": wanted.frequency,
        "population": {"items": len(ids), "sha256": population_digest(ids)},
        "scope": {"sql": wanted.sql} if wanted.sql else wanted.scope.told(),
        "as_of": shown.token, "sealed": {"size": head.size, "root": head.root.hex()},
        "mapping": shown.mapping.digest, "sample": list(draw(ids, wanted.seed, size)),
    }  # fmt: skip


def control_named(catalogue: Catalogue, name: str) -> str:
    """The id of a control by its id or number; "" stays "". Raises ConfigError."""
    for control in catalogue.controls:
        if name in (control.id, control.number):
            return control.id
    if name:
        raise ConfigError(f"--control {name!r} is none of the catalogue's; write A.6.2.4, or 5.2")
    return ""


def _said(
    facts: Mapping[str, Any], drawn: Sequence[Mapping[str, Any]], output: Path | None
) -> Iterator[str]:
    held = facts["population"]
    yield f"drawn       {len(drawn)} of {held['items']} items by seed {facts['seed']!r}, {METHOD}"
    yield f"population  sha256 {held['sha256']}"
    yield f"as of       {facts['as_of']} · mapping {facts['mapping']}"
    if output is not None:
        yield f"written     {output}"
        return
    for number, row in enumerate(drawn, 1):
        when = row["observed_to"][:10]
        yield f"{number:>4}  {row['item_id'][:12]}  {when}  {row['kind']}  {_short(row)}"


def _short(row: Mapping[str, Any]) -> str:
    text = " ".join(str(row["title"] or row["subject"]).split())
    return text if len(text) <= 70 else f"{text[:69]}…"


def _notes(shown: Moment, before: Sequence[Mapping[str, Any]], seed: str) -> Iterator[str]:
    yield from (f"note    {note}" for note in shown.notes)
    others = [one for one in before if one.get("seed") != seed]
    if others:
        seeds = ", ".join(sorted({repr(one["seed"]) for one in others})[:5])
        yield (
            f"note    exactly these items were drawn from before by other seeds ({seeds}; "
            f"{len(others)} times in all): ask who chose them, and why"
        )


def _refuse(output: Path) -> None:
    if output.suffix not in {".json", ".csv"}:
        raise ConfigError(f"--output {output}: name a .json file (whole), or .csv (the rows)")
    if output.exists():
        raise ConfigError(f"--output {output} is there already: a sample is not written over")


def _write(output: Path, told: Mapping[str, Any]) -> None:
    text = _csv(told) if output.suffix == ".csv" else json.dumps(told, indent=1, sort_keys=True)
    try:
        with output.open("x", encoding="utf-8", newline="") as file:
            file.write(f"{text}\n" if output.suffix == ".json" else text)
    except OSError as error:
        raise LakeError(f"{output} cannot be written: {error.strerror}") from error


def _csv(told: Mapping[str, Any]) -> str:
    """For spreadsheets: no cell begins like a formula; why it is these rows stands in each."""
    out = io.StringIO()
    writer = csv.writer(out)
    held = told["population"]
    proof = (told["seed"], told["method"], str(held["items"]), held["sha256"], told["as_of"])
    names = ("seed", "method", "population_items", "population_sha256", "as_of")
    writer.writerow(["number", *_COLUMNS, "rank", *names])
    for number, row in enumerate(told["drawn"], 1):
        cells = (row[name] for name in _COLUMNS)
        drawn = rank(told["seed"], row["item_id"])
        writer.writerow([tame(str(cell)) for cell in (number, *cells, drawn, *proof)])
    return out.getvalue()


def scope_of(
    config: Path, control: str, system: str | None, kinds: Sequence[str], since: str, until: str,
    versions: bool,
) -> DrawnFrom:  # fmt: skip
    """What the options ask for. Raises ConfigError."""
    from evidence.errors import InvalidItem
    from evidence.times import parse

    try:
        begin, end = (parse(text) if text else None for text in (since, until))
    except InvalidItem as error:
        raise ConfigError(f"--since and --until want a moment with its zone: {error}") from error
    if begin and end and begin >= end:
        raise ConfigError(f"--since {stamp(begin)} is not before --until {stamp(end)}")
    found = control_named(load(config).mapping().catalogue, control)
    return DrawnFrom(found, system, tuple(sorted(set(kinds))), begin, end, versions)
