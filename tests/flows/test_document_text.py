"""The text of a rendered document says what is so, whatever its front matter was made to say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from collectors._git.register_files import read_document
from evidence.documents import Drift, Facts, Rendered
from flows.document_text import text_drifts
from mappings.documents import Template, load_templates
from mappings.rendering import Document, lines_then, render
from tests.mappings.test_documents import NEED, NOTHING, SHIPPED, SYSTEM, own

OWN = (
    '---\ntitle: T\ndoc_type: policy\nserves: ["5.2"]\nfacts: [systems, alerts]\n'
    "owner: [top]\n---\n"
    "# Ours\n\nWe mean it.\n\n## Systems\n\nFILL IN what for.\n\n| id | owner |\n|---|---|\n"
    "{% for id, one in systems.items() %}\n"
    '| {{ id }} | {{ one.owner | or_fill_in("an owner") }} |\n{% endfor %}\n\n'
    "{% if alerts %}\nSomebody is told.\n{% endif %}\n\n"
    '## Who\n\n{{ who("top") | or_fill_in("who") }} answers\nfor it.\n'
)


def known(owners: Mapping[str, str], top: str = "Ada", **more: Any) -> Facts:
    systems = {name: SYSTEM | {"owner": owner} for name, owner in owners.items()}
    role = {"role": "top management", "person": top, "system": "", "duties": ""}
    return NOTHING | {"systems": systems, "roles": {"top": role}} | more


def read(text: str) -> dict[str, Any]:
    text = text.replace("draft: true\n", "", 1).replace("FILL IN YYYY-MM-DD", "2026-11-02")
    (one,) = read_document("documents/a.md", text.replace("FILL IN", "Said").encode())
    return dict(one.payload)


def drifts(now: Document, text: str, template: Template, before: Sequence[str] = ()) -> list[str]:
    fields = read(text)
    versions = [{"rendered": one["rendered"], "body": one["body_sha256"]}
                for one in (*map(read, before), fields)]  # fmt: skip
    row = {"fields": fields, "versions": versions}
    return [one.sentence for one in text_drifts(row, template, now, "")]


def over(made: Document, body: str) -> str:
    """The front matter of one rendering over another text."""
    return made.text.removesuffix(made.body) + body


@pytest.fixture
def template(tmp_path: Path) -> Template:
    return own(tmp_path, OWN)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_what_was_rendered_agrees_with_itself(name: str) -> None:
    template = SHIPPED[name]
    facts = known({"triage": "Lena"})
    made = render(template, facts, "triage" if template.each else "")
    assert not re.search("[\ue000-\ue002]", made.text)
    assert drifts(made, made.text, template) == []


FULL = NOTHING | {
    "roles": {
        "top": {"role": "top management", "person": "Ada", "system": "", "duties": ""},
        "aims": {"role": "management system owner", "person": "Lena", "system": "", "duties": ""},
    },
    "systems": {"triage": SYSTEM, "two": SYSTEM | {"name": "", "owner": ""}},
    "sources": {"git": {"collector": "GitRegisters", "schedule": "0 * * * *", "timezone": "UTC"}},
    "gates": {"code": {"repositories": "a/b", "environments": "prod", "signers": "Ada"}
              | dict.fromkeys(("branches", "approved_statuses", "change_types", "independent_of",
                               "preapproved_types"), "")},
    "alerts": {"work": {"kind": "webhook", "severities": "failed", "systems": "",
                        "after": "at once", "repeat": "", "digest": ""}},
    "registers": {"risks": {"owner": "Lena", "approved_by": ""}},
    "objectives": {"O-1": {"title": "Fast", "measure": "", "target": "5", "owner": "", "due": ""}},
    "suppliers": {"s": {"name": "S", "service": "x", "owner": "", "theirs": "", "ours": "o",
                        "terms": ""}},
    "parties": {"p": {"name": "P", "needs": ""}},
    "soa": {"A.10.4": {"applicable": "False", "reason": "No customers", "owner": ""}},
    "audits": {"a": {"title": "A", "auditor": "", "planned": "2026-01-01"}},
    "retention": {"r": {"kinds": "k", "keep": "3 years", "reason": ""}},
    "deadlines": {"GDPR 33": {"told": "72 hours"}},
    "evidence": {f"{number} policy": NEED | {"control": number, "changed": "x", "sources": "git"}
                 for one in SHIPPED.values() for number in one.serves},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_what_was_told_then_is_made_again_from_the_front_matter(name: str) -> None:
    template = SHIPPED[name]
    system = "triage" if template.each else ""
    made = render(template, FULL, system)
    then = Rendered.read(yaml.safe_load(yaml.safe_dump(made.made.told())))
    assert then is not None
    # What landed has its keys in order: so have the rows of its tables.
    assert sorted(one.parts for one in lines_then(template, then, system)) == sorted(
        one.parts for one in made.lines
    )
    assert drifts(made, made.text, template) == []
    assert made.lines


def test_a_newer_front_matter_over_an_old_text_is_no_agreement(template: Template) -> None:
    old = render(template, known({"triage": "Lena", "two": "Ben"}, alerts={"work": {"kind": "x"}}))
    new = render(template, known({"triage": "Omar"}, top="Eve"))
    copied = over(new, old.body)
    assert drifts(new, copied, template, [old.text]) == [
        "its text below “Systems” lacks “| triage | Omar |”",
        "its text below “Who” lacks “Eve answers”",
        "its text below “Systems” still says “| triage | Lena |”",
        "its text below “Systems” still says “| two | Ben |”",
        "its text below “Systems” still says “Somebody is told.”",
        "its text below “Who” still says “Ada answers”",
    ]
    owned = new.text.replace("owner: Eve", "owner: Ada")
    assert drifts(new, owned, template, [old.text]) == ["owner was “Ada”, is “Eve”"]


def test_people_add_what_they_like(template: Template) -> None:
    made = render(template, known({"triage": "", "two": "Ben"}))
    body = made.body.replace("We mean it.", "We **really** mean it.\n\n- one more word")
    body = body.replace("FILL IN what for.", "To sort.\n\n## By hand\n\nNothing.\n\n## Systems")
    body = body.replace("| FILL IN an owner |", "| Somebody, said here |")
    padded = body.replace("| two | Ben |", "| two    | Ben   |\n| three | not ours |")
    assert drifts(made, over(made, padded), template, [made.text]) == []
    retitled = padded.replace("## Who", "## Responsible")
    assert drifts(made, over(made, retitled), template) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("| two | Ben |", ""),
        ("| two | Ben |", "| two | not Ben |"),
        ("| two | Ben |", "<!-- | two | Ben | -->"),
        ("| two | Ben |", "<!--\n| two | Ben |\n-->"),
        ("| two | Ben |\n\n", "\n## More\n\n| two | Ben |\n\n"),
    ],
    ids=["out", "other", "hidden", "hidden-lines", "elsewhere"],
)
def test_what_a_fact_says_stands_in_sight_and_in_place(
    template: Template, old: str, new: str
) -> None:
    made = render(template, known({"triage": "Lena", "two": "Ben"}))
    assert old in made.body
    assert drifts(made, over(made, made.body.replace(old, new)), template) == [
        "its text below “Systems” lacks “| two | Ben |”"
    ]


def test_two_rows_alike_are_two_rows(tmp_path: Path) -> None:
    text = OWN.replace("| {{ id }} |", "| x |")
    template = own(tmp_path, text)
    made = render(template, known({"one": "Ben", "two": "Ben"}))
    body = made.body.replace("| x | Ben |\n", "", 1)
    assert len(drifts(made, over(made, body), template)) == 1


def test_another_template_s_text_is_not_taken_for_that_of_this_one(tmp_path: Path) -> None:
    facts = known({"triage": "Lena"})
    old = render(own(tmp_path, OWN), facts)
    template = own(tmp_path, OWN.replace("We mean it.", "We mean it within 72 hours."))
    new = render(template, facts)
    told = "its rendering was “of another text”, is “of this one, and the text stayed as it was”"
    assert drifts(new, over(new, old.body), template, [old.text]) == [told]
    assert drifts(new, new.text, template, [old.text]) == []


def test_what_cannot_be_compared_says_what_to_do(template: Template) -> None:
    made = render(template, known({"triage": "Lena"}))
    early = re.sub(r"  text_sha256: .*\n", "", made.text)
    assert early != made.text
    (told,) = drifts(made, early, template)
    assert told == (
        "its rendering was “by an earlier version of Headwater”, is “to be made again: the text "
        "was bound to no facts”"
    )
    (told,) = drifts(made, over(made, made.body + "x" * 200_000), template)
    assert "not collected: it is too long" in told


def test_facts_forged_for_an_earlier_version_break_nothing(template: Template) -> None:
    made = render(template, known({"triage": "Lena"}))
    front = yaml.safe_load(re.split(r"^---\n", made.text, flags=re.M)[1])
    strange = {"facts": {"systems": "none", "people": {"top": {"person": "{{ 7*7 }}"}}}}
    forged = {"rendered": front["rendered"] | strange, "body": ""}
    row = {"fields": read(made.text), "versions": [forged]}
    assert list(text_drifts(row, template, made, "")) == list[Drift]()


def test_a_template_may_begin_anew(tmp_path: Path) -> None:
    """A part of one's own, a loop in a line, and a text that ends in none."""
    (tmp_path / "_mine.md.j2").write_text("{% macro names(of) %}\nAll: {{ of | join(', ') }}\n"
                                          "{% endmacro %}\n")  # fmt: skip
    text = OWN[: OWN.index("# Ours")] + (
        '{% import "_mine.md.j2" as mine %}\n{% if systems %}{{ mine.names(systems) }}{% endif %}'
        "\nIt is {% for id in systems %}{{ id }} {% endfor %}here.\n"
    )
    template = own(tmp_path, text)
    made = render(template, known({"triage": "Lena", "two": "Ben"}))
    assert [one.text for one in made.lines] == ["All: triage, two", "It is triage two here."]
    assert load_templates([tmp_path])["own"] == template
