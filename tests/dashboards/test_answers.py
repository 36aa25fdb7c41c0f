"""An answer as a file says what it was asked of, and runs nothing in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json

from dashboards.answers import Answered, Named, as_csv, as_json
from evidence.excerpt import Excerpt

FORMULA = '=HYPERLINK("http://evil.example")'
ANSWER = Answered(
    sql=f"SELECT 1 AS x, 2 AS x\n-- {FORMULA}", columns=("x", "x", FORMULA),
    rows=((1, None, FORMULA), ({"a": "ä"}, "-1", "\t=1")), truncated=True,
    as_of="2026-11-01T00:00:00.000000Z@7", version=3, sealed=7, root="ab", mapping="cd", result="",
    name="mine", title="What I ask", values={"kind": FORMULA}, notes=("a note",),
    excerpt=Excerpt(systems=("ours",)), named=Named(2, "ef"),
)  # fmt: skip


def test_csv_says_what_was_asked_and_holds_no_formula() -> None:
    lines = list(csv.reader(io.StringIO(as_csv(ANSWER))))
    assert not [cell for line in lines for cell in line if cell[:1] in set("=+-@\t\r")]
    facts = {line[0]: line[1] for line in lines if line[0].startswith("# ")}
    assert facts["# as of"] == "2026-11-01T00:00:00.000000Z@7"
    assert facts["# population"] == "evidence version 3; 7 items sealed under root ab"
    assert facts["# rows"] == "the first 2 rows; there are more"
    assert facts["# result"] == "has no digest: it was cut off"
    assert facts["# items"] == "2 items named by item_id · population sha256 ef"
    assert facts["# shows"] == "of AI systems only ours"
    assert lines[len(facts)] == ["x", "x", f"'{FORMULA}"]
    assert lines[-1] == ['{"a": "ä"}', "'-1", "'\t=1"]


def test_json_keeps_two_columns_of_one_name() -> None:
    told = json.loads(as_json(ANSWER))
    assert told["columns"][:2] == ["x", "x"]
    assert told["rows"][0] == [1, None, FORMULA]
    assert told["items"] == {"items": 2, "population_sha256": "ef"}
    assert (told["truncated"], told["population"]["sealed"]) == (True, 7)
