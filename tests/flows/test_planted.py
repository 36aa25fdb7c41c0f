"""Files that lie, loop or never end among one's own rules, frameworks and settings: one error each.

Each is planted in a home and met by the command line, which must say where and what in one line,
soon, and load nothing of the mapping.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from flows import cli
from mappings import catalogue, nodes, read_frameworks, read_rules
from mappings.nodes import Node
from tests.flows.house import RULE
from tests.nursery import headwater

HOUSE = '[organisation]\nname = "Test House"\n\n'
LABEL = "payload.label: {exists: true}"
GOOD = RULE.format(name="own-one")
FRAMEWORK = """\
framework: own-1
title: Our own
short: Own
edition: "1"
rights: ours
requirements:
  - title: First
    ids: [R1, R2]
rows:
  - {from: "7.2", to: R1, relation: subset-of, rationale: semantic, confidence: low, sources: [us]}
"""
REVIEW = """\
reviews:
  - {framework: own-1, from: "7.2", to: R1, relation: equal-to, by: Ann, on: 2026-11-20, why: read}
"""
BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def changed(text: str, old: str, new: str) -> bytes:
    assert old in text, old
    return text.replace(old, new, 1).encode()


def rule(old: str, new: str) -> bytes:
    return changed(GOOD, old, new)


def many(question: str, count: int) -> str:
    asked = "".join(f"        - {question % n}\n" for n in range(count))
    return f"any:\n        - {LABEL}\n{asked}"


PLANTED: dict[str, tuple[bytes | Callable[[Path], object], str]] = {
    # What is no text of ours.
    "empty": (b"", r"own\.yaml: is empty"),
    "ten-megabytes": (b"rules: []\n" * 1_000_000, "own.yaml: is larger than 1000000 bytes; split"),
    "bomb": (BOMB.encode(), r"own\.yaml:2: aliases \(\*\) are refused"),
    "deep": (b"[" * 400_000, r"own\.yaml:1: nests deeper than 20"),
    "deep-keys": (b"? " * 30_000, r"own\.yaml:1: nests deeper than 20"),
    "tabs": (rule("    kind", "\tkind"), r"own\.yaml:3: is not YAML: .*spaces, not tabs"),
    "nul": (rule("Our own", "Our \0 own"), r"own\.yaml:8: holds the control character U\+0000"),
    "escape": (rule("Our own", "Our \x1b[2J"), r"own\.yaml:8: holds the control character U\+001B"),
    "nul-escaped": (rule("Our own label says so.", '"a\\0b"'), r"own\.yaml:8: holds a control"),
    "utf-16": (GOOD.encode("utf-16"), r"own\.yaml:1: is not UTF-8; save it as UTF-8"),
    "latin-1": (rule("Our own", "Für").decode().encode("latin-1"), r"own\.yaml:8: is not UTF-8"),
    "two-documents": (GOOD.encode() + b"---\n" + GOOD.encode(), r"own\.yaml:14: is not YAML"),
    "python-tag": (
        rule("kind: jira.issue", "kind: !!python/object/apply:os.system [id]"),
        r"own\.yaml:3: the tag \S+os\.system is refused",
    ),
    "tag-on-a-mapping": (rule("when:", "when: !!set"), r"own\.yaml:4: the tag \S+set is refused"),
    "tag-on-a-text": (rule("Our own", "!!str Our own"), r"own\.yaml:8: the tag \S+str is refused"),
    "merge": (rule(LABEL, "<<: {payload.label: x}"), r"own\.yaml:5: merge keys \(<<\) are refused"),
    "a-list": (b"- rules\n", r"own\.yaml:1: the file must be a mapping"),
    "a-word": (b"rules\n", r"own\.yaml:1: the file must be a mapping"),
    "key-twice": (rule("    kind", "    name: x\n    kind"), r"own\.yaml:3: has the key 'name' tw"),
    # What lies there is no file, or would be passed over.
    "folder": (lambda p: p.mkdir(), r"own\.yaml: cannot be read: it is no ordinary file"),
    "pipe": (os.mkfifo, r"own\.yaml: cannot be read: it is no ordinary file"),
    "endless": (lambda p: p.symlink_to("/dev/zero"), "cannot be read: it is no ordinary file"),
    "broken-link": (lambda p: p.symlink_to("nowhere"), r"own\.yaml: cannot be read: No such file"),
    "link-in-a-loop": (lambda p: p.symlink_to(p), r"own\.yaml: cannot be read: Too many levels"),
    "yml": (
        lambda p: p.with_suffix(".yml").write_text(GOOD),
        r"own\.yml: would be passed over; name it own\.yaml",
    ),
    "nothing": (lambda p: p.with_name("README").touch(), "no rules found: no file there ends in"),
    "name-in-bytes": (
        lambda p: Path(os.fsdecode(bytes(p.parent) + b"/\xff.yaml")).write_text(GOOD),
        r"its name is not UTF-8",
    ),
    # Scalars of two minds.
    **{
        f"scalar-{word}": (
            rule(LABEL, f"payload.label: {word}"), rf"own\.yaml:5: {word} is read in two ways",
        )
        for word in ("yes", "No", "off", "010", "0x1f", "1e5", "1_000", "12345678901234567890")
    },
    "scalar-nan": (rule(LABEL, "payload.label: {gt: .nan}"), r"own\.yaml:5: \.nan is read in two"),
    "scalar-inf": (rule(LABEL, "payload.label: {lt: -.inf}"), r"own\.yaml:5: -\.inf is read in tw"),
    # Rules that cannot be meant.
    "unknown-control": (
        rule("controls: expected", 'controls: ["iso42001:A.99"]'),
        r"own\.yaml:7: unknown control 'iso42001:A\.99'; ids look like iso42001:A\.6\.2\.4",
    ),
    "duplicate": (
        GOOD.encode() + GOOD.removeprefix("rules:\n").encode(),
        r"own\.yaml:14: own-one is also at \S+own\.yaml:2; rename one",
    ),
    "shadows-a-shipped-rule": (
        RULE.format(name="mlflow-run").encode(),
        r"own\.yaml:2: mlflow-run is also at rules/mlflow\.yaml:\d+; rename one",
    ),
    "wrong-type": (rule("kind: jira.issue", "kind: {a: 1}"), r"own\.yaml:3: kind must be a list"),
    "rules-of-no-list": (b"rules: {a: 1}\n", r"own\.yaml:1: rules must be a list"),
    "takes-everything": (
        rule(LABEL, "any: [{payload.label: {exists: true}}, {payload.label: {exists: false}}]"),
        r"own\.yaml:13: own-one matches its ignore example",
    ),
    "empty-condition": (rule(LABEL, "not: {}"), r"own\.yaml:5: an empty condition holds for every"),
    "glob-of-all": (rule(LABEL, 'title: {like: "**"}'), r"own\.yaml:5: a glob of stars alone"),
    "pattern-broken": (
        rule(LABEL, "payload.label: {matches: '[z-a]'}"), r"own\.yaml:5: .*is not a regular expr",
    ),
    "pattern-for-ever": (
        rule(LABEL, "payload.label: {matches: '(a+)+b'}"), r"own\.yaml:5: .*could run for ever",
    ),
    "pattern-slow": (
        rule(LABEL, "payload.label: {matches: 'a*a*a*a*b'}"), r"own\.yaml:5: .*varying counts",
    ),
    "pattern-long": (
        rule(LABEL, "payload.label: {matches: '" + "a" * 5000 + "'}"), "longer than 200 characters",
    ),
    "deep-conditions": (
        rule(LABEL, "not: {" * 8 + LABEL + "}" * 8), r"own\.yaml:5: conditions nest deeper than 6",
    ),
    "deep-place": (
        rule(LABEL, f"any: [{{{LABEL}}}, {{payload{'.a' * 50}: x}}]"),
        r"own\.yaml:2: own-one asks for a place more than 20 keys deep",
    ),
    "too-many-questions": (
        rule(LABEL, many("payload.label: {like: '%d*'}", 3000)),
        r"own\.yaml:2: own-one asks more than 200 things; make several",
    ),
    "long-nonsense": (
        rule("jira.issue", "k" * 100_000), r"own\.yaml:3: unknown source kind 'kkk.{,600}$",
    ),
    # Kinds of one's own: they stand for a source type, never for one another.
    "kinds-in-a-circle": (
        b"kinds: {acme.a: acme.b, acme.b: acme.a}\n" + GOOD.encode(),
        r"own\.yaml:1: unknown source type 'acme\.b'",
    ),
    "kind-of-itself": (b"kinds: {acme.a: acme.a}\nrules: []\n", "unknown source type 'acme.a'"),
    "kind-known": (b"kinds: {jira.issue: git.document}\nrules: []\n", "'jira.issue' is known alr"),
}  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(autouse=True)
def _shipped_files_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the same for all that is planted beside them."""
    for module in (catalogue, read_frameworks, read_rules):
        monkeypatch.setattr(module, "read", _read)


