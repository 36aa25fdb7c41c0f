"""What registers may hold is told in one place, and fits what is there already."""

from __future__ import annotations

import re

import pytest

from evidence import attestation, audits, requests, waiver
from evidence.fields import HEADER, Form, Register, told_once, wrong_fields
from evidence.registers import REGISTERS, register_called, register_meant


@pytest.mark.parametrize("register", REGISTERS, ids=lambda one: one.name)
def test_a_register_is_told_whole(register: Register) -> None:
    names = [one.name for one in register.of_record]
    assert len(names) == len(set(names))
    assert "id" not in names, "each record has one anyway"
    assert all(one.what and not one.what.endswith(".") for one in register.of_record)
    assert all(bool(one.words) >= (one.form is Form.WORD) for one in register.of_record)
    for one in register.of_record:
        assert all(register_called(name) is not None for name in one.names), one


def test_no_name_means_two_registers() -> None:
    names = [name for one in REGISTERS for name in (one.name, *one.also)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "names",
    [set(audits.CALLED), set(requests.REGISTERS), attestation.REGISTERS, waiver.REGISTERS],
    ids=["audits", "requests", "attestations", "waivers"],
)
def test_what_other_rooms_read_is_known(names: set[str]) -> None:
    assert all(register_called(name) is not None for name in names)


def test_words_are_those_that_are_judged_by() -> None:
    words = {
        ("findings", "grade"): audits.GRADES, ("certification", "stage"): audits.STAGES,
        ("requests", "state"): requests.STATES,
    }  # fmt: skip
    for (register, name), known in words.items():
        found = register_called(register)
        assert found is not None
        field = found.field(name)
        assert field is not None
        assert field.words == known


ONE_OF = re.compile(r"[\w-]+(?:, [\w-]+)*,? or [\w-]+")


def test_where_a_field_says_its_words_it_holds_no_others() -> None:
    said = [one for register in REGISTERS for one in register.fields
            if ONE_OF.fullmatch(one.what) and one.form is Form.TEXT]  # fmt: skip
    assert said == []
    words = {one.name for register in REGISTERS for one in register.fields if one.words}
    assert words >= {"severity", "treatment", "criticality", "implemented", "grade", "state"}


@pytest.mark.parametrize(
    ("register", "fields", "told"),
    [
        ("objectives", {"due": "2026-01-01", "target": 0.8, "metrics": ["M-1"]}, ""),
        ("incidents", {"severity": "mayor"}, ": is major meant?"),
        ("incidents", {"severity": "Major"}, ""),
        ("incidents", {"severity": "P1"}, "`severity` is 'P1': write one of"),
        ("soa", {"implemented": True}, ""),
        ("soa", {"implemented": "partially"}, "is partly meant?"),
        ("ai_systems", {"in_use_since": "planned"}, ""),
        ("ai_systems", {"in_use_since": "plnned"}, "or a time with its zone, or planned"),
        ("objectives", {"due": "Q3"}, "`due` is 'Q3': write YYYY-MM-DD"),
        ("objectives", {"due": "2026-02-30"}, "`due` is '2026-02-30'"),
        ("objectives", {"due": "FILL IN YYYY-MM-DD"}, ""),
        ("objectives", {"due": "", "owner": None}, ""),
        ("objectives", {"title": {"a": 1}}, "`title` holds a list or a mapping"),
        ("objectives", {"metrics": "M-1, M-2"}, ""),
        ("objectives", {"metrics": [["M-1"]]}, "`metrics` is no list of texts"),
        ("soa", {"applicable": False}, ""),
        ("soa", {"applicable": "no"}, "`applicable` is the text 'no'"),
        ("suppliers", {"critical": "yes"}, ""),
        ("suppliers", {"critical": "perhaps"}, "`critical` is 'perhaps': write true or false"),
        ("suppliers", {"models": [{"name": "m", "last_seen": 2}]}, ""),
        ("suppliers", {"models": "m"}, "`models` is 'm': write a list of {name, last_seen}"),
        ("suppliers", {"models": [{"version": 2}]}, "write a list of {name, last_seen}"),
        ("population", {"least": "3"}, ""),
        ("population", {"least": "many"}, "`least` is 'many': write a number"),
        ("findings", {"grade": "Minor"}, ""),
        ("findings", {"grade": "bad"}, "write one of major, minor, observation, opportunity"),
        ("incidents", {"severity": "Serious"}, ""),
        ("incidents", {"severity": "kritisch"}, "write one of critical, major, serious, minor"),
        ("incidents", {"told": [{"to": "authority"}]}, ""),
        ("incidents", {"told": ["authority"]}, "write a list of mappings"),
        ("requests", {"with": {"since": "2026-01-01"}}, ""),
        ("requests", {"sample": "A.2.2"}, "`sample` is 'A.2.2': write a mapping"),
        ("risks", {"own_words": {"deep": [1]}}, ""),
    ],
)  # fmt: skip
def test_a_field_holds_what_its_form_says(
    register: str, fields: dict[str, object], told: str
) -> None:
    known = register_called(register)
    assert known is not None
    wrong = [why for _, why in wrong_fields(known.of_record, fields)]
    assert len(wrong) == bool(told), wrong
    assert not told or told in wrong[0]


def test_a_header_is_asked_too() -> None:
    assert [name for name, _ in wrong_fields(HEADER, {"next_review": "soon", "mood": 1})] == [
        "next_review"
    ]


def test_one_flaw_is_told_once() -> None:
    told = told_once(["line 3: `due` is 'x': write it"], ["`due` is no day", "has no `owner`"])
    assert told == ("line 3: `due` is 'x': write it", "has no `owner`")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Incident", "incidents"), ("RISKS", "risks"), ("ai systems", "ai_systems"),
     ("incidnets", "incidents"), ("risks", ""), ("datasets", ""), ("metadata", ""), ("teams", ""),
     ("", ""), ("\u200b", "")],
)  # fmt: skip
def test_a_known_register_under_another_name_is_found(name: str, meant: str) -> None:
    assert register_meant(name) == meant
