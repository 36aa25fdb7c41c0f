"""What a document says of how things are done, and where that is no longer so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evidence.canonical import digest

Facts = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Group (`sources`) → name (`registers`) → field (`schedule`) → what it is, as text."""
ABSENT = "nothing"
TEMPLATE = "template"
UNTOLD = "its facts"
UNBOUND = "its rendering"
TEXT = "its text"
"""Facts that begin so are lines of a document: what it lacks, or still says."""


@dataclass(frozen=True, slots=True)
class Drift:
    """That a fact was `then` when a document was rendered, and is `now`; empty: it was, or is, not
    there at all."""

    fact: str
    then: str
    now: str

    @property
    def sentence(self) -> str:
        """For people."""
        if self.fact.startswith(TEXT):
            said = f"lacks {_quoted(self.now)}" if self.now else f"still says {_quoted(self.then)}"
            return f"{self.fact} {said}"
        return f"{self.fact} was {_quoted(self.then)}, is {_quoted(self.now)}"


@dataclass(frozen=True, slots=True)
class Rendered:
    """What stands in the front matter of a document about its making: by which template, whose
    bytes had which SHA-256, into a text of which SHA-256, from which facts. `seal` is the digest of
    these. Without `text_sha256` it was made by a version of Headwater that did not compare texts.
    """

    template: str
    template_sha256: str
    facts: Facts
    seal: str
    text_sha256: str

    @classmethod
    def of(cls, template: str, template_sha256: str, facts: Facts, text_sha256: str) -> Rendered:
        """With the digest that fits."""
        seal = _seal(template, template_sha256, facts, text_sha256)
        return cls(template, template_sha256, facts, seal, text_sha256)

    @classmethod
    def read(cls, told: object) -> Rendered | None:
        """From the field `rendered` of a document; None if that tells nothing of a making."""
        if not isinstance(told, Mapping):
            return None
        template, template_sha256, seal, text_sha256 = (
            str(told.get(key) or "")
            for key in ("template", "template_sha256", "sha256", "text_sha256")
        )
        return cls(template, template_sha256, _facts(told.get("facts")), seal, text_sha256)

    def told(self) -> dict[str, object]:
        """As it stands in the front matter."""
        return {
            "template": self.template, "template_sha256": self.template_sha256,
            "text_sha256": self.text_sha256, "sha256": self.seal,
            "facts": _told(self.facts),
        }  # fmt: skip

    @property
    def whole(self) -> bool:
        """Whether nobody changed by hand what it says of its making."""
        return self.seal == _seal(self.template, self.template_sha256, self.facts, self.text_sha256)


def drifted(then: Rendered, now: Rendered | None) -> Iterator[Drift]:
    """Each fact that is another one now; `now` is None where there is no such template any more.

    Facts that are new are named as well: the document says nothing of them.
    """
    if not then.whole:
        yield Drift(UNTOLD, "as rendered", "changed by hand")
    if now is None:
        yield Drift(TEMPLATE, then.template, "")
        return
    if then.template_sha256 != now.template_sha256:
        yield Drift(TEMPLATE, then.template_sha256[:12], now.template_sha256[:12])
    before, after = _flat(then.facts), _flat(now.facts)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name, "") != after.get(name, ""):
            yield Drift(name, before.get(name, ""), after.get(name, ""))


def _flat(facts: Facts) -> dict[str, str]:
    return {
        " ".join(filter(None, (group, name, field))): text
        for group, by_name in facts.items()
        for name, fields in by_name.items()
        for field, text in fields.items()
    }


def _facts(told: object) -> Facts:
    """Only what has the shape of facts; numbers and the like as their text."""
    return {
        str(group): {
            str(name): {str(field): "" if text is None else str(text) for field, text in of.items()}
            for name, of in by_name.items()
            if isinstance(of, Mapping)
        }
        for group, by_name in (told.items() if isinstance(told, Mapping) else ())
        if isinstance(by_name, Mapping)
    }


def _seal(template: str, template_sha256: str, facts: Facts, text_sha256: str) -> str:
    text = [text_sha256] if text_sha256 else []
    return digest([template, template_sha256, _told(facts), *text])


def _told(facts: Facts) -> dict[str, dict[str, dict[str, str]]]:
    """Without what is empty: it says nothing."""
    return {
        group: {name: {f: text for f, text in of.items() if text} for name, of in by_name.items()}
        for group, by_name in facts.items()
    }


def _quoted(text: str) -> str:
    return f"“{text}”" if text else ABSENT
