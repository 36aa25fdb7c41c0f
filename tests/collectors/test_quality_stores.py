"""Stores of Great Expectations that are no folder: nothing in them is lost, none of them leaks."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collectors.quality_checks import QualityChecks
from evidence.errors import ConfigError, SourceBroken, SourceBusy, SourceRefused
from evidence.model import Change, Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts
from evidence.secret import Secret
from tests.collectors.aws_server import Aws

STORED = Path(__file__).parent / "payloads" / "gx_stores"
SUITE = "loans.quality"
RESULT = f"{SUITE}/loans"
pytestmark = pytest.mark.xdist_group("quality")


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with Aws() as made:
        yield made


@pytest.fixture
def bucket(aws: Aws, request: pytest.FixtureRequest) -> Any:
    s3, name = aws.client("s3", "us-east-1"), f"quality-{zlib.crc32(request.node.name.encode())}"
    s3.create_bucket(Bucket=name)
    for key, body in json.loads((STORED / "bucket.json").read_text()).items():
        s3.put_object(Bucket=name, Key=key, Body=body.encode())
    return s3, name


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "gx.db"
    with sqlite3.connect(file) as connection:
        connection.executescript((STORED / "database.sql").read_text())
    connection.close()
    return file


def in_bucket(aws: Aws, name: str) -> QualityChecks:
    return QualityChecks(
        "dq", results=f"s3://{name}/results", suites=f"s3://{name}/suites", **aws.keys()
    )


def in_database(file: Path) -> QualityChecks:
    url = Secret(f"sqlite:///{file}")
    return QualityChecks("dq", results="table:gx_results", suites="table:gx_suites", database=url)


def pull(
    collector: QualityChecks, cursor: Cursor | None = None
) -> tuple[list[EvidenceItem], Cursor, PullFacts]:
    batches = list(collector.collect(cursor))
    facts = PullFacts()
    for batch in batches:
        facts = facts + batch.facts
    return [item for batch in batches for item in batch.items], batches[-1].cursor, facts


def whole(items: list[EvidenceItem], facts: PullFacts) -> None:
    """What both stores hold."""
    results = [item for item in items if item.subject == RESULT]
    assert [str(item.outcome) for item in results] == ["passed", "failed", "passed"]
    (suite,) = (item for item in items if item.subject == SUITE)
    assert json.loads(suite.content)["expectation_count"] == 2
    digests = {json.loads(item.content)["suite_sha256"] for item in items}
    assert len(digests) == 1
    assert (facts.received, facts.promised, facts.gaps) == (4, 4, ())
    assert facts.states == ("gx.expectation_suite",)


def sql(file: Path, *statements: str) -> None:
    connection = sqlite3.connect(file)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_bucket_is_read_whole(aws: Aws, bucket: Any) -> None:
    collector = in_bucket(aws, bucket[1])
    items, cursor, facts = pull(collector)
    whole(items, facts)
    assert all(item.locator.startswith(f"s3://{bucket[1]}/") for item in items)
    assert "credentials from" in facts.identity
    assert f"s3://{bucket[1]}/results/**/*.json" in facts.query
    assert "3 stored results" in collector.probe()
    assert pull(collector, cursor)[0] == []


def test_a_bucket_that_forgets_or_overwrites_is_noticed(aws: Aws, bucket: Any) -> None:
    s3, name = bucket
    items, cursor, _ = pull(in_bucket(aws, name))
    keys = sorted(i.locator.removeprefix(f"s3://{name}/") for i in items if i.subject == RESULT)
    s3.delete_object(Bucket=name, Key=keys[0])
    failed = next(i for i in items if i.outcome is Outcome.FAILED)
    key = failed.locator.removeprefix(f"s3://{name}/")
    body = json.loads(s3.get_object(Bucket=name, Key=key)["Body"].read())
    s3.put_object(Bucket=name, Key=key, Body=json.dumps(body)[:-9].encode())
    s3.delete_object(Bucket=name, Key="suites/loans/quality.json")
    s3.put_object(Bucket=name, Key="suites/other.json", Body=b'{"name": "o", "expectations": []}')
    news, _, facts = pull(in_bucket(aws, name), cursor)
    assert {(i.subject, i.change) for i in news} == {
        ("stored results", Change.GONE), (SUITE, Change.GONE), ("o", Change.NEW),
    }  # fmt: skip
    assert [gap.what for gap in facts.gaps] == [key.removeprefix("results/")]
    assert "half-written" in facts.gaps[0].why


def test_a_bucket_that_holds_nothing_is_a_gap(aws: Aws, bucket: Any) -> None:
    wrong = replace(in_bucket(aws, bucket[1]), results=f"s3://{bucket[1]}/reslts", suites="")
    items, _, facts = pull(wrong)
    assert (items, facts.states) == ([], ())
    assert facts.gaps[0].why == "holds no document"
    with pytest.raises(SourceRefused, match="holds no document"):
        wrong.probe()


def test_a_bucket_that_is_not_there_or_does_not_answer(aws: Aws) -> None:
    with pytest.raises(SourceRefused, match="NoSuchBucket"):
        pull(in_bucket(aws, "nowhere"))
    with pytest.raises(SourceBusy):
        pull(replace(in_bucket(aws, "nowhere"), endpoint_url="http://127.0.0.1:1"))


def test_a_database_is_read_whole_and_only_read(database: Path) -> None:
    before = database.read_bytes()
    items, cursor, facts = pull(in_database(database))
    whole(items, facts)
    assert items[0].locator.startswith("gx_results/loans.quality/nightly/2026")
    assert "sqlite" in facts.identity
    assert pull(in_database(database), cursor)[0] == []
    assert database.read_bytes() == before


def test_rows_that_go_or_change_or_tear_are_noticed(database: Path) -> None:
    _, cursor, _ = pull(in_database(database))
    sql(
        database,
        "delete from gx_results where run_name = '__none__'",
        "update gx_results set value = null where value like '%\"success\": false%'",
        "update gx_results set value = substr(value, 1, 90) where value is not null",
        "insert into gx_results values ('a/b', 'r', 't', 'x', '[1]')",
    )
    news, after, facts = pull(in_database(database), cursor)
    assert [i.change for i in news] == []
    assert sorted(gap.why.partition(" (")[0] for gap in facts.gaps) == [
        "is not whole JSON", "its `value` is no text", "the file is no JSON object",
    ]  # fmt: skip
    sql(database, "delete from gx_results where value is null")
    news, _, facts = pull(in_database(database), after)
    assert [i.change for i in news] == [Change.GONE]
    assert len(facts.gaps) == 2


def test_a_database_that_cannot_be_read_says_what_to_do(database: Path, tmp_path: Path) -> None:
    good = in_database(database)
    with pytest.raises(SourceRefused, match="there is no table gx_rslts"):
        pull(replace(good, results="table:gx_rslts"))
    sql(database, "create table odd (a text, b text)")
    with pytest.raises(SourceBroken, match="no key columns beside `value`"):
        pull(replace(good, results="table:odd"))
    with pytest.raises(SourceRefused, match="give `database`"):
        pull(replace(good, database=None))
    missing = tmp_path / "missing.db"
    with pytest.raises(SourceRefused, match="is no file"):
        pull(in_database(missing))
    assert not missing.exists()
    (tmp_path / "torn.db").write_bytes(b"not a database" * 99)
    with pytest.raises(SourceRefused, match="refused"):
        pull(in_database(tmp_path / "torn.db"))


@pytest.mark.parametrize(
    "url", ["hunter2", "nosuch://u:hunter2@h/d", "mysql+nodriver://u:hunter2@h/d"]
)
def test_no_part_of_a_url_is_shown(url: str) -> None:
    collector = QualityChecks("dq", results="table:gx_results", database=Secret(url))
    with pytest.raises(SourceRefused) as caught:
        pull(collector)
    assert "hunter2" not in f"{caught.value}{collector!r}{caught.value.__cause__}"


def test_a_store_that_another_process_locks_is_busy(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("begin exclusive")
    with pytest.raises(SourceBusy, match="does not answer now"):
        pull(in_database(database))
    connection.close()


def test_a_project_tells_which_store_is_no_folder(tmp_path: Path, database: Path) -> None:
    (tmp_path / "expectations").mkdir()
    (tmp_path / "great_expectations.yml").write_text(
        "stores: {validation_results_store: {store_backend: {class_name: DatabaseStoreBackend}}}"
    )
    with pytest.raises(SourceRefused, match=r"is no folder .* give `results = "):
        pull(QualityChecks("dq", tmp_path))
    collector = replace(in_database(database), folder=tmp_path, suites="")
    items, _, facts = pull(collector)
    assert len(items) == 3
    assert facts.states == ("gx.expectation_suite",)


@pytest.mark.parametrize(
    "given",
    [{}, {"results": "s3://"}, {"results": "gx_results"}, {"results": "s3://b", "profile": ""}],
    ids=["nowhere", "no bucket", "no scheme", "half a key"],
)
def test_settings_that_cannot_be_are_told(given: dict[str, Any]) -> None:
    keys = {"access_key": Secret("x")} if "profile" in given else {}
    with pytest.raises(ConfigError, match=r"^dq: "):
        QualityChecks("dq", **given, **keys)
