"""Templates of documents: whole, in our words, and blind to what facts would like them to do."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from collectors._git.register_files import read_document
from evidence.documents import Drift, Rendered, drifted
from evidence.errors import MappingError
from evidence.model import Outcome
from mappings.catalogue import load_catalogue
from mappings.documents import TEMPLATES, Template, load_templates
from mappings.rendering import plain, render, seen_by

SHIPPED = load_templates()
NEED = {
    "control": "A.2.2", "kind": "policy", "of": "organisation", "max_age": "365 days",
    "deadline": "", "warn_before": "30 days", "stale_on": "", "changed": "", "sources": "",
}  # fmt: skip
NOTHING = {
    group: {}
    for group in (
        "roles", "systems", "sources", "gates", "alerts", "registers", "objectives", "suppliers",
        "parties", "soa", "audits", "retention", "deadlines", "evidence",
    )
} | {
    "organisation": {"own": {"name": "Acme"}},
    "schedules": {word: {"schedule": "* * * * *"} for word in ("judging", "verifying", "watching")}
    | {"anchoring": {"schedule": ""}, "alerting": {"schedule": ""}},
}  # fmt: skip
SYSTEM = {"name": "Triage", "owner": "Lena Holm", "role": "", "risk_class": "", "stage": "",
          "purpose": ""}  # fmt: skip
TEXT = "e" * 64
HOSTILE = "<script>x</script> [a](javascript:b) | # {{ 7*7 }} {% raw %} &lt; **b**\n---\ndraft: no"


def own(folder: Path, text: str, name: str = "own.md.j2") -> Template:
    (folder / name).write_text(text, encoding="utf-8")
    return load_templates([folder])[name.removesuffix(".md.j2")]


def front(*, facts: str = "organisation", more: str = "") -> str:
    return f'---\ntitle: T\ndoc_type: policy\nserves: ["5.2"]\nfacts: [{facts}]\n{more}---\n'


def test_every_document_that_is_demanded_has_a_template() -> None:
    served = {number for one in SHIPPED.values() for number in one.serves}
    for control in load_catalogue().controls:
        kept_up = any(known.kind == "maintain" for known in control.documented_information)
        if kept_up or control.documentation_demanded:
            assert control.number in served, control.number
    assert served <= {control.number for control in load_catalogue().controls}


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_of_nothing_a_document_says_so(name: str) -> None:
    template = SHIPPED[name]
    known = NOTHING | {"systems": {"triage": SYSTEM}} if template.each else NOTHING
    made = render(template, known, "triage" if template.each else "")
    text = made.text
    fields = yaml.safe_load(re.split(r"^---\n", text, flags=re.M)[1])
    assert fields["draft"] is True
    assert fields["rendered"] == made.made.told()
    assert Rendered.read(fields["rendered"]) is not None
    assert "FILL IN" in fields["approver"]
    assert not re.search(r"compliant|certified|{{|{%", text)
    (draft,) = read_document("documents/a.md", text.encode())
    assert draft.payload["level"] == "draft"
    (read,) = read_document("documents/a.md", text.replace("draft: true\n", "", 1).encode())
    assert read.outcome is Outcome.ERROR, "what nobody filled in proves nothing"


def test_hostile_facts_stay_text(tmp_path: Path) -> None:
    known = NOTHING | {"organisation": {"own": {"name": HOSTILE}}}
    template = own(tmp_path, front() + "# {{ organisation.own.name }}\n")
    text = render(template, known).text
    body = re.split(r"^---\n", text, flags=re.M)[2]
    assert body == (
        "# \\<script\\>x\\</script\\> \\[a\\](javascript:b) \\| \\# {{ 7\\*7 }} {% raw %} \\&lt; "
        "\\*\\*b\\*\\* --- draft: no\n"
    )
    (read,) = read_document("a.md", text.encode())
    assert read.payload["level"] == "draft", "no fact ends the front matter"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1. one", "1\\. one"), ("5.2", "5.2"), ("- a", "\\- a"), ("= a", "\\= a"), ("a_b", "a_b"),
     ("_a_", "\\_a\\_"), ("a\u202eb\x1b[0m", "ab\\[0m"), ("", "")],
)  # fmt: skip
def test_text_is_shown_as_it_is(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(
    st.text(
        st.characters(codec="utf-8") | st.sampled_from("-+=#>*_`~[]()!<&|\\:1. \t"), max_size=40
    )
)
@example("__x__%")
@example("1986\\. a")
@example("a\nb: c\n===")
def test_no_text_becomes_markdown(text: str) -> None:
    """At the beginning of a line, where most signs mean something, and in a cell of a table."""
    words = "".join(sign for sign in " ".join(text.split()) if sign.isprintable())
    page = MarkdownIt("commonmark").enable("table")
    line = page.render(f"{plain(text)}\n")
    cell = page.render(f"| a |\n|---|\n| {plain(text)} |\n")
    assert html.unescape(re.sub(r"</?p>", "", line)).strip() == words.strip()
    (found,) = re.findall("<td>(.*?)</td>", cell, re.S)
    assert html.unescape(found).strip() == words.strip()
    assert "<" not in found


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ roles }}", "'roles' is undefined"),
        ("{% for x in %}", "line 1"),
        ("{{ organisation.update({}) }}", "not safely callable|unsafe"),
        ("{% include '../../pyproject.toml' %}", "pyproject"),
    ],
    ids=["escape", "unseen", "syntax", "change", "outside"],
)
def test_a_template_of_ones_own_is_held(tmp_path: Path, body: str, why: str) -> None:
    template = own(tmp_path, front() + body)
    with pytest.raises(MappingError, match=why):
        render(template, NOTHING)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("own.md.j2", "no front", "begins with no front matter"),
        ("own.md.j2", front(facts="secrets"), "unknown facts 'secrets'"),
        ("own.md.j2", front(more="quorum: 0\n"), "quorum is how many"),
        ("own.md.j2", front(more="each: system\n"), "go together"),
        ("own.md.j2", front(more="colour: red\n"), "unknown key 'colour'"),
        ("Own.md", "x", "would be passed over"),
    ],
)
def test_a_wrong_template_is_named(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(MappingError, match=why):
        load_templates([tmp_path])


def test_ones_own_wins_by_name_and_may_use_our_parts(tmp_path: Path) -> None:
    text = front(facts="evidence") + \
        '{% import "_parts.md.j2" as part %}\n# Ours\n{{ part.proof(evidence) }}'  # fmt: skip
    assert own(tmp_path, text, "ai-policy.md.j2").folder == tmp_path
    mine = load_templates([tmp_path])["ai-policy"]
    known = NOTHING | {"evidence": {"5.2 policy": NEED | {"control": "5.2"}}}
    rendered = render(mine, known).text
    assert "| 5.2 | policy | organisation | 365 days | 30 days | – | **no source has it** |" \
        in rendered  # fmt: skip


def test_a_part_that_changes_makes_another_template(tmp_path: Path) -> None:
    before = own(tmp_path, front()).sha256
    (tmp_path / "_own.md.j2").write_text("x")
    assert load_templates([tmp_path])["own"].sha256 != before


@pytest.mark.parametrize("system", ["../up", "/etc", ".hidden", "a b", ""])
def test_no_system_names_a_path(system: str) -> None:
    template = SHIPPED["vv-plan"]
    if not system:
        assert template.path() == "vv-plan.md"
        return
    with pytest.raises(MappingError, match="no name of a folder"):
        template.path(system)


def test_only_what_is_served_is_seen() -> None:
    known = NOTHING | {"evidence": {"A.2.2 policy": NEED, "7.2 x": NEED | {"control": "7.2"}}}
    assert list(seen_by(SHIPPED["ai-policy"], known)["evidence"]) == ["A.2.2 policy"]


def test_drift_names_each_fact_then_and_now() -> None:
    then = Rendered.of(
        "t", "a" * 64, {"sources": {"git": {"schedule": "0 * * * *"}, "old": {"x": "y"}}}, TEXT
    )
    now = Rendered.of(
        "t", "b" * 64, {"sources": {"git": {"schedule": "0 0 * * *"}, "new": {"x": "y"}}}, TEXT
    )
    assert list(drifted(then, then)) == []
    assert [one.sentence for one in drifted(then, now)] == [
        "template was “aaaaaaaaaaaa”, is “bbbbbbbbbbbb”",
        "sources git schedule was “0 * * * *”, is “0 0 * * *”",
        "sources new x was nothing, is “y”",
        "sources old x was “y”, is nothing",
    ]
    assert list(drifted(then, None)) == [Drift("template", "t", "")]


def test_facts_that_were_changed_by_hand_are_named() -> None:
    told = Rendered.of("t", "a" * 64, {"people": {"aims": {"person": "Lena"}}}, TEXT).told()
    facts = {"people": {"aims": {"person": "Ben"}}}
    forged = Rendered.read(told | {"facts": facts})
    assert forged is not None
    now = Rendered.of("t", "a" * 64, facts, TEXT)
    assert [one.fact for one in drifted(forged, now)] == ["its facts"]
    assert Rendered.read("yes") is None


def test_templates_speak_our_own_words() -> None:
    for file in TEMPLATES.glob("*.j2"):
        assert not re.search(r"\bshall\b", file.read_text(encoding="utf-8")), file.name
