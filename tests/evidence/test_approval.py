"""Whose approval a text asks for, and which approval is one of this very text."""

from __future__ import annotations

from typing import Any

import pytest

from evidence.approval import Approval, Asked, Strength, asks, flaws, state, text_of
from evidence.errors import InvalidItem
from evidence.people import accounts, known_as

FIELDS: dict[str, Any] = {
    "title": "AI policy", "owner": "Lena Holm", "approvers": ["Ada Brandt", "Ben Ode", "Cy Poe"],
    "quorum": 2, "reviewed": "2026-11-02",
}  # fmt: skip
TEXT = text_of(FIELDS, "ab")


def given(by: str, sha256: str = TEXT, *, withdrawn: bool = False) -> Approval:
    return Approval("p.md", by, sha256, withdrawn)


@pytest.mark.parametrize(
    ("approvals", "holds", "sentence"),
    [
        ([], False, "approved by 0 of 2; it waits for Ada Brandt or Ben Ode or Cy Poe"),
        ([given("ADA  brandt"), given("Ada Brandt")], False,
         "approved by 1 of 2 (Ada Brandt); it waits for Ben Ode or Cy Poe"),
        ([given("Ada Brandt"), given("Lena Holm"), given("Stranger")], False,
         "approved by 1 of 2 (Ada Brandt); it waits for Ben Ode or Cy Poe"),
        ([given("Ada Brandt"), given("Ben Ode", withdrawn=True)], False,
         "approved by 1 of 2 (Ada Brandt); it waits for Ben Ode or Cy Poe"),
        ([given("Ada Brandt"), given("Ben Ode", "0" * 64)], False,
         "approved by 1 of 2 (Ada Brandt); Ben Ode approved another text than this one; it waits "
         "for Ben Ode or Cy Poe"),
        ([given("Cy Poe"), given("Ben Ode")], True, "approved by 2 of 2 (Ben Ode, Cy Poe)"),
    ],
    ids=["nobody", "twice", "not asked", "withdrawn", "another text", "enough"],
)  # fmt: skip
def test_only_named_people_count_each_once_and_of_this_text(
    approvals: list[Approval], holds: bool, sentence: str
) -> None:
    found = state(Asked.read(FIELDS), TEXT, approvals)
    assert (found.holds, found.sentence) == (holds, sentence)


@pytest.mark.parametrize(
    "change",
    [{"approvers": ["Ada Brandt"]}, {"quorum": 1}, {"title": "X"}, {"owner": "Ada"},
     {"new": "field"}],
    ids=["approvers", "quorum", "title", "owner", "field"],
)  # fmt: skip
def test_every_word_is_approved_also_who_must_approve(change: dict[str, Any]) -> None:
    assert text_of(FIELDS | change, "ab") != TEXT
    assert text_of(FIELDS, "ac") != TEXT


def test_that_it_was_read_again_changes_no_text() -> None:
    assert text_of(FIELDS | {"reviewed": "2027-01-01", "approved": "2027-01-01"}, "ab") == TEXT


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"approvers": ""}, "approvers names nobody"),
        ({"approvers": ["Ada Brandt", "ada brandt"]}, "names somebody twice"),
        ({"approvers": ["Ada Brandt", "LENA Holm"]}, "names the owner"),
        ({"quorum": 4}, "quorum must be a number from 1 to 3"),
        ({"quorum": "most"}, "quorum must be a number from 1 to 3"),
        ({"quorum": 0}, "quorum must be a number from 1 to 3"),
        ({"quorum": "\u00b2"}, "quorum must be a number from 1 to 3"),
        ({"quorum": "9" * 5000}, "quorum must be a number from 1 to 3"),
        ({"approvers": ["Ada Brandt", "Ada\ufe0f Bran\u034fdt"]}, "names somebody twice"),
    ],
)
def test_who_asks_wrongly_is_told(change: dict[str, Any], why: str) -> None:
    assert asks(FIELDS | change)
    with pytest.raises(InvalidItem, match=why):
        Asked.read(FIELDS | change)


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        (["Ada Brandt", "ada-b"], 1),
        (["Ada Brandt", "ADA@acme.example"], 1),
        (["Ada Brandt", "Ada Brandt <other@acme.example>"], 1),
        (["Ada Brandt", "A. Brandt <ada@acme.example>"], 1),
        (["Ada Brandt", "lena-h", "Ben Ode"], 2),
        (["Ada Brandt", "shared@acme.example"], 2),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_one_person_under_two_names_is_not_two_of_a_quorum(asked: list[str], held: int) -> None:
    roles: list[dict[str, object]] = [
        {"person": "Ada Brandt", "login": "Ada-B", "mail": "ada@acme.example"},
        {"person": "Lena Holm", "login": "lena-h", "mail": "shared@acme.example"},
        {"person": "Ben Ode", "mail": "shared@acme.example"}, {"person": None, "login": "ben-o"},
    ]  # fmt: skip
    whose = accounts(roles)
    wanted = Asked.read(FIELDS | {"approvers": asked, "quorum": 2}).by_person(whose)
    told = state(wanted, TEXT, [given(known_as(name, whose)) for name in asked])
    assert (len(told.by), told.holds) == (held, held == 2)


def test_without_a_quorum_all_must() -> None:
    assert Asked.read(FIELDS | {"quorum": None}).quorum == 3
    assert Asked.read({"approvers": "Ada Brandt, Ben Ode"}).quorum == 2
    assert not asks({"approvers": "", "quorum": None})


def test_an_approval_that_lacks_something_is_none() -> None:
    assert flaws({"by": "Ada", "sha256": "xyz"}) == (
        "of is missing", "at is missing",
        "sha256 is no digest: `headwater documents approve` writes it",
    )  # fmt: skip
    with pytest.raises(InvalidItem, match="by names nobody"):
        Approval.read({"of": "a", "by": "\u200b", "at": "2026-11-02", "sha256": "a" * 64})


def test_the_strongest_that_counts_is_told() -> None:
    claimed = Approval(
        "p.md", "Ben Ode", TEXT, strength=Strength.CLAIMED, writer="Ann", counts=False
    )
    unsigned = Approval("p.md", "Ben Ode", TEXT, strength=Strength.UNSIGNED)
    signed = Approval("p.md", "Ben Ode", TEXT, strength=Strength.SIGNED)
    asked = Asked(("Ben Ode",), 1)
    alone = state(asked, TEXT, [claimed])
    assert (alone.holds, alone.claimed) == (False, (("Ben Ode", "Ann"),))
    told = "approved by 0 of 1; Ann wrote that Ben Ode approved it: claimed, not counted; it waits"
    assert alone.sentence.startswith(told)
    assert state(asked, TEXT, [claimed, unsigned, signed]).resting == [("Ben Ode", "signed")]
    assert (
        state(asked, TEXT, [claimed, unsigned]).sentence == "approved by 1 of 1 (Ben Ode: unsigned)"
    )
