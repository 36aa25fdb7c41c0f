"""Lakes for trials: a copy of a real one, a sample of a large one, or one made up.

None is signed with the organisation's key. What is forged in a trial would otherwise carry a
signature that could be used elsewhere.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from evidence.correction import Act, Correction, Wrong
from evidence.errors import LakeError
from evidence.freshness import ControlStanding, Standing, State, Verdict
from evidence.model import ControlId, Cursor, EvidenceItem, Outcome
from storage.actions import land_own
from storage.corrections import correction_item
from storage.files import read_rows
from storage.forging import Field
from storage.keys import load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.log_packs import LOG
from storage.place import Place
from storage.rows import item_of
from storage.schema import TABLES
from storage.verdicts import append_verdicts
from storage.views import connect

Clock = Callable[[], datetime]
ORIGIN = "selftest/for-trials-only"
_SOURCES = {"jira": "jira.issue", "mlflow": "mlflow.run", "trail": "cloudtrail.event"}
_RULES = """
    SELECT item_id, 'iso42001:A.6.2.4' AS control, 'validation' AS evidence, 'r' AS rule,
        'direct' AS strength, 'for the trial' AS rationale, 'rules-1' AS mapping_digest
    FROM items WHERE kind = 'mlflow.run'
"""


def copied(lake: Lake, folder: Path, clock: Clock) -> Field:
    """A copy of the whole lake, sealed with a key for the trial. Raises LakeError."""
    target = folder / "lake"
    try:
        target.mkdir(parents=True)
        _copy(lake.place, ["lake.json"], target)
        # Followers first, and of each table its log first: the copy may be behind, never ahead.
        for name in sorted(TABLES, key=lambda name: name == "evidence"):
            log = list(lake.place.names(f"{name}/{LOG}"))
            _copy(lake.place, log, target)
            files = (file for file in lake.place.names(name) if f"/{LOG}/" not in file)
            _copy(lake.place, files, target)
        (target / "log").mkdir()
    except (OSError, shutil.Error) as error:
        raise LakeError(f"the lake cannot be copied to {folder}: {error}") from error
    return _sealed(folder, clock)


def _copy(place: Place, names: Iterable[str], target: Path) -> None:
    for name in names:
        with place.fresh(name) as path:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)


def sampled(lake: Lake, folder: Path, clock: Clock, items: int) -> Field:
    """A small lake of the newest items with their tags, and of all judgements. Raises LakeError."""
    small = Lake.create(folder / "lake", clock=clock)
    with connect(lake) as connection:
        query = "SELECT * FROM evidence WHERE kind NOT LIKE 'headwater.%' ORDER BY landed_at DESC"
        rows = connection.execute(f"{query} LIMIT {items}").to_arrow_table().to_pylist()
    by_source = defaultdict(list)
    for row in reversed(rows):
        by_source[row["source"]].append(item_of(row))
    for source, found in by_source.items():
        for part in (found[: len(found) // 2], found[len(found) // 2 :]):
            bookmark = small.bookmark(source)
            small.land(source, part, bookmark=bookmark, cursor=Cursor("c"), pull_id="sample")
    ids = pa.array([row["item_id"] for row in rows], pa.string())
    for name in ("tags", "verdicts", "standings"):
        for table in _tables(lake, name):
            kept = table.filter(pc.is_in(table["item_id"], ids)) if name == "tags" else table
            if kept.num_rows:
                small.table(name).commit([kept.select(TABLES[name].schema.names)])
    return _sealed(folder, clock)


def _tables(lake: Lake, name: str) -> Iterator[pa.Table]:
    for file in lake.files(name):
        yield read_rows(file.path, file.partition)


def made_up(folder: Path, clock: Clock) -> Field:
    """A lake of 60 items of three sources over four months, tagged, judged and sealed twice.

    One of the items is corrected.
    """
    lake = Lake.create(folder / "lake", clock=clock)
    make_key(folder / "key", origin=ORIGIN)
    for half in range(2):
        for number in (2 * half, 2 * half + 1):
            for source in _SOURCES:
                _pull(lake, source, number)
            if number == 2:
                _correct(lake)
        lake.follow_sql("tags", _RULES, app="tags:rules-1")
        _judge(lake, (State.FRESH, State.STALE)[half])
        integrate(lake, load_key(folder / "key"), witness=folder / "witness")
    return Field(folder, load_key(folder / "key"), clock)


def _pull(lake: Lake, source: str, number: int) -> None:
    items = [_item(lake, source, number, place) for place in range(5)]
    lake.land(
        source, items, bookmark=lake.bookmark(source), cursor=Cursor(f"after {number}"),
        pull_id=f"{source}-{number}",
    )  # fmt: skip


def _item(lake: Lake, source: str, number: int, place: int) -> EvidenceItem:
    at = lake.clock() - timedelta(days=120 - 30 * number + place)
    return EvidenceItem(
        source=source, kind=_SOURCES[source], subject=f"{source}-{number}-{place}",
        observed_from=at, observed_to=at, collected_at=lake.clock(), system=f"system-{place % 2}",
        title=f"Item {place}", outcome=Outcome.FAILED if place == 3 else Outcome.RECORDED,
        payload={"number": number, "place": place},
    )  # fmt: skip


def _correct(lake: Lake) -> None:
    wrong = _item(lake, "mlflow", 0, 3)
    facts = Correction(wrong.item_id, Wrong.OUTCOME, "passed", "Ann", "for the trial").facts()
    made = correction_item(lake, Act.CORRECT, facts, title="A correction")
    land_own(lake, lambda _: ((made,), None))


def _judge(lake: Lake, state: State) -> None:
    control, at = ControlId("iso42001:A.6.2.4"), lake.clock()
    verdict = Verdict(control, "validation", "system-0", state, False, "for the trial", at)
    standing = ControlStanding(control, Standing.STALE, "for the trial", 0, 1)
    append_verdicts(lake, [verdict], [standing], at)


def _sealed(folder: Path, clock: Clock) -> Field:
    make_key(folder / "key", origin=ORIGIN)
    signer = load_key(folder / "key")
    integrate(Lake.open(folder / "lake", clock=clock), signer, witness=folder / "witness")
    return Field(folder, signer, clock)