def _read(path: Path, *, root: Path | None = None) -> Node:
    return _shipped(path) if root else nodes.read(path)


@cache
def _shipped(path: Path) -> Node:
    return nodes.read(path, root=catalogue.HERE)


Refused = Callable[..., str]


@pytest.fixture
def refused(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refused:
    """Writes a configuration; gives the one line that the command says, if it says nothing else."""

    def refuse(name: str, toml: str) -> str:
        config = house / f"{name}.toml"
        config.write_text(HOUSE + toml)
        for key, value in cli.TELEMETRY_OFF.items():
            monkeypatch.setenv(key, value)
        monkeypatch.setattr(sys, "argv", ["headwater", "rules", "test", "-c", str(config)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert ended.value.code in {1, 2}
        assert said.out == ""
        assert said.err.startswith("headwater: ")
        assert said.err.count("\n") == 1
        return said.err.strip()

    return refuse


def own(house: Path, name: str, what: bytes | Callable[[Path], object]) -> Path:
    folder = house / name
    folder.mkdir()
    path = folder / "own.yaml"
    if isinstance(what, bytes):
        path.write_bytes(what)
    else:
        what(path)
    return folder


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_rule_file_is_one_error(house: Path, refused: Refused, name: str) -> None:
    what, says = PLANTED[name]
    own(house, name, what)
    assert_says(says, refused(name, f'[mapping]\nrules = "{name}"\n'))


FRAMEWORKS: dict[str, tuple[bytes, str]] = {
    "id-shipped": (
        changed(FRAMEWORK, "own-1", "gdpr-2016-679"),
        r"own\.yaml:1: the framework 'gdpr-2016-679' is there already",
    ),
    "control-unknown": (
        changed(FRAMEWORK, '"7.2"', '"7.20"'), r"own\.yaml:10: unknown control 'iso42001:7\.20'",
    ),
    "control-a-number": (changed(FRAMEWORK, '"7.2"', "7.2"), r"own\.yaml:10: .*write it in quotes"),
    "requirement-unknown": (changed(FRAMEWORK, "to: R1", "to: R9"), r"own\.yaml:10: 'R9' is none"),
    "requirement-twice": (changed(FRAMEWORK, "R2", "R1"), r"own\.yaml:8: .*'R1' is there twice"),
    "row-twice": (changed(FRAMEWORK, "to: R1", "to: [R1, R1]"), r"own\.yaml:10: .*in two rows"),
    "relation": (changed(FRAMEWORK, "subset-of", "is-like"), r"own\.yaml:10: relation 'is-like'"),
    "review-of-nothing": (
        changed(REVIEW, "R1", "R2"), r"own\.yaml:2: .*is none of the framework|no such framework",
    ),
    "review-day": (
        changed(REVIEW, "2026-11-20", "soon"), r"own\.yaml:2: there is no such framework",
    ),
    "bomb": (BOMB.encode(), r"own\.yaml:2: aliases"),
    "words": (b"rules: []\n", r"own\.yaml:1: unknown key 'rules'"),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_planted_framework_is_one_error(house: Path, refused: Refused, name: str) -> None:
    what, says = FRAMEWORKS[name]
    own(house, f"framework-{name}", what)
    toml = f'[mapping]\nframeworks = "framework-{name}"\n'
    assert_says(says, refused(f"framework-{name}", toml))


OVERRIDE = '[[override]]\ncontrol = "A.6.2.4"\nevidence = "dq_validation"\nmax_age = "P30D"\n'
TOML: dict[str, tuple[str, str]] = {
    "no-folder": ('[mapping]\nrules = "ghost"\n', r"rules: \S+ghost is no folder"),
    "a-file": ('[mapping]\nrules = "a-file.toml"\n', r"rules: \S+a-file\.toml is no folder"),
    "a-list": ('[mapping]\nrules = ["own"]\n', r"\[mapping\] rules must be text"),
    "a-nul": ('[mapping]\nrules = "a\\u0000b"\n', "is no path: embedded null"),
    "a-user": ('[mapping]\nrules = "~nobody-here/x"\n', "is no path: "),
    "a-word": ('[mapping]\nrule = "own"\n', "unknown key 'rule'; did you mean 'rules'"),
    "a-table-of-many": ('[[mapping]]\nrules = "own"\n', "mapping must be a table"),
    "twice": ('[mapping]\n[mapping]\n', r"twice\.toml: .*line 5"),
    "deep": (f"x = {'[' * 100_000}\n", r"deep\.toml: "),
    "number": (f"x = {'9' * 10_000}\n", r"number\.toml: "),
    "large": ("# \n" * 400_000, "is larger than 1000000 bytes"),
    "no-reason": (OVERRIDE, "override 1: reason missing"),
    "blank-reason": (OVERRIDE + 'reason = " "\n', "override 1: reason missing"),
    "reason-a-list": (OVERRIDE + "reason = [1]\n", "override 1: reason: Input should be a valid"),
    "applies-text": (
        OVERRIDE + 'reason = "x"\napplies = "false"\n', "override 1: applies: .*valid boolean",
    ),
    "age": (OVERRIDE.replace("P30D", "P0D") + 'reason = "x"\n', "max_age that is not longer than"),
    "age-for-ever": (OVERRIDE.replace("P30D", "P99999999999D") + 'reason = "x"\n', "max_age: "),
    "override-unknown": (
        OVERRIDE.replace("A.6.2.4", "A.99") + 'reason = "x"\n', "unknown control 'iso42001:A.99'",
    ),
    "override-twice": (2 * (OVERRIDE + 'reason = "x"\n'), "is given twice; keep one"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOML)
def test_a_planted_setting_is_one_error(refused: Refused, name: str) -> None:
    toml, says = TOML[name]
    assert_says(says, refused(name, toml))


def test_a_configuration_that_never_ends_is_one_error(house: Path) -> None:
    pipe = house / "never.toml"
    os.mkfifo(pipe)
    done = headwater("rules", "test", "-c", pipe)
    assert (done.returncode, done.stdout) == (2, "")
    assert "never.toml cannot be read: " in done.stderr


def test_check_says_the_same_and_looks_at_frameworks_too(house: Path) -> None:
    own(house, "checked", FRAMEWORKS["relation"][0])
    config = house / "checked.toml"
    config.write_text(HOUSE + '[mapping]\nframeworks = "checked"\n')
    done = headwater("check", "-c", config)
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if " mapping: " in line)
    assert line.startswith("mapping ")
    assert_says(r"own\.yaml:10: relation 'is-like' is none of", line)


def test_what_an_honest_editor_writes_is_read(house: Path) -> None:
    text = GOOD.replace("{label: change}", "{label: True, day: 2026-11-26, at: 1:30}")
    own(house, "honest", b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (house / "honest.toml").write_text(HOUSE + '[mapping]\nrules = "honest"\n', "utf-8-sig")
    done = headwater("rules", "test", "-c", house / "honest.toml")
    assert done.returncode == 0, done.stderr


def assert_says(pattern: str, line: str) -> None:
    assert re.search(pattern, line), line
