"""What a writer claims, held against the items: what stands, and what falls for which reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence.draft import Flaw, Given, Matter, Task
from evidence.suggestion import AskedModel
from flows._draft import abstain, checks, writers
from flows._draft.checks import Checked, Claim, check
from flows._draft.given import passages, record, short_ids
from flows._draft.measure import FALSE, TRUE, UNTOLD, measure, sentences
from flows._draft.text import markdown, plain
from flows._draft.writers import Chat, Extract, read_answer
from tests.flows.conftest import said as run

DAY = datetime(2026, 11, 3, 8, tzinfo=UTC)
BIAS, TONER, DRIFT, OLD = "b" * 64, "a" * 64, "d" * 64, "c" * 64


def given(
    item_id: str, title: str, *, outcome: str = "recorded", flaws: tuple[str, ...] = (),
    system: str = "loan-model", **payload: object,
) -> Given:  # fmt: skip
    row = {"item_id": item_id, "title": title, "subject": "s", "actor": "Ada Brandt",
           "payload": json.dumps(payload)}  # fmt: skip
    return Given(
        item_id, "notes", "acme.check", system, title, outcome, DAY, passages(row),
        tuple(Flaw(word, f"it is {word}") for word in flaws), () if flaws else ("counts",),
    )  # fmt: skip


ITEMS = (
    given(BIAS, "Bias test of loan-model", outcome="passed", gap=0.03,
          text="The gap between groups was 3% over 1,204 cases. It was not approved by Ben."),
    given(TONER, "Toner low", text="The printer wants toner. All is well, says the vendor."),
    given(DRIFT, "Drift check", outcome="failed", flaws=("failed",),
          text="Drift over the limit of 0.2 was found on 2026-11-02."),
    given(OLD, "Review of the AI policy", flaws=("stale",),
          text="The policy was reviewed by its owner. Everything was unknown."),
)  # fmt: skip
KNOWN = {one.item_id: one for one in ITEMS}
GAP, PRINTER = "The gap between groups was 3% over 1,204 cases.", "The printer wants toner."
FOUND, REVIEWED = "Drift over the limit of 0.2 was found", "The policy was reviewed by its owner."


def verdict(text: str, *cites: tuple[str, str]) -> str:
    made = check(Claim(text, cites), KNOWN)
    return made if isinstance(made, str) else ""


HONEST = [
    ("The bias test found a gap between groups of 3% over 1,204 cases.", BIAS, GAP),
    ("On 2026-11-03 the bias test of loan-model passed.", BIAS, "Bias test of loan-model"),
    ("It was not approved by Ben.", BIAS, "It was not approved by Ben."),
    ("Drift over the limit of 0.2 was found.", DRIFT, FOUND),
    ("The drift check failed on 2026-11-03.", DRIFT, "Drift check"),
    ("The policy was reviewed by its owner.", OLD, REVIEWED),
    ("The gap of the bias test was 0.03.", BIAS, "0.03"),
    ("The printer of the vendor wants toner.", TONER, PRINTER),
]
LIES = [
    ("The gap was 2% over 1,204 cases.", BIAS, GAP, checks.NUMBER),
    ("The gap between groups was 3% over twelve cases.", BIAS, GAP, checks.NUMBER),
    ("The gap between groups was found on 2026-11-04.", BIAS, GAP, checks.NUMBER),
    ("The gap between groups was 0.03 over cases.", BIAS, GAP, checks.NUMBER),
    ("Carol found the gap between groups of 3%.", BIAS, GAP, checks.NAME),
    ("The gap between groups of credit_model was 3%.", BIAS, GAP, checks.NAME),
    ("The gap between groups was 3% in all cases.", BIAS, GAP, checks.WHOLE),
    ("It was approved by Ben.", BIAS, "It was not approved by Ben.", checks.DENIES),
    ("The policy was not reviewed by its owner.", OLD, REVIEWED, checks.DENIES),
    ("Everything was known.", OLD, "Everything was unknown.", checks.DENIES),
    ("The drift check passed.", DRIFT, "Drift check", checks.PASSED),
    ("The printer of the vendor passed.", TONER, PRINTER, checks.PASSED),
    ("The bias test of loan-model failed.", BIAS, "Bias test of loan-model", checks.FAILED),
    ("The policy is currently reviewed by its owner.", OLD, REVIEWED, checks.NOT_NOW),
    ("The review of the policy is up to date.", OLD, REVIEWED, checks.NOT_NOW),
    ("The gap between groups is compliant.", BIAS, GAP, checks.CONFORMS),
    ("The bias test meets the requirements.", BIAS, GAP, checks.CONFORMS),
    ("The bias test is in line with ISO/IEC 42001.", BIAS, GAP, checks.CONFORMS),
    ("The bias test is non-compliant.", BIAS, GAP, checks.CONFORMS),
    ("Der Test ist konform und zertifiziert.", BIAS, GAP, checks.CONFORMS),
    ("The bias test of loan-model was robust.", BIAS, GAP, checks.JUDGES),
    ("The gap between groups harms nobody but a few.", BIAS, GAP, checks.WHOLE),
    ("The bias test of loan-model frees customers from discrimination.", BIAS, GAP, checks.FOREIGN),
    ("Our training data are free from discrimination.", TONER, PRINTER, checks.FOREIGN),
    ("The printer wants toner. The bias test ran.", TONER, PRINTER, checks.SEVERAL),
    ("The gap is com\u200bpliant.", BIAS, GAP, checks.UNSEEN),
    ("The gap is \u0441ompliant.", BIAS, GAP, checks.UNSEEN),
    ("The gap is c o m p l i a n t.", BIAS, GAP, checks.CONFORMS),
    ("The bias test is com-pliant.", BIAS, GAP, checks.CONFORMS),
    ("The gap is ｃｏｍｐｌｉａｎｔ.", BIAS, GAP, checks.CONFORMS),
    ("The gap is ᴄᴏᴍᴘʟɪᴀɴᴛ.", BIAS, GAP, checks.UNSEEN),
    ("The gap is c\u0336ompliant.", BIAS, GAP, checks.UNSEEN),
    ("\u2705 The gap between groups was 3%.", BIAS, GAP, checks.UNSEEN),
    ("The gap between groups\nwas 3%.", BIAS, GAP, checks.UNSEEN),
    ("The gap between groups was 3%.", "e" * 64, GAP, checks.NO_ITEM),
    ("The gap between groups was 3%.", BIAS, "The gap was small", checks.NO_QUOTE),
    ("The gap between groups was 3%.", BIAS, "ap between groups was 3%", checks.NO_QUOTE),
    ("The gap between groups was 3%.", BIAS, "gap", checks.NO_QUOTE),
    ("The gap between groups was 3%.", BIAS, "the gap between groups", checks.NO_QUOTE),
    ("The gap between groups was 3%.", TONER, GAP, checks.OTHERS),
    ("The printer " * 60, TONER, PRINTER, checks.TOO_LONG),
]  # fmt: skip


@pytest.mark.parametrize(("text", "item", "quote"), HONEST, ids=lambda one: str(one)[:40])
def test_what_the_items_bear_out_stands(text: str, item: str, quote: str) -> None:
    assert verdict(text, (item, quote)) == ""


@pytest.mark.parametrize(("text", "item", "quote", "why"), LIES)
def test_what_they_do_not_falls(text: str, item: str, quote: str, why: str) -> None:
    assert verdict(text, (item, quote)) == why


def test_a_sentence_without_a_cite_and_one_of_two_items() -> None:
    assert verdict("The printer wants toner.") == checks.UNCITED
    both = "The bias test found a gap between groups and the printer wants toner."
    assert verdict(both, (BIAS, GAP), (TONER, PRINTER)) == ""
    wrong = "The bias test and the drift check passed."
    cites = ((BIAS, "Bias test of loan-model"), (DRIFT, "Drift check"))
    assert verdict(wrong, *cites) == checks.PASSED, "one of them failed"


def matter(*items: Given) -> Matter:
    return Matter(Task.SUMMARY, "Evidence summary: A.2.4", "What is shown?", items)


def answer(*entries: object) -> str:
    return json.dumps({"sentences": entries})


def test_an_answer_is_read_as_a_strangers() -> None:
    about = matter(*ITEMS)
    (name,) = [short for short, whole in short_ids(about).items() if whole == BIAS]
    good = {"text": " The gap. ", "cites": [{"id": name, "quote": GAP}]}
    for text in ("", "no", "[1]", '{"sentences": 3}', "[" * 100_000, "x" * 200_000, '"\\ud800"'):
        assert read_answer(text, about, 5) == ([], [writers.UNREADABLE])
    bad = [1, {}, {"text": 1, "cites": []}, {"text": "x"}, {"text": "x", "cites": [{"id": 1}]}]
    claims, unread = read_answer("```json\n" + answer(good, *bad, good) + "\n```", about, 6)
    assert claims == [Claim("The gap.", ((BIAS, GAP),))]
    assert unread == [checks.INCOMPLETE] * 5 + [writers.TOO_MANY]


def test_what_a_model_is_given_is_bounded_and_ids_stay_apart() -> None:
    long = given("b" * 63 + "c", "x", text="y" * 9_000)
    told = json.loads(record(matter(ITEMS[0], long)))
    assert [len(item["id"]) for item in told["items"]] == [64, 64], "they differ in the last sign"
    assert sum(len(text["text"]) for text in told["items"][1]["texts"]) <= 3_000
    assert told["items"][0]["standing"] == "counts"


def said(item: Given, text: str, quote: str) -> dict[str, object]:
    return {"text": text, "cites": [{"id": item.item_id[:12], "quote": quote}]}


@pytest.mark.parametrize(
    ("written", "why"),
    [
        pytest.param(answer(), abstain.SILENT, id="empty"),
        pytest.param("All is compliant.", abstain.SILENT, id="prose"),
        pytest.param("", abstain.SILENT, id="silent"),
        pytest.param(answer(said(ITEMS[3], REVIEWED, REVIEWED)), abstain.STALE_ONLY, id="stale"),
        pytest.param(
            answer(said(ITEMS[1], PRINTER, PRINTER), "x", "y"), abstain.TOO_FEW, id="too few"
        ),
        pytest.param(answer(said(ITEMS[1], PRINTER, PRINTER), "x"), "", id="enough"),
        pytest.param(
            answer(said(ITEMS[2], "The drift check failed.", "Drift check")), abstain.STALE_ONLY,
            id="a failure that counts for nothing",
        ),
    ],
)  # fmt: skip
def test_it_abstains_where_too_little_stands(written: str, why: str) -> None:
    about = matter(*ITEMS)
    found = Chat(lambda orders, given: written, "m-1", "0" * 64, 9).write(about)
    assert abstain.thin(about, found) == why


def test_it_abstains_before_anybody_is_asked() -> None:
    assert abstain.hopeless(matter()) == abstain.NOTHING
    assert abstain.hopeless(matter(ITEMS[3])) == abstain.OUT_OF_DATE
    assert abstain.hopeless(matter(ITEMS[3], ITEMS[1])) == ""


def test_code_alone_sets_down_what_items_say() -> None:
    hostile = given("e" * 64, "We are ISO certified")
    found = Extract("code-1", 9).write(matter(*ITEMS, hostile))
    assert [one.text for one in found.sentences] == [
        "“Bias test of loan-model” was observed for loan-model on 2026-11-03 with the outcome "
        "passed.",
        "“Toner low” was observed for loan-model on 2026-11-03 and recorded.",
        "“Drift check” was observed for loan-model on 2026-11-03 with the outcome failed.",
        "“Review of the AI policy” was observed for loan-model on 2026-11-03 and recorded.",
        "An item of kind acme.check was observed for loan-model on 2026-11-03 and recorded.",
    ]
    assert found.dropped == {}, "no item is passed over"


def test_how_items_stand_is_said_by_code_and_failures_cannot_be_left_out() -> None:
    review = check(Claim(REVIEWED, ((OLD, REVIEWED),)), KNOWN)
    assert not isinstance(review, str)
    model = AskedModel("m-1", "0" * 64, "1" * 64)
    text = markdown(matter(*ITEMS), Checked((review,), {checks.NAME: 2}), model)
    assert f"- {REVIEWED} \\[1\\] **(\\[1\\] out of date)**" in text
    assert "failed and in no sentence: Drift check" in text
    assert "2 items were read and are in no sentence" in text
    assert "Left out: 2 sentences" in text
    assert "Drafted by the model m-1 from 4 of 4 items. A draft is no evidence" in text


def test_words_of_strangers_are_no_markup() -> None:
    hostile = (
        "[a](https://evil.example) <b>x</b>\n# h *i* `j` www.evil.example a@b.example\x1b\u202e"
    )
    shown = plain(hostile)
    assert "://" not in shown
    assert "\n" not in shown
    assert not {"\x1b", "\u202e"} & set(shown)
    assert "\\[a\\]" in shown
    assert "\\<b\\>" in shown
    assert "www\\.evil" in shown
    assert "a\\@b" in shown


def test_measured_by_labelled_sentences() -> None:
    """The figures of docs/drafting.md; what no code can tell is named, and shown to be so."""
    found = measure(sentences())
    false, true = found.many(FALSE), found.many(TRUE)
    text = (Path(__file__).parents[2] / "docs" / "drafting.md").read_text(encoding="utf-8")
    page = " ".join(text.split())
    fall = false - found.standing(FALSE)
    assert f"{fall} of {false} false ones fall" in page
    assert f"{found.standing(TRUE)} of {true} true ones stand" in page
    assert found.standing(UNTOLD) == found.many(UNTOLD), "else the page may say so"
    assert len(found.wrong) == false - fall + true - found.standing(TRUE)
    assert sum(found.reasons.values()) == fall
    told = run("draft", "measure").stdout
    assert f"true: {found.standing(TRUE)} of {true} stand\nfalse: {fall} of {false} fall\n" in told
    assert told.count("\nwrong, line ") == len(found.wrong)
    shown = json.loads(run("draft", "measure", "--json").stdout)
    assert shown["false"] == {"sentences": false, "stand": found.standing(FALSE)}
    assert len(shown["wrong"]) == len(found.wrong)


OWN = """\
items:
  - {id: "1", title: Bias check, day: 2026-11-05, outcome: failed, flaws: [failed], texts: {n: A}}
