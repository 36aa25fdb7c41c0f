"""Nothing that must be hidden lands: not in a value, a name, a title, a cursor or an error."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.canonical import canonical
from evidence.errors import LakeError
from evidence.model import Cursor, EvidenceItem
from evidence.runs import Gap, PullFacts, PullOutcome
from evidence.snapshot import Snapshot
from storage import detect
from storage.lake import Lake
from storage.redaction import Redactor, Rule
from storage.redaction_key import RedactionKey, load_redaction_key, make_redaction_key
from storage.reveal import check_revealed, prove
from storage.views import ask, connect
from tests.storage.makers import START, Clock, days, item, pull

KEY = RedactionKey(b"k" * 32)


def _jwt() -> str:
    parts = (
        base64.urlsafe_b64encode(t).rstrip(b"=").decode() for t in (b'{"alg":"x"}', b'{"a":1}')
    )
    return ".".join([*parts, "c2lnbmF0dXJlLXBhcnQ"])


# Put together here, so that no scanner of this repository takes them for real ones.
SECRETS = {
    "aws id": "AKIA" + "ABCDEFGHIJKLMNOP",
    "github": "ghp_" + "a1B2" * 9,
    "gitlab": "glpat-" + "abcdefghij0123456789",
    "gitlab agent": "glagent-" + "ab" * 30,
    "slack": "xoxb-" + "123456789012-abcdefABCDEF",
    "slack hook": "https://hooks.slack.com/services/T" + "AAAA/B" + "BBBB/cccc",
    "stripe": "sk_live_" + "a1" * 12,
    "openai": "sk-" + "a" * 20 + "T3BlbkFJ" + "b" * 20,
    "pypi": "pypi-AgEIcHlwaS5vcmc" + "x" * 70,
    "sendgrid": "SG." + "a" * 22 + "." + "b" * 43,
    "square": "sq0csp-" + "a" * 43,
    "mailchimp": "0123456789abcdef" * 2 + "-us12",
    "azure": "AccountKey=" + "a" * 86 + "==",
    "jwt": _jwt(),
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAA\n-----END RSA PRIVATE KEY-----",
    "encrypted key": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIEow",
    "npm": "//registry.example/:_authToken=npm_" + "a" * 36,
    "aws secret": 'aws_secret_access_key = "' + "wJalrXUt/" * 4 + 'abcd"',
    "aws bare": "AWS_SECRET_ACCESS_KEY=" + "wJalrXUt/" * 4 + "abcd",
}
IN_URL = {
    "https://bob:hunter2@example.org/x": "hunter2",
    "redis://:pa55,word@cache:6379": "pa55,word",
    "https://x.example/f?a=1&X-Amz-Signature=deadbeef&b=2": "deadbeef",
    "https://x.example/f?token=abc%20d#top": "abc%20d",
}


def _redacted(one: EvidenceItem, *rules: Rule, **given: Any) -> EvidenceItem:
    return Redactor(rules, KEY, **given).apply([one]).items[0]


def _all(one: EvidenceItem) -> str:
    """Everything of an item that lands, payload texts as they are read back."""
    return " ".join(
        [one.title, one.actor, one.locator, one.subject, *_words(json.loads(one.content))]
    )


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from (name, *_words(member))
    elif isinstance(value, list):
        for member in value:
            yield from _words(member)
    else:
        yield str(value)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda s: s, id="alone"),
        pytest.param(lambda s: f"ä\u2028 before {s}\nafter \ufdd0", id="in text"),
        pytest.param(lambda s: json.dumps({"inner": s}), id="json in text"),
        pytest.param(lambda s: {s: "name"}, id="member name"),
        pytest.param(lambda s: [[{"deep": [1, None, s]}]], id="nested"),
    ],
)
def test_known_secrets_are_hidden_wherever_they_stand(name: str, wrap: Any) -> None:
    secret = SECRETS[name]
    core = "MIIEow" if name.endswith("key") else max(re.findall("[A-Za-z0-9/+]+", secret), key=len)
    done = _redacted(item(1, payload={"text": wrap(secret), "kept": "yes"}))
    assert core not in _all(done)
    assert "[redacted sha256:" in _all(done)
    assert json.loads(done.content)["kept"] == "yes"


@pytest.mark.parametrize("column", ["title", "actor", "locator", "subject"])
def test_columns_are_searched_too(column: str) -> None:
    done = _redacted(item(1, **{column: f"see {SECRETS['github']}"}))
    assert SECRETS["github"] not in _all(done)
    assert getattr(done, column).startswith("see [redacted sha256:")


@pytest.mark.parametrize("url", IN_URL)
def test_what_a_url_lets_in_is_hidden_and_the_rest_of_it_kept(url: str) -> None:
    before, _, after = url.partition(IN_URL[url])
    done = _redacted(item(1, locator=url))
    assert done.locator.startswith(f"{before}[redacted sha256:")
    assert done.locator.endswith(f"]{after}")


def test_a_secret_written_in_escapes_is_hidden() -> None:
    hidden = SECRETS["aws id"].replace("A", "\\u0041")
    done = _redacted(item(1, payload={"body": f'{{"k": "{hidden}"}}'}))
    assert "KIA" not in _all(done).replace("\\u0041", "A")


def test_a_secret_known_only_by_its_member_name_is_hidden() -> None:
    value = "wJalrXUt/" * 4 + "abcd"
    done = _redacted(item(1, payload={"secretAccessKey": value, "AWS_SECRET_KEY": value}))
    assert value not in _all(done)


def test_who_acted_in_cloudtrail_stays_an_identifier() -> None:
    secret = SECRETS["aws id"]
    payload = {"userIdentity": {"accessKeyId": secret}, "note": f"used {secret}"}
    told = json.loads(_redacted(item(1, payload=payload)).content)
    assert told["userIdentity"]["accessKeyId"] == secret
    assert secret not in told["note"]


@pytest.mark.parametrize(
    "text",
    ["a" * 40, "0123456789abcdef" * 4, "https://example.org/a:b@c", "user@example.org", "eyJ.eyJ",
     "arn:aws:iam::111122223333:role/key-of-x", "https://x.example/?page=2", "PRIVATE KEY"],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    one = item(1, payload={"text": text}, title=text)
    assert _redacted(one) is one


@given(st.text(), st.sampled_from(sorted(SECRETS)), st.text())
def test_the_quick_look_misses_nothing_that_the_patterns_find(a: str, name: str, b: str) -> None:
    text = (a + SECRETS[name] + b).encode("utf-8", "replace").decode()
    if detect.search([text], detect.known_secrets()):
        for value in ({"t": text}, {text: 1}, {"t": json.dumps([text])}):
            assert detect.matches([canonical(value)], detect.HINT)


def test_collecting_again_gives_the_same_id_and_another_key_another() -> None:
    one = item(1, payload={"token": SECRETS["github"]})
    assert _redacted(one).item_id == _redacted(one).item_id != one.item_id
    other = Redactor((), RedactionKey(b"o" * 32)).apply([one]).items[0]
    assert other.item_id != _redacted(one).item_id


@pytest.mark.parametrize(
    "text",
    ["eyJ" * 400_000, "://a:" * 200_000, "-----BEGIN PRIVATE KEY-----" * 40_000,
     "AKIA" + "ABCDEFGHIJKLMNOP" * 40_000, "a" * 1_000_000 + "!"],
    ids=["jwt", "url", "key", "aws", "plain"],
)  # fmt: skip
def test_no_text_is_slow(text: str) -> None:
    """With a backtracking engine these take minutes: that the test ends is what it shows."""
    slow = Rule("slow", "would never end elsewhere", patterns=("(a+)+$",))
    _redacted(item(1, payload={"text": text}), slow)


RULES = {
    "field": Rule("email", "GDPR", kinds=("jira.*",), fields=("$.who.email",)),
    "deep": Rule("email", "GDPR", fields=("$..email",)),
    "each": Rule("email", "GDPR", fields=("$.list[*].email", "$.who['email']")),
    "pattern": Rule("email", "GDPR", patterns=(r"[a-z]+@example\.org",)),
    "part": Rule("email", "GDPR", fields=("$.who",), patterns=(r"bob@\S+",)),
}


@pytest.mark.parametrize("name", RULES)
def test_own_rules_hide_what_they_name(name: str) -> None:
    payload = {"who": {"email": "bob@example.org"}, "list": [{"email": "bob@example.org"}]}
    done = json.loads(_redacted(item(1, payload=payload), RULES[name]).content)
    assert "bob@" not in json.dumps(done["who"])
    assert ("bob@" in json.dumps(done["list"])) is (name in ("field", "part"))


def test_values_that_are_no_text_are_hidden_whole() -> None:
    rule = Rule("salary", "personal", fields=("$.salary",))
    first = json.loads(_redacted(item(1, payload={"salary": 7}), rule).content)["salary"]
    assert set(first) == {"redacted", "why"}
    assert first["why"] == "salary"
    assert first != json.loads(_redacted(item(1, payload={"salary": 8}), rule).content)["salary"]


def test_a_rule_speaks_only_of_its_kinds() -> None:
    rule = Rule("email", "GDPR", kinds=("mlflow.*",), fields=("title",))
    one = item(1)
    assert _redacted(one, rule) is one


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"patterns": ("(?=x)",)}, "not RE2"),
        ({"patterns": ("[",)}, "not RE2"),
        ({"patterns": ("x*",)}, "matches nothing or a blank"),
        ({"patterns": (r"[\s\S]",)}, "matches nothing or a blank"),
        ({"patterns": (r"[^ ]|\s",)}, "matches nothing or a blank"),
        ({"fields": ("source",)}, "never hidden"),
        ({"fields": ("$",)}, "no path"),
        ({"fields": ("$.a[?@.b]",)}, "no path"),
        ({}, "one is missing"),
        ({"name": "Shouting"}, "lower-case"),
        ({"reason": " ", "fields": ("$.a",)}, "reason"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Rule(**{"name": "x", "reason": "y", **given})


def test_without_a_key_nothing_lands_in_clear(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake", clock=Clock())
    with pytest.raises(LakeError, match="holds what must be hidden") as refused:
        _land(lake, item(1, payload={"t": SECRETS["github"]}))
    assert SECRETS["github"] not in str(refused.value)
    _land(lake, item(2))
    assert _everything(tmp_path).count(b"ghp_") == 0


def test_another_key_is_refused(tmp_path: Path) -> None:
    clock = Clock()
    lake = Lake.create(tmp_path / "lake", clock=clock, redactor=Redactor((), KEY))
    _land(lake, item(1, payload={"t": SECRETS["github"]}))
    other = Lake.open(lake.place, clock=clock, redactor=Redactor((), RedactionKey(b"o" * 32)))
    with pytest.raises(LakeError, match=r"another redaction key|does not open"):
        _land(other, item(2, payload={"t": SECRETS["github"]}))
    with pytest.raises(LakeError, match="another redaction key"):
        _land(other, item(2, source="other", payload={"t": SECRETS["github"]}))


def test_the_record_of_the_pull_counts_and_repeats_nothing(tmp_path: Path) -> None:
    rule = Rule("email", "GDPR", fields=("$.email",))
    lake = Lake.create(tmp_path / "lake", clock=Clock(), redactor=Redactor((rule,), KEY))
    one = item(1, payload={"email": "bob@example.org", "t": SECRETS["github"]})
    record = replace(
        pull(1, START, PullOutcome.PARTIAL), error=f"{SECRETS['slack']} of bob@example.org",
        facts=PullFacts(gaps=(Gap("bob@example.org", SECRETS["stripe"]),)),
        cursor_after=SECRETS["github"],
    )  # fmt: skip
    landed = lake.land("jira", [one], bookmark=lake.bookmark("jira"), pull_id="p",
                       cursor=Cursor(f'{{"bob": "{SECRETS["github"]}"}}'), pull=record)  # fmt: skip
    with connect(lake) as connection:
        told = ask(connection, "SELECT hidden, redaction, error, gaps FROM pulls").rows[0]
    assert json.loads(told[0]) == {"email": 1, "github token": 1, "slack token": 1,
                                   "stripe access key": 1}  # fmt: skip
    assert told[1] == lake.redactor.digest
    assert landed.hidden == json.loads(told[0])
    everything = _everything(tmp_path)
    for value in (b"bob@example.org", b"ghp_", b"xoxb", b"sk_live"):
        assert value not in everything
    assert lake.bookmark("jira").cursor == Cursor(f'{{"bob": "{SECRETS["github"]}"}}')


def test_a_pattern_of_ours_does_not_break_a_record(tmp_path: Path) -> None:
    rule = Rule("hex", "ids are personal here", patterns=("[0-9a-f]{8,}",))
    lake = Lake.create(tmp_path / "lake", clock=Clock(), redactor=Redactor((rule,), KEY))
    record = replace(pull(1, START), pull_id="0123456789abcdef", error="at 0123456789abcdef")
    lake.land("jira", [item(1)], bookmark=lake.bookmark("jira"), pull_id=record.pull_id,
              cursor=Cursor("c"), pull=record)  # fmt: skip
    with connect(lake) as connection:
        ((name, error),) = ask(connection, "SELECT pull_id, error FROM pulls").rows
    assert name == "0123456789abcdef"
    assert "0123456789abcdef" not in error


def test_a_lost_state_does_not_give_away_the_digest_of_what_was_hidden(tmp_path: Path) -> None:
    """The digest over a payload of which one short member is unknown is found by trying."""
    rule = Rule("pin", "secret", fields=("$.pin",))
    lake = Lake.create(tmp_path / "lake", clock=Clock(), redactor=Redactor((rule,), KEY))
    state = item(1, payload={"pin": "4711"})
    for number, seen in enumerate([[state], []]):
        bookmark = lake.bookmark("jira")
        items, after = Snapshot.read(bookmark.cursor).compare(
            seen, at=START + days(1), source="jira"
        )
        lake.land("jira", items, bookmark=bookmark, cursor=after.cursor(), pull_id=f"p{number}")
    with connect(lake) as connection:
        gone = ask(connection, "SELECT payload FROM evidence WHERE change = 'gone'").rows
    assert len(gone) == 1
    assert state.content_sha256.encode() not in _everything(tmp_path)


def test_a_hidden_value_is_proved_with_the_key_and_checked_without(tmp_path: Path) -> None:
    value = SECRETS["github"]
    done = _redacted(item(1, payload={"t": [f"x {value}"]}))
    row = {"payload": done.content.decode(), "item_id": done.item_id}
    row |= {name: getattr(done, name) for name in ("title", "actor", "locator", "subject")}
    proof = prove(KEY, row, value)
    assert proof.why == "github token"
    assert check_revealed(row, proof.salt, value)
    assert not check_revealed(row, proof.salt, value + "x")
    assert not check_revealed(row, "00" * 32, value)
    (tmp_path / "v").write_bytes(bytes.fromhex(proof.salt) + value.encode())
    told = subprocess.run(["openssl", "sha256", "-r", str(tmp_path / "v")], capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert f"sha256:{told.stdout.split()[0]}" == proof.digest
    with pytest.raises(LakeError, match="does not hide"):
        prove(KEY, row, "something else")


def test_the_key_is_kept_private_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "redaction.key"
    make_redaction_key(path)
    key = load_redaction_key(path)
    assert key is not None
    assert path.stat().st_mode & 0o777 == 0o600
    secret = path.read_text().strip().rpartition("+")[2]
    assert secret not in repr(key)
    with pytest.raises(LakeError, match="not replaced"):
        make_redaction_key(path)
    path.write_text(path.read_text().replace(secret, secret[:-4] + "AAA="))
    with pytest.raises(LakeError, match="no redaction key") as refused:
        load_redaction_key(path)
    assert secret[:10] not in str(refused.value)
    path.chmod(0o644)
    with pytest.raises(LakeError, match="chmod 600"):
        load_redaction_key(path)


def _land(lake: Lake, one: EvidenceItem) -> None:
    lake.land(one.source, [one], bookmark=lake.bookmark(one.source), cursor=Cursor(one.subject),
              pull_id="p")  # fmt: skip


def _everything(folder: Path) -> bytes:
    """All bytes of all files, Parquet columns as DuckDB reads them."""
    import duckdb

    raw = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    for path in folder.rglob("*.parquet"):
        if "_delta_log" not in path.parts:
            raw += repr(duckdb.read_parquet(str(path)).fetchall()).encode()
    return raw
