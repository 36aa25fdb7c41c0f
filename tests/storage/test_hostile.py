"""What another hand plants in a lake is named: not followed, not waited for, not believed.

`HEADWATER_HOSTILE=1` tries every thing at every place, and every value in every log entry.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence.errors import LakeError
from storage.actions import act
from storage.clocks import landed_ahead
from storage.disposal import unfinished
from storage.keys import Signer, load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.maintain import maintain
from storage.proof import inclusion_proof
from storage.publication import silent
from storage.schema import VERDICTS
from storage.survey import Finding
from storage.verify import examine
from storage.views import ask, connect, sightings
from storage.witness import FileWitness
from tests.storage.crasher import SQL
from tests.storage.makers import Clock, World, days, item

EVERYTHING = bool(os.environ.get("HEADWATER_HOSTILE"))
SECRET = "root:x:0:0:keep me out"


@dataclass
class Planted:
    """A sealed lake beside things that are none of its business."""

    folder: Path
    signer: Signer
    clock: Clock

    @property
    def path(self) -> Path:
        return self.folder / "lake"

    @property
    def secret(self) -> Path:
        return self.folder / "secret"

    def lake(self) -> Lake:
        return Lake.open(self.path, clock=self.clock)

    def findings(self) -> list[Finding]:
        found = examine(self.path, self.signer.vkey, self.folder / "witness", now=self.clock.now)
        return [one for one in found if one.fatal]

    def verbs(self) -> list[Callable[[], object]]:
        """What everybody does with a lake; each opens it anew."""
        return [
            self.look, lambda: act(self.lake(), "try"), self._land, self._prove, self._seal,
            lambda: self.lake().follow_sql("tags", SQL, app="tags:m2"),
            lambda: unfinished(self.lake(), self.signer),
            self.maintain,
        ]  # fmt: skip

    def maintain(self) -> None:
        maintain(self.lake(), self.signer.verifier, keep=days(1))

    def look(self) -> None:
        with connect(self.lake()) as connection:
            ask(connection, "SELECT count(*) FROM tags, verdicts, leaves")
            sightings(connection, self.clock.now)
        landed_ahead(self.lake(), self.clock.now)
        list(silent(self.lake().place.at("log"), [FileWitness(self.folder / "witness")]))

    def _land(self) -> None:
        lake = self.lake()
        lake.land("jira", [item(0), item(90)], bookmark=lake.bookmark("jira"), cursor=None,
                  pull_id="p")  # fmt: skip

    def _prove(self) -> None:
        inclusion_proof(self.lake(), item(1).item_id)

    def _seal(self) -> None:
        integrate(self.lake(), self.signer, witness=self.folder / "witness")

    def tried(self, *verbs: Callable[[], object]) -> list[str]:
        """What each verb said that refused; anything but a LakeError comes through."""
        said = []
        for verb in verbs or self.verbs():
            try:
                verb()
            except LakeError as error:
                said.append(str(error))
        return said


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("master")
    world = World(folder / "lake")
    make_key(folder / "key", origin="brookside.example/lake")
    for number in range(3):
        world.land(item(number), item(number + 30), cursor=str(number))
        world.lake.follow_sql("tags", SQL, app="tags:m1")
    row = {"control": "iso42001:A.1", "evidence": "ticket", "system": "", "state": "fresh",
           "failed": False, "why": "w", "source": "jira", "count": 1, "item_id": "x",
           "judged_at": world.clock.now}  # fmt: skip
    verdict = pa.Table.from_pylist([row], schema=VERDICTS)
    world.lake.append("verdicts", verdict)
    integrate(world.lake, load_key(folder / "key"), witness=folder / "witness")
    world.lake.table("evidence").fold()
    (folder / "secret").write_text(SECRET)
    with pq.ParquetFile(world.lake.local_files("evidence")[0]) as file:
        pq.write_table(file.read(), folder / "outside.parquet")
    return folder


@pytest.fixture
def planted(master: Path, tmp_path: Path) -> Iterator[Planted]:
    folder = tmp_path / "house"
    shutil.copytree(master, folder)
    made = Planted(folder, load_key(folder / "key"), Clock())
    yield made
    assert made.secret.read_text() == SECRET
    assert (folder / "outside.parquet").exists()


def _link(path: Path, planted: Planted) -> None:
    path.symlink_to(planted.secret)


def _sparse(path: Path, _: Planted) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _holds(content: bytes) -> Callable[[Path, Planted], None]:
    return lambda path, _: path.write_bytes(content) and None


THINGS: dict[str, Callable[[Path, Planted], None]] = {
    "a link": _link,
    "a link to nothing": lambda path, _: path.symlink_to("nowhere"),
    "a link to itself": lambda path, _: path.symlink_to(path.name),
    "an endless link": lambda path, _: path.symlink_to("/dev/zero"),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a folder": lambda path, _: path.mkdir(),
    "a terabyte": _sparse,
    "nothing": _holds(b""),
    "no text": _holds(b"\xff\xfe\x00PAR1"),
    "depth": _holds(b"[" * 200_000),
    "a list": _holds(b'[1, "a", null]'),
    "other types": _holds(b'{"form": [], "key": 1, "add": 7, "a": {"size": "x"}}'),
    "a key twice": _holds(b'{"form": "headwater.lake/1", "form": 1}'),
}
PLACES = (
    "lake.json", "redaction.json", "log/checkpoint", "log/checkpoints/*", "log/witnesses.json",
    "log/tile/0/000.p/*", "log/.maintain", "evidence/_delta_log/*.json",
    "evidence/_delta_log/_last_checkpoint", "evidence/_delta_log/*.checkpoint.parquet",
    "evidence/month=*/*.parquet", "tags/*.parquet", "tags/_delta_log/*.json", "leaves/*.parquet",
    "leaves/_delta_log/*.json", "verdicts/*.parquet", "index/*.run", "evidence/month=*", "log",
    "evidence/_delta_log",
)  # fmt: skip
UNSEEN = {"redaction.json", "log/.maintain", "index/*.run", "log/witnesses.json",
          "log/tile/0/000.p/*", "evidence/_delta_log/_last_checkpoint",
          "log/checkpoints/*"}  # fmt: skip
"""What is no promise of the ledger: it need not be named unless it is no file."""
EACH = [("a pipe", place) for place in PLACES[2::4]]
EACH += [(thing, PLACES[number]) for number, thing in enumerate(THINGS)]


def _put(planted: Planted, place: str, thing: str) -> Path:
    found = sorted(planted.path.glob(place))
    path = found[-1] if found else planted.path / place.replace("*", "x")
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    THINGS[thing](path, planted)
    return path


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("thing", "place"),
    list(itertools.product(THINGS, PLACES)) if EVERYTHING else list(dict.fromkeys(EACH)),
)
def test_what_is_no_file_of_a_lake_is_named_and_not_opened(
    planted: Planted, thing: str, place: str
) -> None:
    path = _put(planted, place, thing)
    found = planted.findings()
    strange = path.is_symlink() or path.is_fifo()
    assert found or place in UNSEEN
    if strange:
        assert any(path.name in one.sentence and "no plain file" in one.sentence for one in found)
    said = planted.tried()
    assert SECRET not in "\n".join([*said, *(one.sentence for one in found)])
    assert not any("Traceback" in one for one in said)


OUTSIDE = ("../../outside.parquet", "{folder}/outside.parquet", "file://{folder}/outside.parquet",
           "%2e%2e/%2e%2e/outside.parquet", "month=2026-10/../../../outside.parquet",
           "s3://elsewhere/x.parquet", "a//b.parquet", "x" * 300, "x\0y", "")  # fmt: skip


def _entry(planted: Planted, table: str = "evidence") -> tuple[Path, list[Any]]:
    path = sorted((planted.path / table / "_delta_log").glob("*.json"))[-1]
    return path, [json.loads(line) for line in path.read_text().splitlines()]


def _write(path: Path, actions: list[Any]) -> None:
    path.write_text("".join(json.dumps(action) + "\n" for action in actions))


@pytest.mark.parametrize("number", range(len(OUTSIDE)))
def test_a_log_that_points_outside_reaches_nothing(planted: Planted, number: int) -> None:
    """Also not by `maintain`, long after: nothing outside is read, shown or deleted."""
    path, actions = _entry(planted)
    added = next(action["add"] for action in actions if "add" in action)
    outside = OUTSIDE[number].replace("{folder}", str(planted.folder))
    gone = {"path": outside, "dataChange": True, "deletionTimestamp": 1}
    foreign = {"remove": gone} if number % 2 else {"add": added | {"path": outside}}
    _write(path.with_name(f"{int(path.stem) + 1:020}.json"), [foreign])
    assert planted.findings()
    planted.clock.now += days(60)
    assert planted.tried(planted.maintain) or number == 3  # that names a file inside
    with suppress(LakeError), connect(planted.lake()) as connection:
        assert ask(connection, "SELECT count(*) FROM evidence").rows == ((6,),)


def _checkpointed(planted: Planted, change: Callable[[dict[str, Any]], None]) -> None:
    (path,) = (planted.path / "evidence/_delta_log").glob("*.checkpoint.parquet")
    with pq.ParquetFile(path) as file:
        table = file.read()
    rows = table.to_pylist()
    for row in rows:
        if row["add"]:
            change(row["add"])
            break
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


@pytest.mark.parametrize("number", [0, 1])
def test_a_short_cut_that_points_outside_reaches_nothing(planted: Planted, number: int) -> None:
    outside = OUTSIDE[number].replace("{folder}", str(planted.folder))
    _checkpointed(planted, lambda add: add.update(path=outside))
    assert planted.findings()
    planted.clock.now += days(60)
    assert len(planted.tried(planted.look, planted.maintain)) == 2


VALUES: tuple[Any, ...] = (
    None, True, -1, 2**70, 1e300, "", "x", "../x", [], ["x"], {}, {"a": {"b": []}}, "9" * 400,
    "2026-13-45T99:99:99Z",
)  # fmt: skip


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from _paths(value[key], (*path, key))
    elif isinstance(value, list):
        for number in range(len(value)):
            yield from _paths(value[number], (*path, number))


def _changed(actions: list[Any], path: tuple[Any, ...], value: Any) -> list[Any]:
    if not path:
        return [value]
    made = copy.deepcopy(actions)
    node: Any = made
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return made


def _statistics(actions: list[Any]) -> list[Any]:
    """With the statistics opened, so that their values are changed as well."""
    for action in actions:
        if "add" in action:
            action["add"]["stats"] = json.loads(action["add"]["stats"])
    return actions


def _closed(actions: list[Any]) -> list[Any]:
    for action in actions:
        with suppress(TypeError, KeyError):
            if isinstance(action["add"]["stats"], dict):
                action["add"]["stats"] = orjson.dumps(action["add"]["stats"]).decode()
    return actions


@pytest.mark.timeout(1800 if EVERYTHING else 120)
@pytest.mark.parametrize("table", ["evidence", "leaves"])
def test_no_value_in_a_log_entry_ends_in_anything_but_a_sentence(
    planted: Planted, table: str
) -> None:
    path, actions = _entry(planted, table)
    whole = path.read_bytes()
    opened = _statistics(actions)
    cases = list(itertools.product(_paths(opened), VALUES))
    if not EVERYTHING:
        late = next(path for path in _paths(opened) if path[-1:] == ("txn",))
        cases = [(late, "x"), *random.Random(7).sample(cases, 2)]  # read only when asked for
    for where, value in cases:
        try:
            _write(path, _closed(_changed(opened, where, value)))
        except (TypeError, orjson.JSONEncodeError):
            continue
        try:
            assert planted.findings() or table == "leaves"  # its log is a follower's of none
            planted.tried()
        except Exception as error:
            raise AssertionError(f"{where} = {value!r}") from error
        path.write_bytes(whole)
