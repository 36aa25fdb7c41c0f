"""Redaction at landing: what must not be kept is replaced before an item gets its id.

A hidden value leaves `sha256:<hex>`, the SHA-256 of salt ‖ value, and why it was hidden. The salt
is HMAC-SHA256(key, why ‖ value): the same value gives the same digest, so collecting it again lands
nothing twice; without the key not even a short value can be found by trying; and whoever holds the
value and is told its salt can check the digest with common tools.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from operator import attrgetter
from typing import Any

import pyarrow as pa

from evidence.canonical import digest, plain
from evidence.errors import LakeError
from evidence.model import Change, EvidenceItem
from evidence.own import OWN_SOURCE
from evidence.runs import PULL_KIND
from evidence.times import stamp
from storage.detect import HINT, Pattern, detector_version, known_secrets, matches
from storage.hiding import Hider, NothingToHideWith, Seen, texts_of
from storage.json_path import JsonPath
from storage.redaction_key import RedactionKey

FORM = "headwater.redaction/1"
TEXTS = ("title", "actor", "locator", "subject")
"""The columns of an item that are searched, beside its payload; a rule may hide each of them."""
_texts = attrgetter(*TEXTS)
_STEP = 5_000
_NAME = re.compile(r"[a-z0-9][a-z0-9 ._-]{0,62}")
_PROBES = ("a", "Z", "0", " ", "-", "ä", "\n")
_GONE_DIGEST = "last_content_sha256"
_SAID = ("error", "gaps", "query", "settings", "identity", "cursor_before", "cursor_after")
_OF_HIDDEN = "digest of what was hidden"
_ANY_KEY = RedactionKey(secrets.token_bytes(32))  # for texts whose marks nobody will prove


@dataclass(frozen=True, slots=True)
class Rule:
    """What to hide beside known secrets: matches of `patterns`, or whole `fields`, or both.

    `name` is shown with each hidden value; `kinds` are globs over item kinds; `fields` are JSON
    paths into the payload or columns (`title`, `actor`, `locator`, `subject`); `patterns` are in
    RE2 syntax: no pattern can be slow. Without `patterns` the fields are hidden whole; without
    `fields` the patterns are looked for everywhere. Raises ValueError.
    """

    name: str
    reason: str
    kinds: tuple[str, ...] = ("*",)
    fields: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name {self.name!r} must be lower-case words of at most 63 signs")
        if not self.reason.strip():
            raise ValueError("a reason is missing: it is shown to whoever asks what was hidden")
        if not self.kinds or not (self.fields or self.patterns):
            raise ValueError("kinds, and fields or patterns, say what is hidden: one is missing")
        for place in self.fields:
            _check_field(place)
        for pattern in self.patterns:
            _check_pattern(pattern)

    def of(self, kind: str) -> bool:
        """Whether the rule speaks of items of this kind; never of Headwater's own records."""
        own = kind.startswith(f"{OWN_SOURCE}.")
        return not own and any(fnmatchcase(kind, glob) for glob in self.kinds)

    def found(self) -> tuple[Pattern, ...]:
        """The rule's patterns under its name."""
        return tuple(Pattern(self.name, text) for text in self.patterns)


def _check_field(place: str) -> None:
    if place.startswith("$"):
        JsonPath(place)
    elif place not in TEXTS:
        raise ValueError(
            f"field {place!r}: write a path such as $.fields.email, or one of {', '.join(TEXTS)}; "
            "the other columns say what an item is and are never hidden"
        )


def _check_pattern(text: str) -> None:
    try:
        empty = matches(["", " "], text)
        everything = len(matches(list(_PROBES), text)) == len(_PROBES)
    except (pa.ArrowInvalid, ValueError) as error:
        raise ValueError(f"pattern {text!r} is not RE2: {error}") from error
    if empty:
        raise ValueError(f"pattern {text!r} matches nothing or a blank: every text has that")
    if everything:
        raise ValueError(f"pattern {text!r} matches everything: name the fields and leave it out")