"true":
  - {item: "1", text: The bias check failed., quotes: [Bias check]}
"false":
  - {item: "1", text: The bias check passed., quotes: [Bias check]}
"""


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("", "", ""),
        ("The bias check passed", "The bias check failed", "line 6: false and stands: The bias"),
        ("The bias check failed", "Ben failed", "line 4: true and falls, as it has a name"),
        ('item: "1"', 'item: "9"', "own.yaml:4: no item has the id '9'; known: 1"),
        ("outcome: failed", "outcome: bad", "outcome 'bad' is none of passed"),
        ("flaws: [failed]", "flaws: [odd]", "flaw 'odd' is none of"),
        ("2026-11-05", "soon", "day must be YYYY-MM-DD"),
        ("quotes: [Bias check]", "quote: x", "own.yaml:4: "),
    ],
)
def test_sentences_of_ones_own_are_measured(tmp_path: Path, old: str, new: str, why: str) -> None:
    (tmp_path / "own.yaml").write_text(OWN.replace(old, new) if old else OWN)
    done = run("draft", "measure", "--sentences", tmp_path / "own.yaml")
    told = done.stdout + done.stderr
    assert why in told
    assert done.returncode == (1 if "own.yaml" in why or "none of" in why or "day" in why else 0)
    if not why:
        assert "true: 1 of 1 stand\nfalse: 1 of 1 fall\n" in told
        assert "wrong" not in told