@dataclass(frozen=True, slots=True)
class Redacted:
    """Items as they may land, how many values were hidden by name, and what must not go elsewhere.

    `secrets` are the hidden values themselves.
    """

    items: tuple[EvidenceItem, ...]
    hidden: Mapping[str, int] = field(default_factory=dict)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Redactor:
    """Hides known secrets (`detect`) and what `rules` name.

    Without a key nothing can be hidden, so an item that holds something to hide is refused;
    `missing` says what to do then.
    """

    rules: tuple[Rule, ...] = ()
    key: RedactionKey | None = None
    detect: bool = True
    missing: str = "open the lake with a redaction key"

    @property
    def digest(self) -> str:
        """What was hidden by: form, formats, rules and key. Another digest may give other ids."""
        rules = [dataclasses.asdict(rule) for rule in self.rules]
        return digest(
            {
                "form": FORM,
                "detector": detector_version() if self.detect else "",
                "rules": plain(rules),
                "key": self.key.key_id if self.key else "",
            }
        )

    def apply(self, items: Iterable[EvidenceItem], *, gone: bool = False) -> Redacted:
        """The items without what must be hidden; those that hold nothing of it are the same.

        `gone` hides the digest by which a lost state names its last content too: one that was made
        before anything was hidden could be tried out. Raises LakeError naming the item if something
        must be hidden and there is no key.
        """
        given = tuple(items)
        hider = Hider(self.key)
        done: list[EvidenceItem] = []
        for start in range(0, len(given), _STEP):
            done += self._step(given[start : start + _STEP], hider, gone)
        return Redacted(tuple(done), dict(sorted(hider.hidden.items())), frozenset(hider.secrets))

    def text(self, text: str) -> str:
        """A text that goes elsewhere than into an item: an error's sentence, a log line."""
        if not self.reveals(text):
            return text
        seen = Seen.by(self._everywhere(PULL_KIND), [text])
        return str(Hider(self.key or _ANY_KEY).tree(text, seen))

    def seal(self, text: str) -> str:
        """A cursor that only the key opens. Raises LakeError without a key."""
        return self._key("a cursor of what was hidden").seal(text)

    def unseal(self, text: str) -> str:
        """The cursor again. Raises LakeError without the key that it was sealed with."""
        return self._key("a cursor of what was hidden").unseal(text)

    def bound(self) -> dict[str, str]:
        """What the lake remembers of the key, so that no other one is taken by mistake."""
        return {"form": FORM, "key": self._key("a value").key_id}

    def _key(self, what: str) -> RedactionKey:
        if self.key is None:
            raise LakeError(f"{what} needs the redaction key; {self.missing}")
        return self.key

    def reveals(self, text: str) -> bool:
        """Whether a text (a cursor, a sentence) holds something that must be hidden."""
        own = [pattern for rule in self.rules if not rule.fields for pattern in rule.found()]
        if own and matches([text], _either(own)):
            return True
        known = self.detect and matches([text], HINT)
        return bool(known and matches([text], _either(known_secrets())))

    def _step(self, items: Sequence[EvidenceItem], hider: Hider, gone: bool) -> list[EvidenceItem]:
        drafts = {n: _Draft.of(items[n]) for n in self._touched(items, gone)}
        if not drafts:
            return list(items)
        try:
            for draft in drafts.values():
                self._fields(draft, hider, gone)
            seen = self._seen(drafts.values())
            for draft in drafts.values():
                draft.search(hider, seen.only(self._everywhere(draft.item.kind)))
        except NothingToHideWith as error:
            item = draft.item
            raise LakeError(
                f"{item.source}: an item of kind {item.kind}, observed {stamp(item.observed_to)}, "
                f"holds what must be hidden ({error.why}); {self.missing}"
            ) from None
        done = {n: draft.landed() for n, draft in drafts.items()}
        return [done.get(n, item) for n, item in enumerate(items)]

    def _touched(self, items: Sequence[EvidenceItem], gone: bool) -> list[int]:
        """The places of the items that may hold something: the others are not looked at again."""
        kinds = {item.kind for item in items}
        ruled = {kind for kind in kinds if any(_speaks(rule, kind) for rule in self.rules)}
        found = {n for n, item in enumerate(items) if item.kind in ruled or _lost(item, gone)}
        if self.detect:
            found.update(matches([item.content for item in items], HINT))
            found.update(matches([_columns(item) for item in items], HINT))
        return sorted(found)

    def _fields(self, draft: _Draft, hider: Hider, gone: bool) -> None:
        if _lost(draft.item, gone):
            draft.payload[_GONE_DIGEST] = hider.whole(draft.payload[_GONE_DIGEST], _OF_HIDDEN)
        for rule in self.rules:
            if rule.fields and rule.of(draft.item.kind):
                for place in rule.fields:
                    draft.hide(place, rule, hider)

    def _seen(self, drafts: Iterable[_Draft]) -> Seen:
        """What any pattern sees in any text of the drafts."""
        texts = list({text for draft in drafts for text in draft.texts()})
        patterns = [p for rule in self.rules if not rule.fields for p in rule.found()]
        patterns += known_secrets() if self.detect else ()
        hits = [texts[n] for n in matches(texts, _either(patterns))]
        return Seen.by(patterns, hits)

    def _everywhere(self, kind: str) -> list[Pattern]:
        """The patterns that are looked for in all texts of an item of this kind."""
        own = [
            pattern for rule in self.rules if not rule.fields and _speaks(rule, kind)
            for pattern in rule.found()
        ]  # fmt: skip
        return own + list(known_secrets() if self.detect else ())


@dataclass(slots=True)
class _Draft:
    """An item while it is redacted."""

    item: EvidenceItem
    payload: Any
    columns: dict[str, str]

    @classmethod
    def of(cls, item: EvidenceItem) -> _Draft:
        return cls(item, plain(item.payload), {name: getattr(item, name) for name in TEXTS})

    def texts(self) -> Iterator[str]:
        yield from self.columns.values()
        yield from texts_of(self.payload)

    def hide(self, place: str, rule: Rule, hider: Hider) -> None:
        """One field of one rule: all of it, or the matches in it."""
        patterns = rule.found()
        if place in self.columns:
            text = self.columns[place]
            seen = Seen.by(patterns, [text])
            done = hider.tree(text, seen) if patterns else hider.mark(text, rule.name)
            self.columns[place] = done
        elif place.startswith("$"):
            self.payload = JsonPath(place).changed(
                self.payload,
                lambda value: hider.tree(value, Seen.by(patterns, list(texts_of(value))))
                if patterns else hider.whole(value, rule.name),
            )  # fmt: skip

    def search(self, hider: Hider, seen: Seen) -> None:
        if self.item.kind == PULL_KIND:
            # The other members of a record are Headwater's own words: its ids and digests stay.
            said = {name: self.payload[name] for name in _SAID if name in self.payload}
            self.payload = self.payload | hider.tree(said, seen)
            return
        self.columns = {name: hider.tree(v, seen) for name, v in self.columns.items()}
        self.payload = hider.tree(self.payload, seen)

    def landed(self) -> EvidenceItem:
        """The item as it may land; the same one if nothing was hidden in it."""
        item = self.item
        given: dict[str, Any] = {"payload": self.payload, **self.columns}
        done = dataclasses.replace(item, **given)
        same = done.content == item.content and _columns(done) == _columns(item)
        return item if same else done


def _columns(item: EvidenceItem) -> str:
    return "\n".join(_texts(item))


def _either(patterns: Sequence[Pattern]) -> str:
    return "|".join(f"(?:{pattern.text})" for pattern in patterns) + r"|\\u00[2-7]"


def _lost(item: EvidenceItem, gone: bool) -> bool:
    return gone and item.change is Change.GONE and _GONE_DIGEST in item.payload


def _speaks(rule: Rule, kind: str) -> bool:
    """A pull's record repeats words of its source: patterns hold there whatever their kinds."""
    return rule.of(kind) or (kind == PULL_KIND and not rule.fields)
